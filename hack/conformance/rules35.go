package main

// rules35: a svc.startd that goes on where another was killed.
var rules35 = []rule{
	{"3.5/adopts", "Contracts of the one before are adopted, and services that run go on.", met},
	{"3.5/trusts", "States are believed, with next_state none; the reason becomes startd_restart.", met},
	{"3.5/contract-gone", "A contract that is not there any more is taken from the repository.", met},
	{"3.5/child", "The process of a child is waited for by its number, though it is nobody's child any more.", met},
	{"3.5/maintenance", "Maintenance stays, with its reason and who asked for it.", met},
	{"3.5/bad-state", "A state that is found at the first start of a boot is bad_repo_state.", notMet("states do not outlive a boot, so that there is none to be found; what makes no sense is as if it were not there")},
	{"3.5/in-flight", "A start that was under way is begun again.", differs(differences, "A killed svc.startd neither forgets nor repeats it.")},
	{"3.5/stop-in-flight", "A stop that was under way is forgotten.", differs(ofInstance, "A stop whose method had not begun when svc.startd died is carried on with by the next one.")},
	{"3.5/nobody-restarts", "Who runs before and after restarts no dependents.", met},
	{"3.5/configd", "A configd that dies is restarted, and its clients find it again.", differs(differences, "`svc.startd` holds the repository; there is no `svc.configd` process.")},
	{"3.5/configd-fails", "One that fails again and again brings the system to a shell.", differs(differences, "A damaged repository stops no boot")},
}
