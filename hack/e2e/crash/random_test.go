package crash

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// reader is a client of a console that holds each of its writer's lines against the one before.
type reader struct {
	cmd   *exec.Cmd
	errs  strings.Builder
	lines atomic.Int64
	bad   chan string // empty: the writer's last line came
}

// read starts one.
func read(t *testing.T, z *testenv.Zones, zone string) *reader {
	t.Helper()
	r := &reader{cmd: z.Cmd("zlogin", "-C", zone), bad: make(chan string, 1)}
	out, err := r.cmd.StdoutPipe()
	must(t, err)
	r.cmd.Stderr = &r.errs
	must(t, r.cmd.Start())
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	})
	connected := make(chan struct{})
	go func() {
		in := bufio.NewReaderSize(out, 1<<16)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				r.bad <- "the end came early: " + err.Error()
				return
			}
			if strings.HasPrefix(line, "[Connected") {
				close(connected)
				break
			}
		}
		r.bad <- r.follow(in)
	}()
	select {
	case <-connected:
	case <-time.After(testenv.Deadline(20 * time.Second)):
		t.Fatalf("zlogin -C %s does not connect", zone)
	}
	return r
}

// follow reads numbers, each of ten bytes, between whatever else is said at a console.
func (r *reader) follow(in *bufio.Reader) string {
	for n := int64(0); ; {
		b, err := in.ReadByte()
		if err != nil {
			return fmt.Sprintf("after line %d: %v", n, err)
		}
		if b == lastMark[0] {
			return ""
		}
		if b != lineMark[0] {
			continue
		}
		var digits [11]byte
		if _, err := io.ReadFull(in, digits[:]); err != nil {
			return fmt.Sprintf("in line %d: %v", n, err)
		}
		if want := fmt.Sprintf("%09d\r\n", n); string(digits[:]) != want {
			return fmt.Sprintf("line %d is %q, want %q", n, digits, want)
		}
		n++
		r.lines.Store(n)
	}
}

// load is what goes on in and around the zones while programs are killed.
type load struct {
	z       *testenv.Zones
	stop    chan struct{}
	group   sync.WaitGroup
	mu      sync.Mutex
	victims map[string]*os.Process // clients that may be killed, by zone; guarded by mu
	right   atomic.Int64           // logins whose status came as it was
	undone  atomic.Int64           // that were undone, and said so
	killed  atomic.Int64
	wrong   chan string
}

// login enters a zone again and again, with a status that tells which time it was. Some clients are
// there to be killed.
func (l *load) logins(zone string) {
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		code := n%100 + 1
		if n%3 == 2 {
			l.victim(zone)
			continue
		}
		s := ask(l.z, "zlogin", zone, fmt.Sprintf("echo %d; exit %d", n, code))
		switch {
		case s.exit == code && s.out == fmt.Sprintf("%d\n", n):
			l.right.Add(1)
		case s.exit == 1 && s.out == "" && strings.Contains(s.err, "zrun ended without an answer"):
			l.undone.Add(1)
		default:
			select {
			case l.wrong <- fmt.Sprintf("zone %s, login %d: %v", zone, n, s):
			default:
			}
		}
	}
}

// victim is a client that waits to be killed.
func (l *load) victim(zone string) {
	cmd := l.z.Cmd("zlogin", zone, "sleep 0.3")
	if cmd.Start() != nil {
		return
	}
	l.mu.Lock()
	l.victims[zone] = cmd.Process
	l.mu.Unlock()
	_ = cmd.Wait()
	l.mu.Lock()
	delete(l.victims, zone)
	l.mu.Unlock()
}

// kill hits one of the zone's programs, and says which it was.
func (l *load) kill(t *testing.T, zone string, which int) string {
	switch which {
	case 0:
		l.mu.Lock()
		defer l.mu.Unlock()
		if p := l.victims[zone]; p != nil && p.Kill() == nil {
			return "client"
		}
	case 1:
		for range 200 {
			if pid := helperOf(l.z); pid != 0 && send(pid, "zrun", unix.SIGKILL) {
				return "zrun"
			}
			time.Sleep(time.Millisecond)
		}
	case 2:
		if send(member(t, l.z, zone, "svc.startd"), "svc.startd", unix.SIGKILL) {
			return "svc.startd"
		}
	}
	if send(supervisor(l.z, zone, "zoned"), "zoned", unix.SIGKILL) {
		return "zoned"
	}
	return ""
}

// helperOf finds a zrun of the instance that serves a request; 0 for none.
func helperOf(z *testenv.Zones) int {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !runs(pid, "zrun") {
			continue
		}
		words, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		groups, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cgroup"))
		if strings.HasSuffix(string(words), "serve\x00") && strings.Contains(string(groups), z.Tag()+"/") {
			return pid
		}
	}
	return 0
}

// TestRandom kills supervisors, helpers, restarters and clients at random, while the zones write to
// their consoles and are logged in to.
func TestRandom(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	zones, kills := make([]string, amount(20, 2)), amount(1000, 16)
	l := &load{z: z, stop: make(chan struct{}), victims: map[string]*os.Process{}, wrong: make(chan string, 16)}
	for i := range zones {
		zones[i] = fmt.Sprintf("z%d", i)
		z.Sparse(zones[i])
	}
	before := measure(t, z)
	inits, witnesses, keepers, readers := map[string]testenv.Process{}, map[string]record{}, map[string]footprint{}, map[string]*reader{}
	for _, zone := range zones {
		silent(t, z, zone, "boot")
	}
	for _, zone := range zones {
		z.ServicesUp(zone)
		watched(t, z, zone)
		readers[zone] = read(t, z, zone)
		inits[zone], witnesses[zone], keepers[zone] = z.Status(zone).Init, testimony(z, zone), held(supervisor(z, zone, "zsched"))
		act(t, z, zone, "count", "/var/tmp/stop /var/tmp/record")
		l.group.Go(func() { l.logins(zone) })
	}
	random := rand.New(rand.NewPCG(*seed, 1))
	hit := map[string]int{}
	for done := 0; done < kills; {
		if who := l.kill(t, zones[random.IntN(len(zones))], random.IntN(4)); who != "" {
			hit[who]++
			done++
		}
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
	}
	close(l.stop)
	l.group.Wait()
	close(l.wrong)
	for w := range l.wrong {
		t.Errorf("a login's status is lost: %s", w)
	}
	lines, stall := int64(0), time.Duration(0)
	for _, zone := range zones {
		lines += readers[zone].end(t, z, zone)
		stall = max(stall, unhurt(t, z, zone, witnesses[zone], inits[zone]).stall)
		z.ServicesUp(zone)
		keeps(t, z, zone, keepers[zone], "all kills")
		truth(t, z, zone)
	}
	for _, zone := range zones {
		lead(t, z, zone, "installed")
	}
	testenv.Eventually(t, func() bool { return len(z.Leftovers()) == 0 }, "nothing to be left")
	after := measure(t, z)
	for what := range after { // of run-time state what a boot makes first
		if before[what] == 0 && strings.HasPrefix(what, "file /run/") {
			delete(after, what)
		}
	}
	if d := before.differences(after); len(d) > 0 {
		t.Errorf("the host is not as before:\n%s", strings.Join(d, "\n"))
	}
	figure(t, "random kills", fmt.Sprintf("%d of zoned, %d of zrun, %d of svc.startd, %d of clients, in %d zones", hit["zoned"], hit["zrun"], hit["svc.startd"], hit["client"], len(zones)))
	figure(t, "console", fmt.Sprintf("%d lines of 12 bytes compared", lines))
	figure(t, "logins", fmt.Sprintf("%d statuses right, %d undone and told", l.right.Load(), l.undone.Load()))
	figure(t, "longest stall of a process in a zone", stall.Round(time.Millisecond).String())
}

// end has the writer end, and holds what was read against what it says.
func (r *reader) end(t *testing.T, z *testenv.Zones, zone string) int64 {
	t.Helper()
	must(t, os.WriteFile(inside(z, zone, "/var/tmp/stop"), nil, 0o644))
	select {
	case bad := <-r.bad:
		if bad != "" {
			t.Errorf("the console of zone %s: %s", zone, bad)
		}
	case <-time.After(testenv.Deadline(60 * time.Second)):
		t.Errorf("the last line of zone %s does not come; %d did", zone, r.lines.Load())
	}
	_ = r.cmd.Process.Kill()
	err := r.cmd.Wait()
	if t.Failed() {
		t.Logf("zlogin -C %s: %v: %s", zone, err, r.errs.String())
	}
	wrote := int64(-1)
	text, _ := os.ReadFile(inside(z, zone, "/var/tmp/record"))
	_, _ = fmt.Sscan(string(text), &wrote)
	if got := r.lines.Load(); got != wrote {
		t.Errorf("zone %s wrote %d lines, %d came", zone, wrote, got)
	}
	return r.lines.Load()
}

// TestConsoleOutlivesStart: the successor of a supervisor is killed at its very start, after which the
// keeper waits for ten seconds before it starts the next. A client of the console waits longer than that, and
// misses no byte.
func TestConsoleOutlivesStart(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	lead(t, z, "a", "running")
	z.ServicesUp("a")
	watched(t, z, "a")
	init, witness := z.Status("a").Init, testimony(z, "a")
	r := read(t, z, "a")
	act(t, z, "a", "count", "/var/tmp/stop /var/tmp/record")
	tr := follow(t, supervisor(z, "a", "zsched"), aim{child: "zoned", point: "sendmsg socket #1", sig: unix.SIGKILL})
	send(supervisor(z, "a", "zoned"), "zoned", unix.SIGKILL)
	if !tr.await(20*time.Second) || tr.hit == 0 {
		t.Fatalf("the successor was not killed at its start; it passed %q", tr.points)
	}
	before := r.lines.Load()
	testenv.EventuallyWithin(t, 40*time.Second, func() bool { return r.lines.Load() > before+100 }, "the console to go on")
	stall := unhurt(t, z, "a", witness, init).stall
	figure(t, "lines compared over a start that was killed", fmt.Sprint(r.end(t, z, "a")))
	figure(t, "longest stall of a process while there is no supervisor for ten seconds", stall.Round(time.Millisecond).String())
	truth(t, z, "a")
}
