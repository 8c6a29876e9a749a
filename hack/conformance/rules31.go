package main

// rules31: the states of an instance, and what it is told.
var rules31 = []rule{
	{"3.1/states", "An instance is uninitialized, disabled, offline, online, degraded or in maintenance; each state is left for some of the others only.", met},
	{"3.1/next-state", "While something is under way `next_state` says what is to come; at rest it is none.", met},
	{"3.1/next-state-shown", "svcs marks a state that is about to change with an asterisk.", met},
	{"3.1/events", "What each order and request does in each state.", met},
	{"3.1/in-order", "What an instance is told while a method of it runs waits for the end of the method, and is done in the order in which it came.", met},
	{"3.1/timeouts-go-on", "A method's timeout ends it also while other things wait.", met},
	{"3.1/enable", "Enabled, an instance becomes offline, and is started when its dependencies are satisfied.", met},
	{"3.1/disable", "Disabled, an instance that runs is stopped and becomes disabled; one that does not becomes so at once.", met},
	{"3.1/disable-plain", "A disable that is the graph's own work never ends maintenance.", met},
	{"3.1/disable-admin", "An administrator's disable does, and says so in the log.", met},
	{"3.1/disable-forgets", "It also has the times of starts forgotten; the graph's does not.", met},
	{"3.1/start", "Start runs the start method of an instance that is enabled and offline, and nothing else.", met},
	{"3.1/stop", "Stop brings an instance that runs down because of its dependencies, and does nothing to others.", met},
	{"3.1/stop-reset", "A stop that is nobody's fault has the times of starts forgotten before.", met},
	{"3.1/restart", "An administrator's restart stops what runs, to be started again, and has the times of starts forgotten; of what does not run it does nothing.", met},
	{"3.1/restart-dump", "A restart that asks for a core dump sends SIGABRT to the service's contract; what comes of that stops it.", met},
	{"3.1/refresh", "A refresh reads startd's properties again, runs the refresh method of what runs, and leaves the state as it is.", met},
	{"3.1/maintenance", "Put into maintenance, an instance that runs is stopped by its method first.", met},
	{"3.1/maintenance-at-once", "Put there at once, its contract is abandoned and no method runs.", met},
	{"3.1/maintenance-who", "Who asked is noted: an administrator at a terminal, or a service with its FMRI.", met},
	{"3.1/maintenance-temporary", "Maintenance that is asked for until the next boot only.", differs(ofInstance, "A request for maintenance that is temporary is as one that is not")},
	{"3.1/clear", "Clear brings maintenance back to uninitialized, from where the graph decides anew; it has the times of starts forgotten and lets go of a contract that is left.", met},
	{"3.1/degraded", "Mark degraded is only logged as not possible.", differs(ofInstance, "AdminDegraded works")},
	{"3.1/broken-dependencies", "A cycle or an invalid dependency brings an instance to maintenance, with that reason.", met},
	{"3.1/remove", "An instance that is deleted lets the method end that runs, and is dropped; its contracts are nobody's then.", met},

	{"3.1/cause-exit", "The last process of a service exits: class restart, ct_ev_exit.", met},
	{"3.1/cause-error-exit", "A child exits with a status other than 0: class restart.", met},
	{"3.1/cause-config", "A child exits with 96: class error, method_failed, then maintenance.", met},
	{"3.1/cause-core", "A process dumps core: class error, ct_ev_core.", met},
	{"3.1/cause-signal", "A process is killed from outside of the service: class error, ct_ev_signal.", met},
	{"3.1/cause-hwerr", "A process is killed by a hardware error: class error, ct_ev_hwerr.", met},
	{"3.1/cause-dependency", "A dependency requires the stop: class restart, dependency_activity.", met},
	{"3.1/cause-disable", "The service is disabled: class restart, disable_request.", met},
	{"3.1/cause-restart", "The service is restarted: class restart, restart_request.", met},
	{"3.1/cause-logged", "Each is a line of the log that begins with Stopping because.", met},
	{"3.1/exit-spares-error", "Dependents with restart_on error are not restarted because all processes exited.", met},
	{"3.1/reasons", "auxiliary_state is one of the original's words.", met},
	{"3.1/reason-shown", "svcs -x explains the words.", met},
}

var grids31 = []grid{
	{"3.1/events", "What an order or request makes of an instance: the state, or state and next state, that is written first; `-` is nothing", nil},
	{"3.1/in-order", "The same, of what comes while a method runs: what is written for it when the method has ended", nil},
}
