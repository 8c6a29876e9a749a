package events

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A bare process is a fork of this program without a runtime: every signal has its default
// action, and it makes raw system calls alone. What it needs is in bare, of which it has its
// own copy. All of its code is nosplit: the runtime's look at the stack's end would take it to
// a scheduler that it does not have.
var bare struct {
	first    note // its record; the log is at descLog
	at       unix.Timespec
	standard [4]uint64 // actions of signals, as the kernel takes them
	ignore   [4]uint64
	mask     uint64
	one      [8]byte
	ppid     int32
	ignores  uint64
	manner   manner
	status   uintptr
}

// Descriptors of a bare process, and where its parent keeps them.
const (
	descLog   = 3
	descGate  = 4 // a read of it waits until the victims are let go
	descReady = 5
	descKept  = 200 // descLog is kept at descKept+descLog, and so on
)

// note is a record of a bare process: one write(2) to a file that is opened for appending.
type note struct {
	kind      uint32
	pid, ppid int32
	status    uint32
	time      int64 // nanoseconds of CLOCK_MONOTONIC
	tag       uint64
}

const noteBytes = 32

// Kinds of notes.
const (
	noteVictim = 0x71c7 + iota // a victim is there, and waits
	noteLife                   // a process of a storm ends itself in a moment
)

func parseNotes(b []byte) ([]note, error) {
	if len(b)%noteBytes != 0 {
		return nil, fmt.Errorf("%d bytes are no whole notes", len(b))
	}
	var all []note
	for le := binary.LittleEndian; len(b) > 0; b = b[noteBytes:] {
		n := note{kind: le.Uint32(b), pid: int32(le.Uint32(b[4:])), ppid: int32(le.Uint32(b[8:])), status: le.Uint32(b[12:]),
			time: int64(le.Uint64(b[16:])), tag: le.Uint64(b[24:])}
		if n.kind != noteVictim && n.kind != noteLife {
			return nil, fmt.Errorf("a note of kind %d", n.kind)
		}
		all = append(all, n)
	}
	return all, nil
}

// manner is what a victim does.
type manner uint32

const (
	waits  manner = iota // until it is killed; let go it exits
	faults               // let go it writes where nothing is
	aborts               // let go it sends itself SIGABRT
	deaf                 // as waits; HUP, INT and TERM are ignored
	flees                // forks, takes a new session, and so on; the last of it waits
	bombs                // forks for ever, and so do its children
	masked               // as waits; USR1, USR2, TERM and 40 to 45 are blocked until it is let go
)

var manners = map[string]manner{"waits": waits, "faults": faults, "aborts": aborts, "deaf": deaf, "masked": masked, "flees": flees, "bombs": bombs}

func sigset(sigs ...unix.Signal) (set uint64) {
	for _, s := range sigs {
		set |= 1 << (s - 1)
	}
	return set
}

// prepare is what the parent does once.
func prepareBare(log, gate, ready int) error {
	bare.ignore[0] = 1 // SIG_IGN
	for i, fd := range []int{log, gate, ready} {
		if err := unix.Dup3(fd, descKept+descLog+i, unix.O_CLOEXEC); err != nil {
			return fmt.Errorf("keep descriptor %d: %w", fd, err)
		}
	}
	bare.ppid = int32(os.Getpid())
	return nil
}

// bearVictim makes a victim. The calling goroutine is locked to its thread.
func bearVictim(m manner, tag uint64) (int, error) {
	bare.manner, bare.mask, bare.ignores = m, 0, 0
	bare.first = note{kind: noteVictim, tag: tag}
	switch m {
	case deaf:
		bare.ignores = sigset(unix.SIGHUP, unix.SIGINT, unix.SIGTERM)
	case masked:
		bare.mask = sigset(unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM, 40, 41, 42, 43, 44, 45)
	}
	return bear(false)
}

// bear forks with all signals blocked, so that none finds a handler in the child.
func bear(storm bool) (int, error) {
	var all, was unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &was); err != nil {
		return 0, err
	}
	pid, errno := fork()
	if pid == 0 && errno == 0 {
		if storm {
			stormLife()
		}
		victimLife()
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &was, nil); err != nil {
		return 0, err
	}
	if errno != 0 {
		return 0, fmt.Errorf("fork: %w", errno)
	}
	return int(pid), nil
}

//go:norace
//go:nosplit
func fork() (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	return pid, errno
}

// settle gives a bare process its signals and descriptors.
//
//go:norace
//go:nosplit
func settle() {
	for sig := uintptr(1); sig <= 64; sig++ {
		action := &bare.standard
		if bare.ignores&(1<<(sig-1)) != 0 {
			action = &bare.ignore
		}
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(action)), 0, 8, 0, 0)
	}
	for fd := uintptr(descLog); fd <= descReady; fd++ {
		syscall.RawSyscall(syscall.SYS_DUP3, descKept+fd, fd, 0)
	}
	syscall.RawSyscall(unix.SYS_CLOSE_RANGE, descReady+1, 1<<31, 0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&bare.mask)), 0, 8, 0, 0)
}

// write puts the process's record into the log.
//
//go:norace
//go:nosplit
func writeNote() {
	pid, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
	bare.first.pid, bare.first.ppid = int32(pid), bare.ppid
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&bare.at)), 0)
	bare.first.time = bare.at.Sec*1e9 + bare.at.Nsec
	syscall.RawSyscall(syscall.SYS_WRITE, descLog, uintptr(unsafe.Pointer(&bare.first)), noteBytes)
}

//go:norace
//go:nosplit
func victimLife() {
	settle()
	switch bare.manner {
	case flees:
		flee()
	case bombs:
		bomb()
	}
	writeNote()
	syscall.RawSyscall(syscall.SYS_WRITE, descReady, uintptr(unsafe.Pointer(&bare.one)), 1)
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, descGate, uintptr(unsafe.Pointer(&bare.one)), 1)
		if errno == 0 && n == 0 {
			break
		}
	}
	switch bare.manner {
	case flees:
		for { // no end of its own
			syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	case faults:
		fault()
	case aborts:
		syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(bare.first.pid), uintptr(bare.first.pid), uintptr(syscall.SIGABRT))
	case masked:
		bare.mask = 0
		syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&bare.mask)), 0, 8, 0, 0)
	}
	bareExit(victimLeft)
}

// victimLeft is the exit code of a victim that was let go and lived on.
const victimLeft = 42

//go:norace
//go:nosplit
func bareExit(code uintptr) {
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, code, 0, 0)
	}
}

// flee leaves its parent, its session and its group, twice.
//
//go:norace
//go:nosplit
func flee() {
	for range 2 {
		syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
		self, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
		bare.ppid = int32(self)
		if pid, errno := fork(); pid != 0 || errno != 0 {
			bareExit(0)
		}
	}
	syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_NAME, uintptr(unsafe.Pointer(&fledName)), 0)
}

var fledName = [16]byte{'i', 'n', 'i', 't'}

// bomb never returns. Each child does the same; some leave their children as orphans.
//
//go:norace
//go:nosplit
func bomb() {
	for n := 0; ; n++ {
		if pid, errno := fork(); pid == 0 && errno == 0 {
			if n%3 == 0 {
				syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
			}
			n = 0
		} else if n%1000 == 999 {
			bareExit(0)
		}
	}
}

// nowhere is no place to write to.
var nowhere *byte

//go:norace
//go:nosplit
func fault() { *nowhere = 1 }

// Storms: a life of a storm is some forks and an end with a status of its own. Its children
// are lives of the storm too. What it does is drawn from its number.

var storm struct {
	seed  uint64
	depth int
	kids  int
}

// dice gives the next of a row of numbers (splitmix64).
//
//go:norace
//go:nosplit
func dice() uint64 {
	storm.seed += 0x9e3779b97f4a7c15
	z := storm.seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// stormDepth is how many generations a life of the storm may have below it.
const stormDepth = 3

// stormLife never returns. An orphan of it is init's to reap, which tells its record and the
// kernel alone.
//
//go:norace
//go:nosplit
func stormLife() {
	settle()
	waited := true
	for {
		// This process and its number: a child goes round as another one.
		kids := int(dice() % 3)
		waited = dice()%4 != 0
		if storm.depth >= stormDepth {
			kids = 0
		}
		seed := dice()
		child := false
		for ; kids > 0; kids-- {
			self, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
			pid, errno := fork()
			if pid == 0 && errno == 0 {
				bare.ppid = int32(self)
				storm.seed = seed + uint64(kids)*0x9e37
				storm.depth++
				child = true
				break
			}
		}
		if !child {
			break
		}
	}
	for waited {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), 0, 0, 0, 0, 0)
		if errno == syscall.ECHILD {
			break
		}
	}
	bare.status = uintptr(dice() % 256)
	bare.first.kind, bare.first.status = noteLife, uint32(bare.status)<<8
	writeNote()
	bareExit(bare.status)
}

// locked runs f on a thread of its own whose stack has room for what a fork needs.
func locked(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var room [16 << 10]byte
	runtime.KeepAlive(&room)
	return f()
}
