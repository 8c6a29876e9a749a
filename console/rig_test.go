package console

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	zlogin "github.com/linuxzones/zones/console/client"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// The processes of a zone's console, each played by this test binary:
//
//	writer --pty--> keeper --ring--> supervisor --socket--> client --pipe--> the test
//
// The keeper starts the supervisor again whenever it dies.

// Descriptors that the players inherit.
const (
	fdListener = 3 + iota
	fdControl  // keeper: to the test. supervisor: to the keeper, for notices
	fdRing
	fdData
	fdRoom
	fdMaster
)

// word is the eight bytes at position 8*i of a writer's output.
func word(i uint64) uint64 { return (i + 1) * 0x9e3779b97f4a7c15 }

// fillPattern writes what a writer writes from position pos on.
func fillPattern(p []byte, pos uint64) {
	for len(p) > 0 {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], word(pos/8))
		n := copy(p, w[pos%8:])
		p, pos = p[n:], pos+uint64(n)
	}
}

func player(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), role+"="+name)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// writerMain writes the pattern to the terminal of argument 1: as many bytes as argument 2
// says, or until it is killed. It prints its longest single write.
func writerMain() int {
	tty, err := os.OpenFile(os.Args[1], os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		return 1
	}
	limit, _ := strconv.ParseUint(os.Args[2], 10, 64)
	buf := make([]byte, 4<<10)
	var longest time.Duration
	for pos := uint64(0); pos < limit; {
		p := buf[:min(uint64(len(buf)), limit-pos)]
		fillPattern(p, pos)
		start := time.Now()
		n, err := unix.Write(int(tty.Fd()), p)
		longest = max(longest, time.Since(start))
		if err != nil && err != unix.EINTR {
			fmt.Fprintln(os.Stderr, "writer:", err)
			return 1
		}
		pos += uint64(max(n, 0))
	}
	fmt.Println(longest.Nanoseconds())
	return 0
}

// clientMain runs the client on its standard descriptors. Arguments: directory and name of
// the socket, and options.
func clientMain() int {
	o := zlogin.Options{Zone: "web", Quiet: true, Dial: func() (*sys.FD, error) {
		dir, err := sys.OpenDir(os.Args[1])
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		return sys.DialUnix(dir, os.Args[2])
	}}
	for _, arg := range os.Args[3:] {
		switch arg {
		case "banners":
			o.Quiet = false
		case "history":
			o.History = true
		case "drop":
			o.DropWithZone = true
		case "noescape":
			o.NoEscape = true
		}
	}
	return zlogin.Run(context.Background(), o)
}

// keeperMain is the keeper: it reads the terminal into the ring in one loop.
func keeperMain() int {
	k, err := newKeeper()
	if err == nil {
		err = k.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		return 1
	}
	return 0
}

type keeper struct {
	ring         *ring.Writer
	data, room   *sys.FD
	master       *sys.FD
	slave        *os.File
	mine, theirs *sys.FD // notices
	died         *sys.FD
}

func newKeeper() (*keeper, error) {
	k := &keeper{}
	var err error
	if k.ring, err = ring.Create(); err != nil {
		return nil, err
	}
	if os.Getenv(patient) != "" {
		k.ring.SetStallLimit(int64(forever))
	}
	for _, fd := range []**sys.FD{&k.data, &k.room, &k.died} {
		if *fd, err = ring.NewEvent(); err != nil {
			return nil, err
		}
	}
	if k.mine, k.theirs, err = sys.Pair(unix.SOCK_SEQPACKET); err != nil {
		return nil, err
	}
	var master *os.File
	if master, k.slave, err = pty.Open(); err != nil {
		return nil, err
	}
	if k.master, err = sys.Own(int(master.Fd())).Dup(); err != nil {
		return nil, err
	}
	if _, err = term.MakeRaw(int(k.slave.Fd())); err != nil {
		return nil, err
	}
	if err = unix.SetNonblock(k.master.Int(), true); err != nil {
		return nil, err
	}
	return k, sys.Send(fdControl, []byte(k.slave.Name()), k.ring.FD(), k.master.Int())
}

// start starts a supervisor and tells the test its number.
func (k *keeper) start() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), role+"=supervisor")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, fd := range []int{fdListener, k.theirs.Int(), k.ring.FD(), k.data.Int(), k.room.Int(), k.master.Int()} {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 20)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(dup), "inherited")
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait(); ring.Kick(k.died.Int()) }()
	return sys.Send(fdControl, []byte(strconv.Itoa(cmd.Process.Pid)))
}

func (k *keeper) run() error {
	if err := k.start(); err != nil {
		return err
	}
	buf := make([]byte, ring.AppendMax)
	for {
		now := sys.Monotonic()
		room, until := k.ring.Space(now)
		fds := []unix.PollFd{
			{Fd: int32(k.room.Int()), Events: unix.POLLIN},
			{Fd: int32(k.died.Int()), Events: unix.POLLIN},
			{Fd: int32(k.mine.Int()), Events: unix.POLLIN},
			{Fd: fdControl, Events: unix.POLLIN},
			{Fd: int32(k.master.Int()), Events: unix.POLLIN},
		}
		timeout := -1
		if room == 0 {
			fds, timeout = fds[:4], int((until-now)/1e6)+1
		}
		if _, err := unix.Poll(fds, timeout); err != nil && err != unix.EINTR {
			return err
		}
		if fds[0].Revents != 0 {
			ring.Clear(k.room.Int())
		}
		if fds[1].Revents != 0 {
			ring.Clear(k.died.Int())
			if err := k.start(); err != nil {
				return err
			}
		}
		if fds[2].Revents != 0 {
			n, _ := unix.Read(k.mine.Int(), buf)
			if kick, err := k.ring.Append(buf[:max(n, 0)]); err == nil && kick {
				ring.Kick(k.data.Int())
			}
			_, _ = unix.Write(k.mine.Int(), []byte{1})
		}
		if fds[3].Revents != 0 {
			return nil // the test is over
		}
		if room > 0 && fds[4].Revents != 0 {
			k.copy()
		}
	}
}

// copy reads the terminal until it is empty or the ring full, but not without end.
func (k *keeper) copy() {
	kick := false
	for range 16 {
		if room, _ := k.ring.Space(sys.Monotonic()); room == 0 {
			break
		}
		p := k.ring.Slice()
		if len(p) == 0 {
			break
		}
		n, err := unix.Read(k.master.Int(), p)
		kick = k.ring.Advance(n) || kick
		if err != nil {
			break
		}
	}
	if kick {
		ring.Kick(k.data.Int())
	}
}

// supervisorMain serves the console until it is killed.
func supervisorMain() int {
	if os.Getenv(patient) != "" {
		patience, reconnectGrace = forever, forever
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	if os.Getenv("CONSOLE_TEST_LOG") != "" {
		log.SetOutput(os.Stderr)
	}
	r, err := ring.OpenReader(fdRing)
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
		return 1
	}
	s, err := New(Config{
		Zone: "web", Listener: sys.Own(fdListener), Ring: r, DataEvent: sys.Own(fdData), RoomEvent: sys.Own(fdRoom),
		Append: func(p []byte) error {
			if _, err := unix.Write(fdControl, p); err != nil {
				return err
			}
			var b [1]byte
			_, err := unix.Read(fdControl, b[:])
			return err
		},
		Authorize: func(int) error { return nil },
		Log:       logrus.NewEntry(log),
	})
	if err == nil {
		err = s.SetInput(sys.Own(fdMaster))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
		return 1
	}
	select {}
}

// console is a keeper and its supervisor, from the test's side.
type testConsole struct {
	t       testing.TB
	dir     string
	control *sys.FD
	slave   string
	stats   *ring.Reader
	master  *sys.FD
	mu      sync.Mutex
	pid     int // of the supervisor
	pids    int // how many there were
}

// startConsole starts a keeper that starts a supervisor.
func startConsole(t testing.TB) *testConsole {
	t.Helper()
	c := &testConsole{t: t, dir: t.TempDir()}
	dir, err := sys.OpenDir(c.dir)
	must(t, err)
	defer dir.Close()
	listener, err := sys.ListenUnix(dir, "console", 0o600, 64)
	must(t, err)
	mine, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	must(t, err)
	c.control = mine
	cmd := player(t, "keeper")
	lf, tf := os.NewFile(uintptr(listener.Disown()), "listener"), os.NewFile(uintptr(theirs.Disown()), "control")
	cmd.ExtraFiles = []*os.File{lf, tf}
	must(t, cmd.Start())
	lf.Close()
	tf.Close()

	buf := make([]byte, 256)
	n, fds, err := sys.Recv(mine.Int(), buf)
	must(t, err)
	if len(fds) != 2 {
		t.Fatalf("the keeper sent %d descriptors: %q", len(fds), buf[:n])
	}
	c.slave = string(buf[:n])
	c.stats, err = ring.OpenReader(fds[0].Int())
	must(t, err)
	fds[0].Close()
	c.master = fds[1]
	c.next(buf)
	var reading sync.WaitGroup
	reading.Go(func() {
		for c.next(make([]byte, 64)) {
		}
	})
	t.Cleanup(func() {
		_ = unix.Shutdown(mine.Int(), unix.SHUT_RDWR)
		must(t, cmd.Wait())
		reading.Wait()
		c.kill() // the keeper's last child
		mine.Close()
		c.stats.Close()
		c.master.Close()
	})
	return c
}

// next takes the number of the next supervisor from the keeper.
func (c *testConsole) next(buf []byte) bool {
	n, err := unix.Read(c.control.Int(), buf)
	if err == unix.EINTR {
		return true
	}
	pid, perr := strconv.Atoi(strings.TrimSpace(string(buf[:max(n, 0)])))
	if err != nil || perr != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid, c.pids = pid, c.pids+1
	return true
}

// kill kills the supervisor there is, and says how many there were.
func (c *testConsole) kill() (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = unix.Kill(c.pid, unix.SIGKILL)
	return c.pids
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
