package contract

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// windowTriesMax is how often a birth is tried by clone3. The moment for it is 100 ms long,
// and a birth takes some 60 us, so that a second one is for a machine that stood still, or a
// supervisor that was away. Then the command waits behind a gate, which has no such moment.
const windowTriesMax = 4

// Birth is a contract that waits for its first process. It is good until the function that
// was given it returns.
type Birth struct {
	// ID is the contract's number.
	ID ID

	t     *Template
	dir   *sys.FD // the process is born in it; nil with a gate
	gate  *gate   // the process waits there until it was moved
	pidfd *int    // what package syscall says of the clone
	own   bool    // pidfd is ours to close
}

// What package syscall leaves in SysProcAttr.PidFD tells a failed clone from a failed execve:
// it is set to -1 when the process was there and could not execute.
const notCloned = -2

// Start starts a command in a new contract of the template's terms, as os.StartProcess does.
// The caller owns the contract. An error of the command's execve is that of os.StartProcess;
// EAGAIN of another operation: there are too many contracts or processes.
func (t *Template) Start(path string, argv []string, attr *os.ProcAttr) (*Contract, *os.Process, error) {
	var a os.ProcAttr
	if attr != nil {
		a = *attr
	}
	return t.StartFunc(func(b *Birth) (*os.Process, error) {
		with := a
		with.Sys, with.Files = b.Sys(a.Sys), b.Files(a.Files)
		path, argv := b.Command(path, argv)
		return os.StartProcess(path, argv, &with)
	})
}

// StartFunc has start start a process, with what b makes of its attributes, files and command.
// When the moment for the birth has gone by start is called again, with another b; so whatever
// can be used only once (an exec.Cmd) it makes anew.
func (t *Template) StartFunc(start func(b *Birth) (*os.Process, error)) (*Contract, *os.Process, error) {
	for try := 1; ; try++ {
		direct := try <= windowTriesMax
		b, err := t.expect(direct)
		if direct && errors.Is(err, ErrWindow) {
			continue // it was over before we had seen it
		}
		if err != nil {
			return nil, nil, err
		}
		p, err := start(b)
		if err == nil {
			return b.finish(p)
		}
		again := b.missed(err)
		b.cancel()
		if !again {
			return nil, nil, err
		}
	}
}

// expect makes a contract that waits. direct: the process may be born in its directory.
func (t *Template) expect(direct bool) (*Birth, error) {
	how := "activate"
	if !direct {
		how = "activate move"
	}
	how = string(AppendWithin([]byte(how), t.within))
	if err := t.activate(how); err != nil {
		if errno, is := errnoOf(err).(unix.Errno); is && t.within.refused(errno) {
			return nil, &withinError{t.within, errno}
		}
		return nil, err
	}
	text, err := t.text()
	if err != nil {
		t.clear()
		return nil, err
	}
	w, ok := parseWindow(text)
	if !ok {
		t.clear()
		return nil, &sys.Error{Op: "read", What: t.name(), Errno: ErrWindow}
	}
	b := &Birth{ID: w.id, t: t}
	if direct && !w.move {
		if b.dir, err = t.fs.cgroups.open(w.path); err == nil {
			return b, nil
		}
	}
	if b.gate, err = newGate(); err != nil {
		t.clear()
		return nil, err
	}
	return b, nil
}

// clear has the template wait no more.
func (t *Template) clear() { _ = t.command("forget the birth", "clear") }

func (b *Birth) cancel() {
	b.close()
	b.t.clear()
}

func (b *Birth) close() {
	b.dir.Close()
	b.gate.close()
	if b.own && b.pidfd != nil && *b.pidfd >= 0 {
		unix.Close(*b.pidfd)
		*b.pidfd = -1
	}
}

// Sys is attr, which stays as it is, with what the birth needs.
func (b *Birth) Sys(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	var a syscall.SysProcAttr
	if attr != nil {
		a = *attr
	}
	if b.dir != nil {
		a.UseCgroupFD, a.CgroupFD = true, b.dir.Int()
	}
	if a.PidFD == nil {
		a.PidFD, b.own = new(int), true
	}
	b.pidfd = a.PidFD
	*b.pidfd = notCloned
	return &a
}

// Files is the list of descriptors with that of the gate, if there is one, at its end.
func (b *Birth) Files(files []*os.File) []*os.File {
	if b.gate == nil {
		return files
	}
	return b.gate.files(files)
}

// Command is the command as it has to be started: behind the gate, if there is one. It comes
// after Files.
func (b *Birth) Command(path string, argv []string) (string, []string) {
	if b.gate == nil {
		return path, argv
	}
	return b.gate.command(path, argv)
}

// missed says whether a start failed because the process could not be born where it should,
// so that another try makes sense.
func (b *Birth) missed(err error) bool {
	if b.dir == nil || b.pidfd == nil || *b.pidfd != notCloned {
		return false
	}
	for _, e := range []error{
		unix.EACCES, unix.ENODEV, // the moment is over, and the directory perhaps gone
		unix.EPERM, unix.ENOENT, unix.EBUSY, unix.EOPNOTSUPP, unix.ENOSYS, // it never was for us
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// finish names the first process to the system, and lets it go from its gate.
func (b *Birth) finish(p *os.Process) (*Contract, *os.Process, error) {
	defer b.close()
	b.gate.started()
	ct := b.t.fs.Contract(b.ID)
	if err := b.t.command("take the first process", "born "+strconv.Itoa(p.Pid)); err != nil {
		_ = p.Kill()
		_, _ = p.Wait()
		b.t.clear()
		return nil, nil, &notBorn{err}
	}
	if b.gate == nil {
		return ct, p, nil
	}
	if err := b.gate.open(); err != nil {
		_, _ = p.Wait()
		_ = ct.Abandon()
		return nil, nil, err
	}
	return ct, p, nil
}

// notBorn is ErrNotBorn with its reason.
type notBorn struct{ why error }

func (e *notBorn) Error() string   { return ErrNotBorn.Error() + ": " + e.why.Error() }
func (e *notBorn) Unwrap() []error { return []error{ErrNotBorn, e.why} }
