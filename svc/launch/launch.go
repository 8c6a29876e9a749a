package launch

import (
	"math"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/method"
)

const (
	// Shell is what executes a method's command.
	Shell = "/sbin/sh"
	// Word is the first argument of this program as the child that puts a context into effect.
	Word = "--method"

	selfPath = "/proc/self/exe"
	umask    = 0o022
	firstFD  = 3 // after the standard ones
	// templatesMax is how many open templates rest for the next start: as many as methods are
	// started at once on a machine with few processors.
	templatesMax = 4
)

// Method is what is to be started.
type Method struct {
	// Command is what the shell executes.
	Command string
	Context method.Context
	// Env is the whole environment: see method.Context.Env.
	Env []string
	// Session: the process leads a session of its own.
	Session bool
	// UtmpxPrefix has the process make a record of itself (package utmp) before it becomes the method.
	UtmpxPrefix string
	// RuntimeDirectories are made before, for the context's user: see method.Startd.
	RuntimeDirectories []string
	// Log is output and errors of the method; nil: they go nowhere.
	Log *os.File
	// Terms are those of its contract.
	Terms contract.Terms
	// Free: the contract counts in no project, whatever the context says. It is for what has to be
	// run when a project has all that it may have.
	Free bool
}

// Started is a method that runs. Its pidfd is the caller's to close, and the process the caller's
// to wait for.
type Started struct {
	Contract contract.ID
	PID      int
	Pidfd    int
}

// Launcher starts methods.
type Launcher struct {
	fs    *contract.FS
	shell string
	null  *os.File
	plain bool // this process's personality is the usual one, so that children need not change it
	heirs bool // this process has inheritable capabilities, which who is not root would keep
	root  uint64
	sh    uint64 // the shell's device, as root

	mu   sync.Mutex
	idle []*contract.Template // rest for the next start
}

// New makes a launcher that makes contracts in fs, which stays the caller's. It sets the process's
// umask, and has no descriptor that is open now reach a child by itself.
func New(fs *contract.FS) (*Launcher, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	unix.Umask(umask)
	_ = unix.CloseRange(firstFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // Linux 5.11
	l := &Launcher{fs: fs, shell: Shell, null: null}
	was, err := personality(personalityAsk)
	l.plain = err == nil && was&(addrNoRandomize|readImpliesExec) == 0
	_, inheritable, err := capabilities()
	l.heirs = err != nil || inheritable != 0
	l.root = rootDevice()
	l.sh, _ = deviceOf(unix.AT_FDCWD, Shell)
	return l, nil
}

// Close lets go of what it has open. Methods go on.
func (l *Launcher) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.idle {
		t.Close()
	}
	l.idle = nil
	return l.null.Close()
}

// Start starts a method. An error says that there is no process and no contract: ErrAgain,
// ErrTooLarge; contract.ErrWithin of project and pool; ENOTEMPTY, ESRCH and EACCES of the contract that is to be transferred; or that the
// system cannot do it.
func (l *Launcher) Start(m Method) (Started, error) {
	if m.Log == nil {
		m.Log = l.null
	}
	t, err := l.template()
	if err != nil {
		return Started{}, failure("open a template of contracts", err)
	}
	s, err := l.start(t, &m)
	if err != nil {
		t.Close() // whatever is wrong with it does not come again
		return s, err
	}
	l.rest(t)
	return s, nil
}

func (l *Launcher) start(t *contract.Template, m *Method) (Started, error) {
	t.Want(m.Terms)
	within := m.Context.Within
	if m.Free {
		within.Project = nil
	}
	t.Within(within)
	if dir, ok := l.direct(m); ok { // else this program makes what has to be made first
		s, born, err := l.startDirect(t, m, dir)
		dir.Close()
		if err == nil || !born {
			return s, err
		}
	}
	return l.startOrder(t, m)
}

// template gives an open template, of those that rest or a new one.
func (l *Launcher) template() (*contract.Template, error) {
	l.mu.Lock()
	if n := len(l.idle); n > 0 {
		t := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		return t, nil
	}
	l.mu.Unlock()
	return l.fs.Template()
}

func (l *Launcher) rest(t *contract.Template) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) < templatesMax {
		l.idle = append(l.idle, t)
		return
	}
	t.Close()
}

// notBorn is in a pidfd as long as there is no child. Package syscall puts -1 there when a child
// was born and did not get as far as execve(2).
const notBorn = -2

// spawn starts a process in a new contract. born: it failed when the child was there already.
func (l *Launcher) spawn(t *contract.Template, path string, argv []string, attr os.ProcAttr) (s Started, born bool, err error) {
	s.Pidfd = notBorn
	files, with := attr.Files, *attr.Sys
	with.PidFD = &s.Pidfd
	ct, p, err := t.StartFunc(func(b *contract.Birth) (*os.Process, error) {
		a := attr
		a.Sys, a.Files = b.Sys(&with), b.Files(files)
		s.Pidfd = notBorn
		program, args := b.Command(path, argv)
		if program != path && path == selfPath {
			// Behind a gate /proc/self/exe would be the gate.
			self, err := os.Executable()
			if err != nil {
				return nil, err
			}
			_, args = b.Command(self, argv)
		}
		return os.StartProcess(program, args, &a)
	})
	if err != nil {
		born = s.Pidfd == -1
		if s.Pidfd >= 0 { // born, executed, and not taken into its contract: it was ended
			unix.Close(s.Pidfd)
		}
		return Started{}, born, failure("start a method", err)
	}
	s.Contract, s.PID = ct.ID, p.Pid
	_ = p.Release()
	return s, true, nil
}

// startDirect starts the command itself, or the shell.
func (l *Launcher) startDirect(t *contract.Template, m *Method, dir *sys.FD) (Started, bool, error) {
	attr := os.ProcAttr{Env: m.Env, Files: []*os.File{l.null, m.Log, m.Log}, Sys: &syscall.SysProcAttr{Setsid: m.Session}}
	if dir.Valid() {
		attr.Dir = dir.Proc()
	}
	if c := &m.Context; c.SetGroups || c.UID != 0 || c.GID != 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups, NoSetGroups: !c.SetGroups}
	}
	alone := attr
	alone.Env = withDirectory(m.Env, dir)
	if argv := l.bare(m.Command); argv != nil && alone.Env != nil {
		if s, born, err := l.spawn(t, argv[0], argv, alone); err == nil {
			return s, born, nil
		} // why it cannot be executed is the shell's to say
	}
	return l.spawn(t, l.shell, shellArguments(l.shell, m.Command), attr)
}

// shellArguments is the command line of a method.
func shellArguments(shell, command string) []string { return []string{shell, "-c", "exec " + command} }

// orderFD is where the child finds its order.
const orderFD = 3

// startOrder starts this program again, with an order.
func (l *Launcher) startOrder(t *contract.Template, m *Method) (Started, error) {
	text := (&Order{
		Shell: l.shell, Command: m.Command, Env: m.Env, Session: m.Session, UtmpxPrefix: m.UtmpxPrefix,
		RuntimeDirectories: m.RuntimeDirectories, Context: m.Context,
	}).append(nil)
	if len(text) > orderBytesMax {
		return Started{}, &startError{what: "start a method", cause: ErrTooLarge}
	}
	file, err := memory(text)
	if err != nil {
		return Started{}, failure("write an order", err)
	}
	defer file.Close()
	attr := os.ProcAttr{
		// The program is one of many processors otherwise, for a moment.
		Env: []string{"GOMAXPROCS=1"}, Files: []*os.File{l.null, m.Log, m.Log, file}, Sys: &syscall.SysProcAttr{},
	}
	s, _, err := l.spawn(t, selfPath, []string{"svc.startd", Word, "3"}, attr)
	return s, err
}

// memory is a file in memory that has this text, and is read from its beginning.
func memory(text []byte) (*os.File, error) {
	n, err := unix.MemfdCreate("method", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(n), "method")
	if _, err = f.WriteAt(text, 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
