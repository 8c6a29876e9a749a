package repo

// childMain is what a process of the test's own does, by its role.
func childMain(string) int { return 1 }
