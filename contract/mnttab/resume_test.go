package mnttab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestOpenFileGoesOn: a server is replaced between two reads of a table.
func TestOpenFileGoesOn(t *testing.T) {
	r := newRig(t)
	server := r.server()
	s := r.shell()
	whole := s.do("cat /dev/fd/3")
	s.do("exec 4</dev/fd/3")
	first := s.do("dd bs=100 count=1 status=none <&4")
	kill(server)
	server = r.server()
	if rest := s.do("cat <&4"); first+rest != whole {
		t.Errorf("%q and then %q, not %q", first, rest, whole)
	}
	if end := s.do("cat <&4"); end != "" {
		t.Errorf("after the end: %q", end)
	}
	// Its opener is the shell; another process reads on.
	s.do("exec 5</dev/fd/3; dd bs=100 count=1 status=none <&5 >/dev/null")
	kill(server)
	s.do("mkdir " + s.path("x") + " && mount -t tmpfs x " + s.path("x"))
	server = r.server()
	defer func() { kill(server) }()
	if said := s.do("cat <&5 2>&1 || true"); !strings.Contains(said, "Stale file handle") {
		t.Errorf("a table that is gone: %q", said)
	}
	if said := s.do("cat <&4 2>&1"); said != "" {
		t.Errorf("the end of a table that is gone: %q", said)
	}
}

// TestTimesStay: when a mount was seen first outlives the server; a mount that takes the place
// of another has a time of its own.
func TestTimesStay(t *testing.T) {
	r := newRig(t)
	at := func(s *shell, name string) string { return at(s.table(), s.path(name))[4] }
	var s *shell
	for i, step := range []struct {
		line string
		want map[string]string
	}{
		{"mkdir $d/x $d/y && mount -t tmpfs one $d/x", map[string]string{"x": "1000"}},
		{"mount -t tmpfs one $d/y", map[string]string{"x": "1000", "y": "2000"}},
		{"mount --move $d/x $d/z 2>/dev/null; true", map[string]string{"x": "1000", "y": "2000"}},
		{"umount $d/x", map[string]string{"y": "2000"}},
		{"mount -t tmpfs one $d/x", map[string]string{"x": "5000", "y": "2000"}},
		{"true", map[string]string{"x": "5000", "y": "2000"}},
	} {
		r.clock.at = time.Unix(int64(i+1)*1000, 0)
		_, stop := r.serve()
		if s == nil {
			s = r.shell()
			s.do("d=" + s.dir)
		}
		s.do(step.line)
		s.do("cat /dev/fd/3 >/dev/null")
		for name, want := range step.want {
			if got := at(s, name); got != want {
				t.Errorf("step %d: %s is of %s, want %s", i, name, got, want)
			}
		}
		stop()
	}
}

// changer mounts and unmounts pairs, so that a table never has the second without the first.
const changer = `while :; do
	mount -t tmpfs a $d/pair1; mount -t tmpfs b $d/pair2
	umount $d/pair2; umount $d/pair1
done`

// checkPairs wants a table that is whole: five fields a line, the oldest first, the newest not
// without the one before.
func checkPairs(t testing.TB, s *shell, text string) {
	t.Helper()
	lines := fields(t, text)
	if len(lines) < 2 || lines[0][1] != "/" {
		t.Fatalf("%d lines, the first is %q", len(lines), lines[0])
	}
	first, second := at(lines, s.path("pair1")), at(lines, s.path("pair2"))
	if second != nil && first == nil {
		t.Error("a mount without the one before it")
	}
}

// TestServerKilledAnywhere kills the server hundreds of times under readers of a table that
// changes all the time. Each table that is read to its end is a whole one.
func TestServerKilledAnywhere(t *testing.T) {
	r := newRig(t)
	s := r.shell()
	s.do("d=" + s.dir + "; mkdir $d/pair1 $d/pair2")
	s.do("for i in 1 2 3 4 5 6 7 8; do mkdir $d/m$i; mount -t tmpfs -o size=64k filler$i $d/m$i; done")
	s.start(changer, "changer")
	stop := make(chan struct{})
	done := make(chan int)
	// Where many run at once a server of some milliseconds comes to nothing: servers live longer for
	// each table that was not read to its end.
	var lives atomic.Int64
	go func() {
		random := rand.New(rand.NewPCG(11, 12))
		kills := 0
		for {
			server := r.server()
			select {
			case <-stop:
				done <- kills
				kill(server)
				return
			case <-time.After(testenv.Deadline(time.Duration(1+random.IntN(10_000_000)) + time.Duration(lives.Load()))):
			}
			kill(server)
			kills++
		}
	}()
	tables, stale := 1500, 0
	if testing.Short() {
		tables = testenv.Rounds(300, 50)
	}
	for range tables {
		text := s.do("dd bs=77 status=none </dev/fd/3 2>/dev/null || echo stale")
		if strings.HasSuffix(text, "stale\n") {
			stale++
			lives.Add(int64(time.Millisecond))
			continue
		}
		checkPairs(t, s, text)
		lives.Store(lives.Load() / 2)
	}
	close(stop)
	t.Logf("%d kills, %d tables read, %d of them stale", <-done, tables, stale)
	if stale == tables {
		t.Error("nothing was read")
	}
}

// TestServerKilledAtEachPoint kills it between making a handle or a snapshot and telling of it.
func TestServerKilledAtEachPoint(t *testing.T) {
	r := newRig(t)
	s := r.shell()
	server := r.server()
	whole := s.do("cat /dev/fd/3")
	kill(server)
	for _, point := range []string{"opened", "read"} {
		for passes := range 5 {
			server := r.server("MNTTAB_TEST_POINT="+point, fmt.Sprint("MNTTAB_TEST_PASSES=", passes+1))
			next := make(chan *exec.Cmd)
			go func() {
				_ = server.Wait()
				next <- r.server()
			}()
			for range passes + 1 {
				if got := s.do("dd bs=3000 status=none </dev/fd/3"); got != whole {
					t.Errorf("%s, %d: %q", point, passes, got)
				}
			}
			server = <-next
			if got := s.do("cat /dev/fd/3"); got != whole {
				t.Errorf("%s, %d: afterwards %q", point, passes, got)
			}
			kill(server)
		}
	}
	sv, stop := r.serve()
	defer stop()
	s.do("cat /dev/fd/3 >/dev/null")
	testenv.Eventually(t, func() bool { return open(sv) == 0 }, "all files to be closed")
}

// open counts the open files that the store knows.
func open(s *Server) (n int) {
	for i := range s.store.handles {
		if s.store.handles[i].fh.Load() != 0 {
			n++
		}
	}
	return n
}

// TestPollAcrossRestart: who waits for a change hears of it from the next server, also of one
// that happened while there was none.
func TestPollAcrossRestart(t *testing.T) {
	r := newRig(t)
	server := r.server()
	defer func() { kill(server) }()
	s := r.shell()
	s.do("mkdir " + s.path("x"))
	p := s.waiter()
	p.still()
	kill(server)
	server = r.server()
	p.still()
	kill(server)
	s.do("mount -t tmpfs x " + s.path("x"))
	server = r.server()
	if got := p.result(); !strings.HasPrefix(got, "c3") { // IN, PRI, RDNORM, RDBAND
		t.Errorf("revents %q", got)
	}
}

// waiter is a process in a shell's namespace that waits for a change of the table.
type waiter struct {
	s    *shell
	name string
}

var waiters int

// waiter starts one and waits until it waits.
func (s *shell) waiter() *waiter {
	s.t.Helper()
	exe, err := os.Executable()
	must(s.t, err)
	waiters++
	p := &waiter{s, fmt.Sprint("waiter", waiters)}
	s.start(role+"=waiter "+exe, p.name)
	p.waits("")
	return p
}

// waits waits until it waits, after it said something before.
func (p *waiter) waits(before string) {
	p.s.t.Helper()
	testenv.Eventually(p.s.t, func() bool { return p.said() == before+"waiting\n" }, "a waiter to wait")
}

func (p *waiter) said() string { return p.s.do("cat 2>/dev/null " + p.s.path(p.name) + " || true") }

func (p *waiter) still() {
	p.s.t.Helper()
	<-time.After(30 * time.Millisecond)
	if got := p.said(); !strings.HasSuffix(got, "waiting\n") {
		p.s.t.Fatalf("poll came back: %q", got)
	}
}

// result is what poll told, the first or the second time.
func (p *waiter) result() string {
	p.s.t.Helper()
	var told string
	testenv.Eventually(p.s.t, func() bool {
		said := p.said()
		_, told, _ = strings.Cut(said, "waiting\n")
		if _, second, found := strings.Cut(told, "waiting\n"); found && second != "" {
			told = second
		}
		return told != "" && strings.HasSuffix(told, "\n")
	}, "poll to come back")
	return told
}

// waiterMain opens the table and, twice, reads it, waits for a change and tells what poll told.
func waiterMain() int {
	fd, err := unix.Open("/dev/fd/3", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	b := make([]byte, 1<<20)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLPRI | unix.EPOLLRDNORM | unix.EPOLLRDBAND}}
	wait := func(ms int) error {
		for {
			_, err := unix.Poll(fds, ms)
			if err != syscall.EINTR {
				return err
			}
		}
	}
	for range 2 {
		if _, err := unix.Pread(fd, b, 0); err != nil {
			fmt.Println(err)
			return 1
		}
		if err := wait(0); err != nil || fds[0].Revents != 0 {
			fmt.Println("no change, but", fds[0].Revents, err)
			return 1
		}
		fmt.Println("waiting")
		err := wait(-1)
		fmt.Printf("%x %v\n", fds[0].Revents, err)
	}
	return 0
}
