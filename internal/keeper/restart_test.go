package keeper

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

const ms = int64(1e6)

func TestThrottle(t *testing.T) {
	type death struct {
		after   int64 // the last start
		crashed bool
		wait    int64 // wanted
	}
	repeat := func(n int, d death) []death { return slices.Repeat([]death{d}, n) }
	for name, deaths := range map[string][]death{
		"an hour apart":     repeat(30, death{3600 * second, false, 0}),
		"two seconds apart": repeat(30, death{2 * second, false, 0}),
		"ten at once, then a delay that doubles": append(repeat(10, death{ms, false, 0}),
			death{ms, false, second / 32}, death{ms, false, second / 16}, death{ms, false, second / 8}, death{ms, false, second / 4},
			death{ms, false, second / 2}, death{ms, false, second}, death{ms, false, second}, death{ms, false, second}),
		"quiet after a burst": append(repeat(10, death{ms, false, 0}),
			death{ms, false, second / 32}, death{11 * second, false, 0}, death{ms, false, 0}),
		"crashes": {
			{ms, true, 10*second - ms}, {2 * second, true, 8 * second}, {10 * second, true, 0}, {60 * second, true, 0}, {9 * second, true, second},
		},
		"a crash among deaths": {{ms, false, 0}, {ms, true, 10*second - ms}, {ms, false, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			h := throttle{spacing: crashSpacing, delayMax: delayMax}
			now := int64(1e15)
			h.started(now)
			for i, d := range deaths {
				now += d.after
				at := h.next(now, d.crashed)
				if at-now != d.wait {
					t.Fatalf("death %d waits %v, not %v", i, time.Duration(at-now), time.Duration(d.wait))
				}
				now = at
				h.started(now)
			}
			crashes := uint32(0)
			for _, d := range deaths {
				if d.crashed {
					crashes++
				}
			}
			if h.crashes != crashes {
				t.Errorf("%d crashes are counted", h.crashes)
			}
		})
	}
}

// However a supervisor dies, it is not started more often than the rule allows.
func TestThrottleBoundsTheRate(t *testing.T) {
	for _, life := range []int64{0, ms, 50 * ms, 200 * ms, 900 * ms} {
		h := throttle{spacing: crashSpacing, delayMax: delayMax}
		now, restarts := int64(1), 0
		for ; now < 600*second; restarts++ {
			h.started(now)
			now = h.next(now+life, false)
		}
		if perWindow := float64(restarts) / 60; perWindow > 20 {
			t.Errorf("a life of %v: %.1f restarts in ten seconds", time.Duration(life), perWindow)
		}
	}
}

func status(code int) unix.WaitStatus          { return unix.WaitStatus(code << 8) }
func signaled(sig unix.Signal) unix.WaitStatus { return unix.WaitStatus(sig) }

func TestDecisions(t *testing.T) {
	for name, c := range map[string]struct {
		everReady, started, hold, quit bool
		status                         unix.WaitStatus
		done                           bool
		exit                           int
		says                           string
	}{
		"first start fails with a code":     {status: status(7), done: true, exit: 7},
		"first start finds another":         {status: status(17), done: true, exit: 17},
		"first start ends without a word":   {status: status(0), done: true, exit: 1},
		"first start says quit, then fails": {quit: true, status: status(3), done: true, exit: 3},
		"first start is killed": {
			status: signaled(unix.SIGSEGV), done: true, exit: 1, says: "fork child died before signaling startup (killed (SIGSEGV))",
		},
		"first start dumps core": {
			status: signaled(unix.SIGABRT) | 0x80, done: true, exit: 1, says: "fork child died before signaling startup (killed (SIGABRT), core dumped)",
		},
		"first start dies of a real-time signal": {
			status: signaled(40), done: true, exit: 1, says: "fork child died before signaling startup (killed (signal 40))",
		},
		"leaves":                     {everReady: true, started: true, quit: true, status: status(0), done: true},
		"leaves while the zone runs": {everReady: true, started: true, quit: true, hold: true, status: status(0), says: "pid 42 died, exit status 0, restarting"},
		"dies below ready":           {everReady: true, started: true, status: signaled(unix.SIGKILL), done: true, says: "pid 42 died, killed (SIGKILL), exiting"},
		"crashes below ready":        {everReady: true, status: status(1), done: true, says: "pid 42 died, exit status 1, exiting"},
		"killed while the zone runs": {everReady: true, started: true, hold: true, status: signaled(unix.SIGKILL), says: "pid 42 died, killed (SIGKILL), restarting"},
		"ends while the zone runs":   {everReady: true, started: true, hold: true, status: status(0), says: "pid 42 died, exit status 0, restarting"},
		"terminated, the zone runs":  {everReady: true, started: true, hold: true, status: signaled(unix.SIGTERM), says: "pid 42 died, killed (SIGTERM), restarting"},
		"crashes while the zone runs": {
			everReady: true, hold: true, status: signaled(unix.SIGSEGV),
			says: "1 crashes: pid 42 died, killed (SIGSEGV), waiting until 10 seconds since last restart",
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := local(t)
			k.pid, k.everReady, k.started, k.hold, k.quit = 42, c.everReady, c.started, c.hold, c.quit
			now := sys.Monotonic()
			k.restart.started(now)
			k.supervisorDied(c.status)
			if k.done != c.done || k.exit != c.exit || saidAll() != c.says {
				t.Errorf("done %v, exit %d, says %q", k.done, k.exit, saidAll())
			}
			crashed := !k.started
			switch {
			case c.done && k.startAt != 0:
				t.Error("another one is to be started")
			case !c.done && !crashed && (k.startAt < now || k.startAt > sys.Monotonic()):
				t.Errorf("started again %v after the death", time.Duration(k.startAt-now))
			case !c.done && crashed && k.startAt != now+crashSpacing:
				t.Errorf("started again %v after the last start", time.Duration(k.startAt-now))
			}
		})
	}
}

// One core is enough; what the zone's own processes may ask for stays.
func TestNoSecondCore(t *testing.T) {
	var old, lim unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_CORE, &old))
	defer func() { check(t, unix.Setrlimit(unix.RLIMIT_CORE, &old)) }()
	if old.Max == 0 {
		t.Fatal("the hard limit for cores is 0: the test can show nothing")
	}
	check(t, unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: min(1<<20, old.Max), Max: old.Max}))
	k, _ := local(t)
	for _, c := range []struct {
		status unix.WaitStatus
		want   bool
	}{{signaled(unix.SIGSEGV), true}, {signaled(unix.SIGSEGV) | 0x80, false}} {
		k.pid, k.everReady, k.started, k.hold = 42, true, true, true
		k.supervisorDied(c.status)
		check(t, unix.Getrlimit(unix.RLIMIT_CORE, &lim))
		if lim.Cur > 0 != c.want || lim.Max != old.Max {
			t.Errorf("after %v: limit %d of %d", describe(c.status), lim.Cur, lim.Max)
		}
	}
}

func TestFirstStart(t *testing.T) {
	for command, want := range map[string]struct {
		exit int
		says string
	}{
		"exit 5":  {5, ""},
		"exit 17": {17, ""},
		"exit 0":  {1, ""},
		"die 11":  {1, "fork child died before signaling startup (killed (SIGSEGV))"},
		"die 9":   {1, "fork child died before signaling startup (killed (SIGKILL))"},
	} {
		r := start(t)
		r.supervisor().tell(command)
		if got := r.wait(); got != want.exit || strings.TrimSpace(r.log()) != want.says {
			t.Errorf("%s: the keeper ended with %d and said %q", command, got, r.log())
		}
	}
}

func TestLeaves(t *testing.T) {
	r := start(t)
	s := r.supervisor()
	s.do("hello")
	s.do("started")
	s.do("hold 1")
	s.do("hold 0")
	s.do("quit")
	s.tell("exit 0")
	if got := r.wait(); got != 0 || strings.TrimSpace(r.log()) != "READY" {
		t.Errorf("the keeper ended with %d and said %q", got, r.log())
	}
}

// Who has lost its keeper is told so, and is not told the number of whoever is its parent now: that
// is the host's init, which somebody would move into the zone's cgroup.
func TestParent(t *testing.T) {
	r := start(t)
	s := r.supervisor()
	if got, want := s.do("parent"), strconv.Itoa(r.cmd.Process.Pid); got != want {
		t.Errorf("the keeper is %s, and the supervisor is told %s", want, got)
	}
	check(t, r.cmd.Process.Kill())
	r.wait()
	if text := s.do("parent"); text != "gone" {
		t.Errorf("of a dead keeper the supervisor is told %q", text)
	}
	s.kill(unix.SIGKILL)
}

// What a supervisor had said before it died counts, though nobody had read it.
func TestLastWordsCount(t *testing.T) {
	r := start(t)
	s := r.supervisor()
	s.do("hello")
	s.do("started")
	r.stop()
	s.tell("hold 1")
	s.answer()
	s.kill(unix.SIGKILL)
	check(t, r.cmd.Process.Signal(unix.SIGCONT))
	r.supervisor()
}

// Any death but that before start-up is complete is followed by a start at once. Ready is
// said once.
func TestRestartsAfterAnyDeath(t *testing.T) {
	r := start(t)
	s := r.serving()
	for _, command := range []string{"die 9", "die 15", "die 6", "exit 0", "exit 3", "quit"} {
		pid := s.pid
		s.tell(command)
		if command == "quit" {
			s.answer()
			s.tell("exit 0")
		}
		s = r.serving()
		r.awaitLog("pid " + strconv.Itoa(pid) + " died, ")
	}
	if n := strings.Count(r.log(), "READY"); n != 1 {
		t.Errorf("ready was said %d times", n)
	}
	if strings.Contains(r.log(), "crashes") {
		t.Error("a death after start-up counts as crash")
	}
}

// A supervisor that dies before it serves waits for its turn, which is announced, and shows in
// the title.
func TestCrashes(t *testing.T) {
	r := start(t)
	s := r.serving()
	want := fmt.Sprintf("zsched web: monitoring pid %d (healthy)", s.pid)
	if got := psTitle(r.cmd.Process.Pid); got != want {
		t.Errorf("the title is %q, not %q", got, want)
	}
	began := time.Now() // it is started after this
	s.kill(unix.SIGKILL)
	for crash := 1; crash <= 3; crash++ {
		s = r.supervisor()
		s.tell("die 11")
		s.ended()
		text := fmt.Sprintf("%d crashes: pid %d died, killed (SIGSEGV)", crash, s.pid)
		r.awaitLog(text + ", waiting until 10 seconds since last restart")
		s = r.supervisor()
		if waited := time.Since(began); waited < rigSpacing {
			t.Errorf("started again after %v", waited)
		}
		r.awaitLog(text + ", restarting")
		if words := s.do("hello"); !strings.Contains(words, fmt.Sprintf("crashes %d ", crash)) {
			t.Errorf("the supervisor is told %s", words)
		}
		// Who answers has set its title.
		want := fmt.Sprintf("zsched web: monitoring pid %d (%s)", s.pid, text)
		if got := psTitle(r.cmd.Process.Pid); got != want {
			t.Errorf("the title is %q, not %q", got, want)
		}
		s.do("started")
		began = time.Now()
		s.kill(unix.SIGKILL)
	}
}

// While it waits for the time to start another one, the keeper reaps and holds.
func TestKeepsWhileItWaits(t *testing.T) {
	r := start(t)
	s := r.serving()
	read, _ := pipe(t)
	s.do("put pipe", int(read.Fd()))
	s.kill(unix.SIGKILL)
	s = r.supervisor()
	pid := s.do("run /bin/false")
	s.tell("die 9")
	s.ended()
	r.awaitLog("waiting until 10 seconds")
	s = r.serving()
	testenv.Eventually(t, func() bool {
		got, _ := r.heard()
		for process, statuses := range got {
			if strings.HasPrefix(process, pid+" ") && statuses[0] == "256" {
				return true
			}
		}
		return false
	}, "the death of an orphan")
	s.kill(unix.SIGKILL)
	if words := r.supervisor().do("hello"); !strings.Contains(words, "pipe=") {
		t.Errorf("not held: %s", words)
	}
}

// The supervisor's program is gone for a while.
func TestProgramMissing(t *testing.T) {
	k, _ := local(t)
	k.hangUp()
	k.pid, k.everReady, k.hold, k.cfg.Program = 0, true, true, "/nonexistent"
	now := sys.Monotonic()
	k.start(now)
	if k.done || k.startAt != now+crashSpacing || !strings.Contains(saidAll(), "start /nonexistent: no such file") {
		t.Errorf("done %v, again in %v, says %q", k.done, time.Duration(k.startAt-now), saidAll())
	}
	k.everReady = false
	k.start(now)
	if !k.done || k.exit != 1 {
		t.Errorf("a first start without a program: done %v, exit %d", k.done, k.exit)
	}
}

// Signals that end other programs do nothing, and what the supervisor inherits is ordinary.
func TestSignals(t *testing.T) {
	r := start(t)
	s := r.serving()
	for _, sig := range []unix.Signal{
		unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE, unix.SIGALRM, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGCHLD, unix.SIGCONT, unix.SIGWINCH,
	} {
		check(t, r.cmd.Process.Signal(sig))
	}
	s.kill(unix.SIGKILL)
	s = r.serving()
	r.alive()
	shell := s.do("run /bin/sleep 1000") // a program that changes nothing
	b, err := os.ReadFile("/proc/" + shell + "/status")
	check(t, err)
	for _, field := range []string{"SigIgn", "SigBlk"} {
		m := regexp.MustCompile(field + `:\s+([0-9a-f]+)`).FindSubmatch(b)
		// 32 and 33 are the C library's own: make(1) leaves them ignored to its children.
		if v, _ := strconv.ParseUint(string(m[1]), 16, 64); v&^(3<<31) != 0 {
			t.Errorf("%s of what the supervisor starts is %#x", field, v)
		}
	}
	pid, _ := strconv.Atoi(shell)
	fd, err := sys.PidfdOpen(pid)
	check(t, err)
	defer fd.Close()
	check(t, sys.PidfdSignal(fd.Int(), unix.SIGKILL))
}
