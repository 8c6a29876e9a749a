package hostcheck

import (
	"fmt"
	"slices"
	"strings"
)

// Level ranks a finding.
type Level string

// The levels, from good to bad.
const (
	OK       Level = "ok"
	Note     Level = "note"     // nothing is wrong; something is to be known
	Degraded Level = "degraded" // zones work, less well
	CantTell Level = "unknown"  // for want of privilege
	Lacking  Level = "lacking"  // zones, or a kind of them, do not work
)

// Finding is one line of the report.
type Finding struct {
	What  string `json:"what"`
	Level Level  `json:"level"`
	Found string `json:"found"`
	// Follows says what comes of it and what can be done; empty when all is well.
	Follows string `json:"follows,omitempty"`
}

// Report is the answer.
type Report struct {
	Kernel   string    `json:"kernel"`
	Findings []Finding `json:"findings"`
}

// Enough says whether nothing that is needed is known to be lacking.
func (r Report) Enough() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Lacking })
}

// The floor, and what later kernels add.
const (
	floorMajor, floorMinor   = 6, 1
	resendMajor, resendMinor = 6, 9
)

// namespacesNeeded are the kinds that a zone consists of.
var namespacesNeeded = []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}

// controllersWanted limit a zone's use of the host.
var controllersWanted = []string{"cpu", "memory", "pids"}

// Run judges facts. It is pure.
func Run(f Facts) Report {
	r := Report{Kernel: f.Release}
	add := func(what string, level Level, found, follows string) {
		r.Findings = append(r.Findings, Finding{what, level, found, follows})
	}
	judgeKernel(f, add)
	judgeRoot(f, add)
	judgeCgroups(f, add)
	judgeProcesses(f, add)
	judgeSecurity(f, add)
	judgeHost(f, add)
	return r
}

type adder func(what string, level Level, found, follows string)

// need adds a finding about an answer: what a no means is given, the rest is common.
func (add adder) need(what string, a Answer, yes string, bad Level, follows string) {
	switch a.Is {
	case Yes:
		add(what, OK, yes, "")
	case No:
		add(what, bad, orElse(a.Why, "not there"), follows)
	default:
		add(what, CantTell, orElse(a.Why, "cannot tell without root"), "")
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func judgeKernel(f Facts, add adder) {
	floor := fmt.Sprintf("%d.%d", floorMajor, floorMinor)
	if f.atLeast(floorMajor, floorMinor) {
		add("kernel", OK, f.Release+", the floor is "+floor, "")
	} else {
		add("kernel", Lacking, f.Release+", the floor is "+floor, "Zones do not work on this kernel: install a later one.")
	}
	if !f.Privileged {
		add("privilege", CantTell, "not root", "Some checks need root: run this again as root for the whole answer.")
	} else if len(f.CapsLacking) > 0 {
		add("privilege", Degraded, "root lacks "+strings.Join(f.CapsLacking, ", "),
			"Limits that need these capabilities cannot be set; zones inherit the lower ones.")
	} else {
		add("privilege", OK, "root with all capabilities", "")
	}
	if missing := lackingOf(namespacesNeeded, f.Namespaces); len(missing) > 0 {
		add("namespaces", Lacking, "without "+strings.Join(missing, ", "), "The kernel was built without them: zones do not work.")
	} else {
		add("namespaces", OK, strings.Join(namespacesNeeded, " "), "")
	}
	switch {
	case f.MaxUserNS == 0:
		add("user namespaces", Lacking, "user.max_user_namespaces is 0", "Zones do not work: sysctl -w user.max_user_namespaces=10000")
	default:
		yes := "can be made"
		if f.MaxUserNS > 0 {
			yes += fmt.Sprintf(", at most %d", f.MaxUserNS)
		}
		add.need("user namespaces", f.UserNS, yes, Lacking, "Zones do not work: each has a user namespace of its own.")
	}
}

func lackingOf(wanted, have []string) []string {
	var out []string
	for _, w := range wanted {
		if !slices.Contains(have, w) {
			out = append(out, w)
		}
	}
	return out
}

func judgeRoot(f Facts, add adder) {
	where := fmt.Sprintf("%s on %s", orElse(f.RootsFS, "unknown"), f.RootsPath)
	add.need("idmapped mounts", f.IDMap, where, Lacking,
		"Zones cannot have their roots on this file system ("+where+"): put zone paths on ext4, xfs, btrfs or tmpfs.")
	add.need("overlayfs", f.Overlay, "there", Lacking, "Zones of brand sparse do not boot; those of other brands do. Load the module overlay.")
	add.need("devpts", f.Devpts, "there", Lacking, "Zones have no consoles and do not boot.")
	add.need("mqueue", f.Mqueue, "there", Degraded, "Zones have no POSIX message queues.")
}

func judgeCgroups(f Facts, add adder) {
	switch f.Cgroup {
	case CgroupPure, CgroupHybrid:
		add("cgroup layout", OK, fmt.Sprintf("%s, cgroup2 on %s", f.Cgroup, f.CgroupMount), "")
	default:
		add("cgroup layout", Lacking, string(f.Cgroup), "Zones and their contracts are cgroups of version 2: mount -t cgroup2 none /sys/fs/cgroup/unified")
		return
	}
	var places, absent []string
	for _, c := range controllersWanted {
		if at, ok := f.Controllers[c]; ok {
			places = append(places, c+": "+at)
		} else {
			absent = append(absent, c)
		}
	}
	if len(absent) > 0 {
		add("controllers", Degraded, "without "+strings.Join(absent, ", "), "Limits on these are stored and not enforced.")
	} else {
		add("controllers", OK, strings.Join(places, ", "), "")
	}
	add.need("birth in a cgroup", f.IntoCgroup, "clone3 with CLONE_INTO_CGROUP", Lacking, "No process can be kept in its contract: zones do not work.")
	add.need("cgroup.kill", f.CgroupKill, "there", Lacking, "A zone that forks without end could not be halted.")
	switch f.KillSeqBug.Is {
	case Yes:
		add("births after a kill", Note, "die: kernel bug in cgroup.kill", "Worked round: a cgroup that was killed is never used again.")
	case No:
		add("births after a kill", OK, "live", "")
	default:
		add("births after a kill", CantTell, orElse(f.KillSeqBug.Why, "cannot tell without root"), "")
	}
}

func judgeProcesses(f Facts, add adder) {
	add.need("pidfd", f.Pidfd, "there", Lacking, "Processes could be mistaken for others: zones do not work.")
	add.need("SO_PEERPIDFD", f.PeerPidfd, "there", Degraded,
		"Callers of a zone's door are identified by process number: a caller that dies at once could be mistaken (kernel 6.5 has it).")
	add.need("FUSE", f.FUSE, "there", Degraded, "Zones have no live /system/contract and /etc/mnttab. Load the module fuse.")
	if f.FUSE.Is != No {
		if f.atLeast(resendMajor, resendMinor) {
			add("FUSE resend", OK, "there", "")
		} else {
			add("FUSE resend", Degraded, "needs kernel 6.9", "After a supervisor's death, requests that it had taken are answered from its journal.")
		}
	}
	judgeContracts(f, add)
}

// judgeContracts tells of the sources of contracts' events, best first.
func judgeContracts(f Facts, add adder) {
	add.need("BTF", f.BTF, "there", Degraded, "Contract events come without their senders, and later: /sys/kernel/btf/vmlinux is needed for BPF programs.")
	add.need("bpf file system", f.BPFFS, "there", Degraded, "Contract events come from slower sources.")
	add.need("BPF programs", f.BPF, "can be loaded", Degraded,
		"Contract events come from the next source: forks, exits and cores without senders, or less. What walks out of a contract during a birth is found later.")
	add.need("process connector", f.Connector, "there", Note, "Without BPF, contract events would be the exit of the first process and emptiness.")
	add.need("exit status by pidfd", f.PidfdExit, "there", Note,
		"Without BPF and the connector, the exit status of a process that its parent reaps at once would not be known (kernel 6.15 has it).")
	add.need("process info by pidfd", f.PidfdInfo, "there", Note, "Requests at /system/contract take 20 microseconds longer (kernel 6.13 has it).")
}

func judgeSecurity(f Facts, add adder) {
	add.need("seccomp", f.Seccomp, "there", Lacking, "Zones are not run without a filter on system calls.")
	if f.LSMs == nil {
		add("security modules", Note, "not known: /sys/kernel/security is not mounted or not readable", "")
	} else {
		add("security modules", OK, strings.Join(f.LSMs, " "), "")
	}
	switch f.LegacyTIOCSTI.Is {
	case Yes:
		add("TIOCSTI", Note, "allowed on this host", "Zones are denied it; for the host itself: sysctl -w dev.tty.legacy_tiocsti=0")
	case No:
		add("TIOCSTI", OK, "not allowed", "")
	default:
		add("TIOCSTI", Note, orElse(f.LegacyTIOCSTI.Why, "no switch in this kernel: allowed"), "Zones are denied it.")
	}
}

func judgeHost(f Facts, add adder) {
	if f.RunFS == "tmpfs" || f.RunFS == "ramfs" {
		add("/run", OK, f.RunFS, "")
	} else {
		add("/run", Note, orElse(f.RunFS, "unknown")+": survives a reboot of the host", "State of another boot is told by its boot id and not used.")
	}
	switch {
	case f.Systemd && f.SystemdRun:
		add("systemd", OK, "in charge; supervisors live in scopes of zones.slice", "")
	case f.Systemd:
		add("systemd", Degraded, "in charge, without systemd-run", "Supervisors live in the session of whoever boots a zone, and may be killed at its end.")
	default:
		add("systemd", OK, "not in charge", "")
	}
	switch {
	case len(f.RangesClash) > 0:
		add("ranges of ids", Degraded, "others use some: "+strings.Join(f.RangesClash, ", "), "Zones get other ranges; there are fewer.")
	case f.RangesLeased >= f.RangesTotal:
		add("ranges of ids", Lacking, fmt.Sprintf("all %d are leased", f.RangesTotal), "No further zone can be made ready: halt one.")
	default:
		add("ranges of ids", OK, fmt.Sprintf("%d of %d leased", f.RangesLeased, f.RangesTotal), "")
	}
}
