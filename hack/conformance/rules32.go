package main

// rules32: what kind of service it is.
var rules32 = []rule{
	{"3.2/duration-words", "`child` and `transient` are the only words of startd/duration; all else is a contract service.", differs(differences, "the word `wait` for `child`")},
	{"3.2/contract-kept", "Of a contract service the contract of the start method is kept: it is the service.", met},
	{"3.2/transient-let-go", "Of a transient service it is abandoned when the method has ended.", met},
	{"3.2/child-kept", "Of a child it is kept, and what it kills is the process's group.", met},
	{"3.2/start-timeout", "The start of a contract or transient service has a timeout.", met},
	{"3.2/child-no-timeout", "That of a child has none; it is online as soon as its process is there.", met},
	{"3.2/contract-events", "A contract service fails when its contract becomes empty, or by a core dump, a signal from outside or a hardware error in it.", met},
	{"3.2/transient-fails-by-methods", "A transient service fails by its methods only.", met},
	{"3.2/child-ends", "Any end of a child's process is the end of the service: offline, and restarted.", met},
	{"3.2/child-events-ignored", "Events of a child's contract are ignored.", met},
	{"3.2/deaths", "What happens to a service by how its processes die, and while what.", met},
	{"3.2/stop-nothing", "The stop of a contract service or child that has no contract is done without its method.", met},
	{"3.2/stop-transient", "The stop method of a transient service is run.", met},
	{"3.2/child-never-too-quick", "A child that exits again and again never is in maintenance for it: it is held back for a second, which is logged.", met},
	{"3.2/child-signal", "A child that is killed by a signal is not held back.", differs(ofInstance, "throttled as one that exits with an error is")},
	{"3.2/child-config", "A child that exits with 96 goes to maintenance.", met},
	{"3.2/child-missing", "A child whose program is an absolute path that is not there goes to maintenance; for others the shell says so.", met},
	{"3.2/restart-on", "start/restart_on says which events stop a service: all, any_fault (no exits), external_fault (no core dumps either); all else is all.", met},
	{"3.2/ignore-error", "startd/ignore_error takes core dumps, signals or both from them, in the original's four spellings; any other takes nothing.", met},
	{"3.2/terms", "The terms of contracts: what is critical, what is fatal, and whether a kill takes the group.", met},
	{"3.2/inherit-regent", "All contracts of methods are inherited and may be regents.", met},
	{"3.2/names", "A contract names its instance (svc_fmri) and its method (svc_aux).", met},
	{"3.2/transfer", "The contract of what was stopped is transferred to the next start; if it is not empty it is abandoned instead.", met},
}

var grids32 = []grid{
	{"3.2/deaths", "A service whose process or contract ends, by duration, and what goes on meanwhile", [][2]string{
		{"exit", "it is stopped because all processes exited: class restart"},
		{"core", "it is stopped because a process dumped core: class error"},
		{"signal", "it is stopped because a process was killed from outside: class error"},
		{"hwerr", "it is stopped because of the hardware: class error"},
		{"gone", "it is offline without a stop method: class restart"},
		{"error", "the same, and the log says that it exited with an error"},
		{"config", "it is offline, class error, and then in maintenance"},
		{"-", "nothing that was not under way already"},
	}},
	{"3.2/restart-on", "Critical events by start/restart_on and startd/ignore_error: e empty, c core, s signal, h hardware error", nil},
	{"3.2/terms", "Terms of the contract of each method, where all events are asked for", [][2]string{
		{"critical", "the events are critical"},
		{"fatal, group", "the events are critical, those that kill are fatal, and a kill takes the process group only"},
		{"none", "no events"},
		{"none, group", "no events, and a kill takes the process group only"},
	}},
}
