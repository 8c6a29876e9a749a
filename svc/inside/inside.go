package inside

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// initialPIDNamespace is the inode of the host's pid namespace: PROC_PID_INIT_INO of
// include/linux/proc_ns.h, the same on every kernel.
const initialPIDNamespace = 0xEFFFFFFC

var (
	// ErrGlobal: this is the host, which these programs never touch.
	ErrGlobal = errors.New("this is not a zone, and the global zone is not halted by this program")
	// ErrUnknown: nothing could tell where this is, which counts as the host.
	ErrUnknown = errors.New("cannot tell whether this is a zone")
	// ErrOtherInit: a container, but its pid 1 is not ours.
	ErrOtherInit = errors.New("process 1 is not the init of a zone")
	// ErrUnproved: a Proof that was not made by Prove.
	ErrUnproved = errors.New("not proved to be in a zone")
)

// unknown is ErrUnknown with its cause.
type unknown struct{ cause error }

func (u *unknown) Error() string   { return ErrUnknown.Error() + ": " + u.cause.Error() }
func (u *unknown) Unwrap() []error { return []error{ErrUnknown, u.cause} }

// Proof was made in a pid namespace that is not the host's.
type Proof struct{ k *kernel }

// Prove looks where this process is.
func Prove() (Proof, error) { return prove(&realKernel) }

func prove(k *kernel) (Proof, error) {
	p := Proof{k: k}
	if err := p.check(); err != nil {
		return Proof{}, err
	}
	return p, nil
}

func (p Proof) check() error {
	if p.k == nil {
		return ErrUnproved
	}
	inode, err := p.k.pidNamespace()
	switch {
	case err != nil:
		return &unknown{err}
	case inode == 0:
		return ErrUnknown
	case inode == initialPIDNamespace:
		return ErrGlobal
	}
	return nil
}

// KillAll sends sig to every other process of the zone but pid 1; 0 only asks whether there
// is one. unix.ESRCH means that nobody is left.
func (p Proof) KillAll(sig unix.Signal) error { return p.kill(-1, sig) }

// SignalInit sends sig to pid 1 of the zone, as soon as that listens to it.
func (p Proof) SignalInit(sig unix.Signal) error {
	if err := p.check(); err != nil {
		return err
	}
	p.awaitCaught(sig)
	return p.kill(1, sig)
}

func (p Proof) kill(pid int, sig unix.Signal) error {
	if err := p.check(); err != nil {
		return err
	}
	return p.k.kill(pid, sig)
}

// Action is what reboot(2) does to a zone, which is to end its pid 1 and with it the zone.
type Action int

const (
	// Halt ends pid 1 with SIGINT.
	Halt Action = iota + 1
	// Poweroff ends pid 1 with SIGINT as well: the kernel makes no difference for a zone.
	Poweroff
	// Reboot ends pid 1 with SIGHUP.
	Reboot
)

// commands are reboot(2)'s. No other is ever passed on.
var commands = map[Action]int{
	Halt:     unix.LINUX_REBOOT_CMD_HALT,
	Poweroff: unix.LINUX_REBOOT_CMD_POWER_OFF,
	Reboot:   unix.LINUX_REBOOT_CMD_RESTART,
}

// Reboot ends the zone at once. It needs CAP_SYS_BOOT in the zone's user namespace, and
// returns only when it was refused. Nothing is written back first: sync(2) is not confined
// to the zone, it would wait for every disk of the host, and what the zone has written is
// safe in the host's page cache.
func (p Proof) Reboot(a Action) error {
	if err := p.check(); err != nil {
		return err
	}
	cmd, ok := commands[a]
	if !ok {
		return unix.EINVAL
	}
	return p.k.reboot(cmd)
}

// initPath is where pid 1's program is in every zone: the end of it, since /lib may be a
// link to /usr/lib.
const initPath = "/lib/svc/bin/init"

// OurInit says whether pid 1 is this very program, or one that stood in its place before an
// upgrade of the host. It needs the right to look at pid 1: root's.
func (p Proof) OurInit() error {
	if err := p.check(); err != nil {
		return err
	}
	same, err := p.k.sameProgram("/proc/1/exe", "/proc/self/exe")
	if err == nil && same {
		return nil
	}
	path, err := p.k.readlink("/proc/1/exe")
	if err == nil && strings.HasSuffix(strings.TrimSuffix(path, " (deleted)"), initPath) {
		return nil
	}
	return ErrOtherInit
}

// kernel is the seam: the tests' one has a host to halt that is none.
type kernel struct {
	pidNamespace func() (inode uint64, err error)
	kill         func(pid int, sig unix.Signal) error
	reboot       func(cmd int) error
	sameProgram  func(a, b string) (bool, error)
	readlink     func(path string) (string, error)
	caught       func() (mask uint64, err error) // signals that pid 1 catches; nil: not asked
}

var realKernel = kernel{
	pidNamespace: pidNamespace,
	kill:         unix.Kill,
	reboot:       unix.Reboot,
	sameProgram:  sameFile,
	readlink:     os.Readlink,
	caught:       caughtByInit,
}

func sameFile(a, b string) (bool, error) {
	sa, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	sb, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(sa, sb), nil
}
