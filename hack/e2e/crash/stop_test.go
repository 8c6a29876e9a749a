package crash

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// halted is something that is going on while a program is stopped and goes on later.
type halted struct {
	name, program string
	from, to      string
	parent        func(t *testing.T, z *testenv.Zones) int
	child         string // program that is stopped, where it is a child of that process
	argv          []string
	word          func(s said) bool
	lives         bool // nothing happens to the zone
}

func ok(s said) bool { return s.exit == 0 && s.err == "" }

func four(s said) bool { return s.exit == 4 && s.out == "x\n" && s.err == "" }

func zschedOf(_ *testing.T, z *testenv.Zones) int { return supervisor(z, "a", "zsched") }

func startdOf(t *testing.T, z *testenv.Zones) int { return member(t, z, "a", "svc.startd") }

var stops = []halted{
	{name: "halt", program: "zoned", from: "running", to: "installed", parent: zonedOf, argv: []string{"zoneadm", "-z", "a", "halt"}, word: ok},
	{name: "reboot", program: "zoned", from: "running", to: "running", parent: zonedOf, argv: []string{"zoneadm", "-z", "a", "reboot"}, word: ok},
	{name: "boot of a ready zone", program: "zoned", from: "ready", to: "running", parent: zonedOf, argv: []string{"zoneadm", "-z", "a", "boot"}, word: ok},
	{name: "login", program: "zoned", from: "running", to: "running", parent: zonedOf, argv: []string{"zlogin", "a", "echo x; exit 4"}, word: four, lives: true},
	{name: "create", program: "zrun", from: "running", to: "ready", parent: zonedOf, child: "zrun", argv: []string{"zoneadm", "-z", "a", "ready"}, word: ok},
	{name: "exec", program: "zrun", from: "running", to: "running", parent: zonedOf, child: "zrun", argv: []string{"zlogin", "a", "echo x; exit 4"}, word: four, lives: true},
	{name: "login", program: "zsched", from: "running", to: "running", parent: zschedOf, argv: []string{"zlogin", "a", "echo x; exit 4"}, word: four, lives: true},
	{name: "reboot", program: "zsched", from: "running", to: "running", parent: zschedOf, argv: []string{"zoneadm", "-z", "a", "reboot"}, word: ok},
	{name: "restart of a service", program: "svc.startd", from: "running", to: "running", parent: startdOf,
		argv: []string{"zlogin", "a", "svcadm restart site/one"}, word: ok, lives: true},
}

// trace does it with the program traced; if it is stopped at a point, it goes on after a while, in
// which the zone is looked at.
func (h halted) trace(t *testing.T, z *testenv.Zones, point string) (*tracer, said) {
	t.Helper()
	lead(t, z, "a", h.from)
	if h.from == "running" {
		settled(t, z)
	}
	tr := follow(t, h.parent(t, z), aim{point: point, sig: unix.SIGSTOP, child: h.child})
	done := beside(z, h.argv[0], h.argv[1:]...)
	if point != "" && tr.await(time.Minute) && tr.hit != 0 {
		defer send(tr.hit, h.program, unix.SIGCONT) // whatever comes
		stopped(t, tr.hit)
		began := time.Now()
		if s := ask(z, "zoneadm", "list", "-cp"); s.exit != 0 || !strings.Contains(s.out, ":a:") {
			t.Errorf("list, while %s is stopped: %v", h.program, s)
		}
		t.Logf("list took %v", time.Since(began).Round(time.Millisecond))
		if h.lives {
			before := testimony(z, "a")
			unhurt(t, z, "a", before, z.Status("a").Init)
		}
		send(tr.hit, h.program, unix.SIGCONT)
	}
	s := <-done
	tr.end(t)
	return tr, s
}

func (h halted) stopped(t *testing.T, z *testenv.Zones, point string) {
	t.Helper()
	lead(t, z, "a", h.from)
	if h.from == "running" {
		watched(t, z, "a")
	}
	tr, s := h.trace(t, z, point)
	for n := 1; tr.hit == 0; n++ {
		if n == triesMax {
			t.Fatalf("%s did not come to the point: %v", h.program, s)
		}
		tr, s = h.trace(t, z, point)
	}
	if !h.word(s) {
		t.Errorf("%v", s)
	}
	if is := listed(t, z, "a"); is != h.to {
		t.Errorf("the zone is %s, want %s", is, h.to)
	}
	truth(t, z, "a")
	if !t.Failed() {
		row(t, h.program, "SIGSTOP", h.name, point, "waited, and went on")
	}
}

// TestStopped: a program that is stopped at any of its calls holds up who waits for it, and nobody
// else; when it goes on all is as if nothing had been.
func TestStopped(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("keep")
	silent(t, z, "keep", "boot")
	z.Sparse("a")
	lead(t, z, "a", "running")
	z.ServicesUp("a")
	sites(t, z)
	most := 1
	if *full {
		most = 8
	}
	for _, h := range turn(stops, 2) {
		tr, s := h.trace(t, z, "")
		if len(tr.points) < 3 || !h.word(s) {
			t.Fatalf("%s of %s, where nobody is stopped: %v, points %q", h.name, h.program, s, tr.points)
		}
		for _, point := range some(tr.points, most) {
			t.Run(h.program+" "+h.name+"/"+point, func(t *testing.T) { h.stopped(t, z.For(t), point) })
		}
	}
}

// TestClientStopped: a client that is stopped at any of its calls holds up nobody; what it asked for
// goes on, and it has its answer when it goes on.
func TestClientStopped(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("keep")
	silent(t, z, "keep", "boot")
	z.Sparse("a")
	lead(t, z, "a", "running")
	most := 1
	if *full {
		most = 4
	}
	for _, e := range turn(errands, 2) {
		if e.name == "zoneadm mark" {
			continue
		}
		lead(t, z, "a", e.from)
		tr, s := e.run(t, z, aim{})
		for _, point := range some(tr.points, most) {
			t.Run(e.name+"/"+point, func(t *testing.T) {
				z := z.For(t)
				got, hit := said{}, false
				for n := 0; !hit; n++ {
					if n == triesMax {
						t.Fatalf("the client did not come to the point")
					}
					lead(t, z, "a", e.from)
					got, hit = e.stopped(t, z, point)
				}
				if got.exit != s.exit || listed(t, z, "a") != e.to {
					t.Errorf("%v\nwant exit %d; the zone is %s, want %s", got, s.exit, listed(t, z, "a"), e.to)
				}
				truth(t, z, "a")
				if !t.Failed() {
					row(t, e.argv[0], "SIGSTOP", e.name, point, "waited, and went on")
				}
			})
		}
	}
	lead(t, z, "a", "installed")
}

// stopped runs the errand, stopped for a while at the point, if it comes there.
func (e errand) stopped(t *testing.T, z *testenv.Zones, point string) (s said, hit bool) {
	t.Helper()
	dir := t.TempDir()
	null, err := os.Open(os.DevNull)
	must(t, err)
	defer null.Close()
	out, err := os.Create(filepath.Join(dir, "out"))
	must(t, err)
	defer out.Close()
	argv := append([]string{filepath.Join(z.Bin, e.argv[0])}, e.argv[1:]...)
	if e.from != "running" {
		departed(t, z, "a")
	}
	tr := spawned(t, argv, z.Env(), []*os.File{null, out, out}, aim{point: point, sig: unix.SIGSTOP})
	if !tr.await(time.Minute) {
		t.Fatalf("no end, and no stop")
	}
	if tr.hit != 0 {
		defer unix.Kill(tr.hit, unix.SIGCONT)
		stopped(t, tr.hit)
		if s := ask(z, "zlogin", "keep", "exit 5"); s.exit != 5 {
			t.Errorf("another zone, meanwhile: %v", s)
		}
		must(t, unix.Kill(tr.hit, unix.SIGCONT))
		var ws unix.WaitStatus
		for {
			if _, err = unix.Wait4(tr.hit, &ws, 0, nil); err != unix.EINTR {
				break
			}
		}
		must(t, err)
		text, _ := os.ReadFile(filepath.Join(dir, "out"))
		return said{out: string(text), exit: ws.ExitStatus()}, true
	}
	return said{exit: tr.endStatus.ExitStatus()}, false
}

// some are points at which a program can be stopped, of at most so many in full too: who has come to
// its end can not.
func some(points []string, most int) []string {
	list := slices.DeleteFunc(slices.Clone(points), func(p string) bool { return strings.HasPrefix(p, "exit_group") })
	if len(list) <= most {
		return list
	}
	var chosen []string
	for i := range most {
		chosen = append(chosen, list[(int(*seed%uint64(len(list)))+i*len(list)/most)%len(list)])
	}
	return chosen
}

// TestKeeperKilled: without its keeper a zone is brought down in order, and that is told: to who is at
// its console, in its log, and by its state. Nothing is left, and it boots again.
func TestKeeperKilled(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	lead(t, z, "a", "running")
	lead(t, z, "a", "installed")
	departed(t, z, "a")
	before := measure(t, z)
	for _, state := range []string{"ready", "running"} {
		lead(t, z, "a", state)
		console := z.Pty("zlogin", "-C", "a")
		console.Expect(`\[Connected to zone 'a' console\]`)
		if !send(z.Status("a").Zsched.Pid, "zsched", unix.SIGKILL) {
			t.Fatal("there is no keeper")
		}
		console.Expect(`(?i)halted`)
		testenv.EventuallyWithin(t, ended, func() bool { return listed(t, z, "a") == "installed" }, "the zone to be halted")
		text, err := os.ReadFile(filepath.Join(z.Log, "a.log"))
		if err != nil || !strings.Contains(string(text), "zsched is dead: the zone is halted") {
			t.Errorf("the log does not say so: %v\n%s", err, text)
		}
		console.Send("\r~.")
		console.Wait()
		truth(t, z, "a")
		testenv.Eventually(t, func() bool { return supervisor(z, "a", "zoned") == 0 }, "the supervisor to leave")
		silent(t, z, "a", "boot")
		truth(t, z, "a")
		lead(t, z, "a", "installed")
		before.same(t, z, "the keeper's death")
		row(t, "zsched", "SIGKILL", state, "at rest", "halted in order, and told")
	}
}

// TestWaitingIsTold: who waits for a supervisor that is stopped is told so, and gets what he asked for
// when it goes on.
func TestWaitingIsTold(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	lead(t, z, "a", "running")
	pid := supervisor(z, "a", "zoned")
	if !send(pid, "zoned", unix.SIGSTOP) {
		t.Fatal("there is no supervisor")
	}
	defer send(pid, "zoned", unix.SIGCONT)
	stopped(t, pid)
	halt, shell, piped := z.Pty("zoneadm", "-z", "a", "reboot"), z.Pty("zlogin", "a"), z.Cmd("zlogin", "a", "exit 6")
	words, err := os.Create(filepath.Join(t.TempDir(), "words"))
	must(t, err)
	defer words.Close()
	piped.Stderr = words
	must(t, piped.Start())
	t.Cleanup(func() { _ = piped.Process.Kill(); _ = piped.Wait() })
	errs := func() string { b, _ := os.ReadFile(words.Name()); return string(b) }
	shell.ExpectWithin(40*time.Second, `zlogin: zone 'a': the zone's supervisor has not answered for \d\d seconds; waiting for it\r`)
	halt.ExpectWithin(40*time.Second, `a: waiting for the supervisor, \d\d seconds since its last word`)
	told := regexp.MustCompile(`^zlogin: zone 'a': the zone's supervisor has not answered for \d\d seconds; waiting for it\n`)
	testenv.EventuallyWithin(t, 40*time.Second, func() bool { return told.MatchString(errs()) }, "a login without a terminal to be told")
	if is := listed(t, z, "a"); is != "running" {
		t.Errorf("it is listed as %s", is)
	}
	send(pid, "zoned", unix.SIGCONT)
	if exit := halt.Wait(); exit != 0 {
		t.Errorf("reboot: exit %d\n%s", exit, halt.Output())
	}
	_ = piped.Wait()
	// The reboot may have been first.
	if exit := piped.ProcessState.ExitCode(); exit != 6 && exit != 1 && exit != 137 {
		t.Errorf("a login that waited: exit %d: %s", exit, errs())
	}
	shell.Signal(unix.SIGKILL)
	shell.Wait()
	truth(t, z, "a")
}
