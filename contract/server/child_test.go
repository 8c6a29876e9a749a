package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/internal/sys"
)

// A server in a process of its own, which can be killed. It speaks with the test over a socket
// of packets: the test is its keeper.
//
//	put NAME, drop NAME   to the keeper; put with a descriptor
//	up DIR                it serves; for a fresh one, the directory of init's contract and the
//	                      mount as a descriptor
//	said TEXT             its log
//	at NAME               the crash point at which it is about to die

// order is what a server's process is told.
type order struct {
	Config  Config
	Slots   []string // names of the descriptors that come behind the socket
	BPF     string   // the collector's directory; its ring is the last descriptor
	BPFZone uint64
	// CrashAt is at which crash point it kills itself, counted from 1; 0: at none. With CrashIn
	// only those of that name count.
	CrashAt int
	CrashIn string
	// Deaf: it is told of nothing that happens until then.
	Deaf bool
}

const socketFD = 3

type childKeeper struct{}

func (childKeeper) Put(name string, fd int) error {
	return sys.Send(socketFD, []byte("put "+name), fd)
}
func (childKeeper) Drop(name string) error { return sys.Send(socketFD, []byte("drop "+name)) }

type childLog struct{}

func (childLog) say(format string, args ...any) {
	_ = sys.Send(socketFD, []byte("said "+fmt.Sprintf(format, args...)))
}
func (l childLog) Infof(f string, args ...any)  { l.say(f, args...) }
func (l childLog) Warnf(f string, args ...any)  { l.say(f, args...) }
func (l childLog) Errorf(f string, args ...any) { l.say(f, args...) }

// serverMain is the server's process.
func serverMain(args []string) error {
	var o order
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	cfg := o.Config
	cfg.Keeper, cfg.Log, cfg.Held = childKeeper{}, childLog{}, map[string]*sys.FD{}
	next := socketFD + 1
	for _, name := range o.Slots {
		unix.CloseOnExec(next)
		cfg.Held[name] = sys.Own(next)
		next++
	}
	if o.BPF != "" {
		c, err := collector.Open(o.BPF)
		if err != nil {
			return err
		}
		if cfg.Collector, err = kernel.NewCollector(c, sys.Own(next), o.BPFZone, nil); err != nil {
			return err
		}
	}
	crashAt(o.CrashIn, o.CrashAt)
	s, err := Open(cfg)
	if err != nil {
		return err
	}
	if o.Deaf {
		s.listen(false)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	if err := up(s); err != nil {
		return err
	}
	if err := <-served; err != nil {
		return err
	}
	return s.Close()
}

// up says that the server serves; a fresh one has made init's contract.
func up(s *Server) error {
	if s.Resumed() {
		return sys.Send(socketFD, []byte("up "))
	}
	d, err := s.New(NewContract{Terms: contract.DefaultTerms(), Creator: "zsched"})
	if err != nil {
		return err
	}
	if err := s.Delegate(d.CT, zoneUID, zoneUID); err != nil {
		return err
	}
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	m := s.Mount()
	defer m.Close()
	return sys.Send(socketFD, append([]byte("up "), b...), m.Int())
}

// crashAt has this process killed at the nth crash point that it passes, of a name if there is
// one.
func crashAt(in string, n int) {
	if n == 0 {
		return
	}
	passed := 0
	crash = func(name string) {
		if in != "" && in != name {
			return
		}
		if passed++; passed < n {
			return
		}
		_ = sys.Send(socketFD, []byte("at "+name))
		_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
		select {}
	}
}

// child is a server's process, as the test sees it.
type child struct {
	r      *rig
	cmd    *exec.Cmd
	socket *sys.FD
	up     chan struct{} // closed when it serves
	ended  chan struct{} // closed when it has ended and all it said was taken

	mu sync.Mutex
	// at is the crash point at which it died.
	at string
}

// spawn starts a server in a process of its own, and waits until it serves or has died.
func (r *rig) spawn(crashAt int) *child { return r.spawnFor("", crashAt) }

// spawnFor is spawn of one that is to die at the nth crash point of a name.
func (r *rig) spawnFor(crashIn string, nth int) *child {
	return r.spawnWith(order{CrashIn: crashIn, CrashAt: nth})
}

// spawnWith is spawn of one that is told this besides what each is.
func (r *rig) spawnWith(o order) *child {
	t := r.t
	t.Helper()
	o.Config = r.cfg
	o.Config.Keeper, o.Config.Log = nil, nil
	ours, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	check(t, err)
	c := &child{r: r, socket: ours, up: make(chan struct{}), ended: make(chan struct{})}
	files := []*os.File{os.NewFile(uintptr(theirs.Disown()), "socket")}
	for name, fd := range r.keeper.held() {
		o.Slots = append(o.Slots, name)
		files = append(files, os.NewFile(uintptr(dupFD(t, fd.Int())), name))
	}
	if r.bpf != nil {
		o.BPF, o.BPFZone = r.bpf.dir, r.bpf.zone
		files = append(files, os.NewFile(uintptr(dupFD(t, r.bpf.ring.Int())), "ring"))
	}
	b, err := json.Marshal(o)
	check(t, err)
	c.cmd = exec.Command(r.self, string(b))
	c.cmd.Env = append(os.Environ(), roleVariable+"=server")
	c.cmd.Stderr, c.cmd.ExtraFiles = os.Stderr, files
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	check(t, c.cmd.Start())
	for _, f := range files {
		f.Close()
	}
	go c.listen()
	r.child = c
	select {
	case <-c.up:
	case <-c.ended:
	}
	return c
}

// listen is the keeper's side.
func (c *child) listen() {
	defer close(c.ended)
	defer func() { _ = c.cmd.Wait() }()
	defer c.socket.Close()
	buf := make([]byte, 64<<10)
	for {
		n, fds, err := sys.Recv(c.socket.Int(), buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		word, rest, _ := strings.Cut(string(buf[:n]), " ")
		switch word {
		case "put":
			_ = c.r.keeper.Put(rest, fds[0].Int())
		case "drop":
			_ = c.r.keeper.Drop(rest)
		case "said":
			c.r.log.say("server", "%s", rest)
		case "at":
			c.mu.Lock()
			c.at = rest
			c.mu.Unlock()
		case "up":
			if rest != "" {
				_ = json.Unmarshal([]byte(rest), &c.r.initDir)
				c.r.mount = fds[0]
				fds = nil
			}
			close(c.up)
		}
		sys.CloseAll(fds)
	}
}

// kill kills the server's process, and waits for its end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// died says at which crash point the server has died, if it did.
func (c *child) died() string {
	<-c.ended
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// startChild is a zone whose server is a process of its own.
func startChild(t testing.TB, with ...setup) (*rig, *child) {
	t.Helper()
	r := newRig(t, with...)
	c := r.spawn(0)
	select {
	case <-c.up:
	case <-c.ended:
		t.Fatal("the server has died")
	}
	r.enter(r.initDir, r.mount)
	r.mount.Close()
	return r, c
}
