package main

// rules34: what stands in the repository.
var rules34 = []rule{
	{"3.4/group", "What svc.startd writes of an instance is in the group `restarter`, which does not outlive a boot.", met},
	{"3.4/state", "state, next_state and state_timestamp.", met},
	{"3.4/auxiliary", "auxiliary_state, auxiliary_fmri and auxiliary_tty.", met},
	{"3.4/contracts", "contract, of which there may be several, and transient_contract.", met},
	{"3.4/start", "start_pid, start_method_timestamp and start_method_waitstatus.", met},
	{"3.4/method-pid", "method_pid while a method runs.", met},
	{"3.4/logs", "logfile and alt_logfile.", met},
	{"3.4/before", "The log's path is noted before the method runs; start_pid after the contract.", met},
	{"3.4/requests", "Requests of administrators are properties of `restarter_actions`.", met},
	{"3.4/requests-who", "auxiliary_tty and auxiliary_fmri beside them say who asks, do_dump that a core dump is wanted.", met},
	{"3.4/requests-done", "A request is done once, and is gone then.", met},
	{"3.4/temporary", "A temporary enable is general_ovr/enabled, which does not outlive a boot.", met},
	{"3.4/milestone", "The milestone of this boot is options_ovr/milestone.", met},
	{"3.4/immediate", "These count at once; dependencies and methods come from the running snapshot.", met},
}
