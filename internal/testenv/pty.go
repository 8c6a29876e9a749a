package testenv

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// ptyBytesMax bounds what a Pty remembers; a test that needs more reads by other means.
const ptyBytesMax = 16 << 20

// lastWordsTime is how long Wait waits for the output of a program that has ended.
const lastWordsTime = 10 * time.Second

// Pty is a program that runs on a terminal, as a person's shell would run it: session
// leader, the terminal its controlling one. What it prints is remembered.
type Pty struct {
	t      testing.TB
	cmd    *exec.Cmd
	master *os.File
	done   chan struct{} // closed when the terminal's last byte was read

	mu     sync.Mutex // guards what follows
	text   []byte
	ended  bool
	seen   int // how far Expect got
	waited bool
}

// StartPty starts cmd on a terminal of 24 rows and 80 columns. When the test ends it is
// killed, if it runs still, and waited for.
func StartPty(t testing.TB, cmd *exec.Cmd) *Pty {
	t.Helper()
	opened, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatalf("start %s on a terminal: %v", cmd.Path, err)
	}
	master, err := pollable(opened)
	must(t, err)
	p := &Pty{t: t, cmd: cmd, master: master, done: make(chan struct{})}
	go p.read()
	t.Cleanup(p.close)
	return p
}

// pollable is the terminal's master side in a form that knows deadlines. What the pty
// package opens is in blocking mode for good, and a read of it ends only when the last
// process that holds the terminal does.
func pollable(opened *os.File) (*os.File, error) {
	defer opened.Close()
	n, err := unix.FcntlInt(opened.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(n, true); err != nil {
		unix.Close(n)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(n), opened.Name()), nil
}

// read remembers what the program prints, until the terminal's other side is closed (EIO).
func (p *Pty) read() {
	defer close(p.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		if len(p.text) < ptyBytesMax {
			p.text = append(p.text, buf[:n]...)
		}
		p.ended = err != nil
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *Pty) close() {
	p.mu.Lock()
	waited := p.waited
	p.mu.Unlock()
	if !waited {
		// The whole session: what the program started would keep the terminal, and outlive
		// the test. The program is not reaped yet, so that its number is still its own.
		_ = unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
		_, _ = p.cmd.Process.Wait()
	}
	p.Hangup()
}

// Send types s.
func (p *Pty) Send(s string) {
	p.t.Helper()
	if err := p.master.SetWriteDeadline(time.Now().Add(Deadline(commandDeadline))); err != nil {
		p.t.Fatalf("type %q: %v", s, err)
	}
	if _, err := p.master.WriteString(s); err != nil {
		p.t.Fatalf("type %q: %v\n%s", s, err, p.tail())
	}
}

// Expect waits up to a minute (times ZONES_TEST_SLOW) for a match in what was printed
// after the last match, and gives the match and its groups.
func (p *Pty) Expect(pattern string) []string {
	p.t.Helper()
	return p.ExpectWithin(eventuallyDeadline, pattern)
}

// ExpectWithin is Expect with a deadline of its own, multiplied likewise.
func (p *Pty) ExpectWithin(within time.Duration, pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var match []string
	over := false
	poll(Deadline(within), func() bool {
		match, over = p.match(re)
		return match != nil || over
	})
	switch {
	case match != nil:
	case over:
		p.t.Fatalf("the terminal was closed without %q; it said:\n%s", pattern, p.tail())
	default:
		p.t.Fatalf("no %q within %v; the terminal said:\n%s", pattern, Deadline(within), p.tail())
	}
	return match
}

// match looks for re after what was seen; over says that nothing more can come.
func (p *Pty) match(re *regexp.Regexp) (match []string, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := re.FindSubmatchIndex(p.text[p.seen:])
	if at == nil {
		return nil, p.ended
	}
	rest := p.text[p.seen:]
	for i := 0; i < len(at); i += 2 {
		group := ""
		if at[i] >= 0 {
			group = string(rest[at[i]:at[i+1]])
		}
		match = append(match, group)
	}
	p.seen += at[1]
	return match, false
}

// Output is everything that was printed so far.
func (p *Pty) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.text)
}

// tail is the end of the output, made fit to show.
func (p *Pty) tail() string {
	const shown = 4096
	text := p.Output()
	if len(text) > shown {
		text = "..." + text[len(text)-shown:]
	}
	return strings.ReplaceAll(text, "\x1b", "^[")
}

// Resize changes the window's size, as dragging its corner does.
func (p *Pty) Resize(rows, cols uint16) {
	p.t.Helper()
	p.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
}

// Modes are the terminal's settings now: what a program must restore when it ends.
func (p *Pty) Modes() unix.Termios {
	p.t.Helper()
	var modes unix.Termios
	p.control(func(fd int) error {
		m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			modes = *m
		}
		return err
	})
	return modes
}

// control does an ioctl on the master side and leaves its mode as it is.
func (p *Pty) control(do func(fd int) error) {
	p.t.Helper()
	raw, err := p.master.SyscallConn()
	must(p.t, err)
	var ioctlErr error
	must(p.t, raw.Control(func(fd uintptr) { ioctlErr = do(int(fd)) }))
	must(p.t, ioctlErr)
}

// Signal sends the program a signal.
func (p *Pty) Signal(sig os.Signal) {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(sig))
}

// Hangup closes the terminal's master side, as a lost connection does. Closing does not
// wake a read that a process which kept the terminal holds up; the deadline does.
func (p *Pty) Hangup() {
	_ = p.master.SetReadDeadline(time.Now())
	<-p.done
	p.master.Close()
}

// PID is the program's process id.
func (p *Pty) PID() int { return p.cmd.Process.Pid }

// Wait waits up to two minutes (times ZONES_TEST_SLOW) for the program's end and gives its
// exit status, 128 and the signal's number when one killed it.
func (p *Pty) Wait() int {
	p.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	timer := time.NewTimer(Deadline(commandDeadline))
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-ended
		p.t.Errorf("%s did not end; the terminal said:\n%s", p.cmd.Path, p.tail())
	}
	p.mu.Lock()
	p.waited = true
	p.mu.Unlock()
	// The last words may still be on their way; a process that keeps the terminal open is
	// not waited for.
	select {
	case <-p.done:
	case <-time.After(Deadline(lastWordsTime)):
	}
	return exitStatus(p.cmd.ProcessState)
}
