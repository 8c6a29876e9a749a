package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// resetProcess makes this a process that knows nothing of the session it was started from:
// its limits, mask, keys and nice value would otherwise be those of every zone's processes.
// What can not be reset for want of a capability stays: the zone is worth more.
func resetProcess() {
	unblockSignals()
	_ = unix.Chdir("/")
	unix.Umask(0o022)
	_ = writeFile("/proc/self/oom_score_adj", "0")
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0)
	// A new one without a name, which x/sys's own function can not ask for.
	_, _ = unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	// Descriptors that were left open for us are not for the supervisor either.
	_ = unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC)
	resetLimits()
}

// filesMin is how many descriptors a keeper needs at most, and what nearly every host allows.
const filesMin = 1024

// resetLimits takes those of the host's first process, which are the host's defaults.
func resetLimits() {
	for r := unix.RLIMIT_CPU; r <= unix.RLIMIT_RTTIME; r++ {
		var host, ours unix.Rlimit
		if unix.Prlimit(1, r, nil, &host) != nil || unix.Prlimit(0, r, nil, &ours) != nil {
			continue
		}
		if r == unix.RLIMIT_NOFILE {
			host.Cur = max(host.Cur, filesMin)
			host.Max = max(host.Max, host.Cur)
		}
		if setLimit(r, host) != nil {
			// A hard limit is raised by who may only.
			_ = setLimit(r, unix.Rlimit{Cur: min(host.Cur, ours.Max), Max: min(host.Max, ours.Max)})
		}
	}
}

// setLimit goes through package syscall, which otherwise gives children the number of
// descriptors that we were started with.
func setLimit(r int, lim unix.Rlimit) error {
	return syscall.Setrlimit(r, &syscall.Rlimit{Cur: lim.Cur, Max: lim.Max})
}

// unblockSignals: the runtime gives children the mask that it found at its own start, so that
// the only way to another one is to start again. That happens once, and only when whoever
// started us had signals blocked.
func unblockSignals() {
	var none, was unix.Sigset_t
	if unix.PthreadSigmask(unix.SIG_SETMASK, &none, &was) != nil || was == none {
		return
	}
	if exe, err := os.Executable(); err == nil {
		_ = syscall.Exec(exe, os.Args, os.Environ())
	}
}
