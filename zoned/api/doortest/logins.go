package doortest

import (
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/zoned/api"
)

// Logins is a supervisor that runs logins on this host, in place of a zone. Its Serve is a
// script for any number of connections.
type Logins struct {
	// Lose closes the connection that started a login right after it was started, as a
	// supervisor that is killed does; its end is then told to whoever waits.
	Lose bool
	// LoseEarly closes the first connections without a word, so many of them.
	LoseEarly int

	mu    sync.Mutex // guards what follows and LoseEarly
	procs map[string]*process
}

type process struct {
	cmd    *exec.Cmd
	ended  chan struct{}
	status syscall.WaitStatus
}

// Serve answers login, wait and signal as the supervisor does.
func (l *Logins) Serve(c *Conn) {
	q := c.Request()
	l.mu.Lock()
	early := l.LoseEarly > 0
	if early {
		l.LoseEarly--
	}
	l.mu.Unlock()
	if early {
		return
	}
	switch q.Verb {
	case api.VerbLogin:
		l.login(c, q)
	case api.VerbWait:
		if p := l.proc(q.Target); p != nil {
			<-p.ended
			c.Exited(int(p.status))
			return
		}
		c.Message(api.LevelError, "no login of this id is known")
		c.Result(-1)
	case api.VerbSignal:
		if p := l.proc(q.Target); p != nil {
			_ = p.cmd.Process.Signal(syscall.Signal(q.Signal))
		}
		c.Result(0)
	default:
		c.Result(-1)
	}
}

func (l *Logins) proc(id string) *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.procs[id]
}

func (l *Logins) login(c *Conn, q api.Request) {
	p, err := l.start(c, q)
	if err != nil {
		c.Message(api.LevelError, err.Error())
		c.Result(-1)
		return
	}
	c.Send(api.Reply{Type: api.ReplyStarted, Pid: p.cmd.Process.Pid})
	if l.Lose {
		return
	}
	<-p.ended
	c.Exited(int(p.status))
}

func (l *Logins) start(c *Conn, q api.Request) (*process, error) {
	args := []string{"sh", "-i"}
	if len(q.Login.Args) > 0 {
		args = append([]string{"sh", "-c"}, join(q.Login.Args))
	}
	cmd := exec.Command("/bin/sh", args[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "PS1=zone$ ", "TERM=" + q.Login.Term, "USER=" + q.Login.User}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var files []*os.File
	if q.Login.TTY {
		master, slave, err := pty.Open()
		if err != nil {
			return nil, err
		}
		defer master.Close()
		files = []*os.File{slave, slave, slave}
		cmd.SysProcAttr.Setctty = true
		_ = pty.Setsize(master, &pty.Winsize{Rows: q.Login.Rows, Cols: q.Login.Cols})
		c.Send(api.Reply{Type: api.ReplyTTY}, int(master.Fd()))
	} else {
		for _, fd := range c.Files {
			n, err := unix.FcntlInt(uintptr(fd.Int()), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				return nil, err
			}
			files = append(files, os.NewFile(uintptr(n), "login"))
			_ = fd.Close()
		}
	}
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	l.mu.Lock()
	if l.procs == nil {
		l.procs = map[string]*process{}
	}
	l.procs[q.ID] = p
	l.mu.Unlock()
	c.s.done.Go(func() {
		_ = cmd.Wait()
		p.status = cmd.ProcessState.Sys().(syscall.WaitStatus)
		close(p.ended)
	})
	return p, nil
}

func join(words []string) string {
	s := ""
	for i, w := range words {
		if i > 0 {
			s += " "
		}
		s += w
	}
	return s
}
