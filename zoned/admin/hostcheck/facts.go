package hostcheck

// Tri is an answer that may be wanting.
type Tri int

// The answers.
const (
	Unknown Tri = iota // could not be found out, for want of privilege mostly
	Yes
	No
)

// Answer is what a probe found, and why when it is not yes.
type Answer struct {
	Is  Tri
	Why string
}

func is(ok bool) Answer {
	if ok {
		return Answer{Is: Yes}
	}
	return Answer{Is: No}
}

func no(why string) Answer      { return Answer{No, why} }
func unknown(why string) Answer { return Answer{Unknown, why} }

// CgroupLayout is how the host mounts its control groups.
type CgroupLayout string

// The layouts.
const (
	CgroupPure   CgroupLayout = "unified" // cgroup2 alone
	CgroupHybrid CgroupLayout = "hybrid"  // version 1 controllers and a cgroup2 tree
	CgroupLegacy CgroupLayout = "legacy"  // version 1 alone
	CgroupNone   CgroupLayout = "none"
)

// Facts are what Host found out.
type Facts struct {
	Release      string // the kernel's, as uname gives it
	Major, Minor int
	Privileged   bool
	// CapsLacking are capabilities that root of this host lacks, by name.
	CapsLacking []string

	UserNS     Answer // a user namespace with ids mapped was made
	MaxUserNS  int    // user.max_user_namespaces; -1: not known
	Namespaces []string
	// IDMap: the file system of zone roots can be mounted with shifted ids.
	IDMap     Answer
	RootsPath string // where that was tried
	RootsFS   string // its type
	Overlay   Answer

	Cgroup      CgroupLayout
	CgroupMount string            // of cgroup2
	Controllers map[string]string // name to where it is: a mount point of version 1, or cgroup2
	IntoCgroup  Answer            // clone3 with CLONE_INTO_CGROUP
	CgroupKill  Answer
	// KillSeqBug: a directory whose cgroup.kill was written kills what is born into it later.
	KillSeqBug Answer

	Pidfd, PeerPidfd Answer
	FUSE             Answer
	BTF, BPFFS       Answer
	// Sources of contracts' events, and what identifies who asks: BPF ring buffers, the process
	// connector, a process's identity and a reaped one's exit status by pidfd.
	BPF, Connector       Answer
	PidfdInfo, PidfdExit Answer
	Seccomp              Answer
	LSMs                 []string // nil: not known
	Devpts, Mqueue       Answer
	RunFS                string // type of the file system of /run
	Systemd              bool
	SystemdRun           bool
	LegacyTIOCSTI        Answer
	RangesLeased         int
	RangesTotal          int
	RangesClash          []string // lines of subuid and subgid that lie in our ranges
}

// atLeast says whether the kernel is of this version or later.
func (f Facts) atLeast(major, minor int) bool {
	return f.Major > major || f.Major == major && f.Minor >= minor
}
