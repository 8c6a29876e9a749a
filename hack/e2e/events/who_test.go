package events

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// inquest is a run of TestWhoKilledIt: one death after the other, each of its own kind.
type inquest struct {
	*world
	rs     []*reader
	nest   *actor // who bears the victims
	lives  map[view][]life
	births int64
}

// TestWhoKilledIt kills in each way that there is, one at a time, and wants the killer named.
func TestWhoKilledIt(t *testing.T) { worlds(t, whoKilledIt) }

func whoKilledIt(t *testing.T, w *world) {
	q := &inquest{world: w, rs: w.readers(), lives: map[view][]life{}}
	q.nest = w.hand("nest", "informative=fork,exit,core", "critical=empty,signal")
	w.locate(w.hostNumbers(), q.nest)
	for _, s := range []view{zoneView, hostView} {
		q.lives[s] = []life{q.nest.ownLife(s, -1)}
	}
	for _, c := range []struct {
		name string
		kill func(*testing.T, *victim) cause
	}{
		{"a shell of a login", q.shell},
		{"kill of a login", q.program},
		{"a shell of its own contract", q.relative},
		{"kill(1) on the host", q.fromOutside},
		{"a shell of another contract", q.contracted},
		{"a fault", q.lets("faults", unix.SIGSEGV)},
		{"abort", q.lets("aborts", unix.SIGABRT)},
		{"nobody", q.lets("waits", 0)},
		{"who did not handle it", q.second},
		{"the first of nine that were blocked", q.nine},
	} {
		t.Run(c.name, func(t *testing.T) { q.hear(t, c.kill) })
	}
	w.mark(q.rs, false)
	for _, r := range q.rs {
		acc := map[uint64]*account{q.nest.ct: {lives: q.lives[r.view], critical: kinds("empty", "signal")}}
		report(t, r.name, judge(acc, w.read(r), nothing))
	}
}

// cause is what must be told of why a victim died: the kind is empty when nothing is, and by
// is who sent the signal.
type cause struct {
	kind   string
	status unix.WaitStatus
	by     *actor
	sender string // instead of by: kernel and the like
}

// hear bears a victim, has it killed, and notes what must be told of it.
func (q *inquest) hear(t *testing.T, kill func(*testing.T, *victim) cause) {
	v := &victim{nest: q.nest}
	c := kill(t, v)
	if t.Failed() {
		t.FailNow()
	}
	q.births++
	for s := range q.lives {
		pid := v.pid
		if s == hostView {
			pid = v.host
		}
		l := life{pid: pid, born: q.births, must: []fact{{kind: "fork", pid: pid, ppid: q.nest.number(s)}}}
		if c.kind != "" {
			f := fact{kind: c.kind, pid: pid, sig: int(c.status.Signal()), sender: c.sender}
			if by := c.by; by != nil {
				f.sender, f.senderCT = strconv.Itoa(by.number(s)), by.ct
				if by.outside && s == zoneView {
					f.sender = "outside"
				}
			}
			l.must = append(l.must, f)
		}
		l.must = append(l.must, fact{kind: "exit", pid: pid, status: int(c.status)})
		q.lives[s] = append(q.lives[s], l)
	}
}

// bear makes the victim.
func (q *inquest) bear(v *victim, manner string) {
	v.pid, v.manner = numbers(q.t, q.nest.ask("born", "spawn 1 %s", manner))[0], manner
	q.locateVictims(q.hostNumbers(), []*victim{v})
}

// reap wants the victim's end to be this one.
func (q *inquest) reap(t *testing.T, v *victim, want unix.WaitStatus) {
	t.Helper()
	if got := q.nest.ask("reaped", "reap 1")[0]; got != fmt.Sprintf("%d:%d", v.pid, want) {
		t.Errorf("victim %d ended as %s, want %#x", v.pid, got, want)
	}
}

// shellOf starts a shell in the world that says who it is and waits before it does what it is
// told: its numbers are known before it strikes.
func (q *inquest) shellOf(t *testing.T, script string) *actor {
	t.Helper()
	script = "echo am $$ $(cat /proc/$$/comm); read x; " + script + "; echo done; read x"
	var cmd *exec.Cmd
	if q.isHost() {
		cmd = exec.Command("sh", "-c", script)
		cmd.Env = q.Env()
	} else {
		cmd = q.Cmd("zlogin", q.zone, script)
	}
	a := startActor(t, "shell", cmd)
	am := a.answer("am")
	a.pid, a.comm = int(number(t, am[0])), am[1]
	q.locate(q.hostNumbers(), a)
	if !q.isHost() {
		a.ct = q.contractOf(a.pid)
	}
	return a
}

func (q *inquest) shell(t *testing.T, v *victim) cause {
	q.bear(v, "waits")
	a := q.shellOf(t, fmt.Sprintf("kill -9 %d", v.pid))
	a.ask("done", "go")
	a.end()
	q.reap(t, v, unix.WaitStatus(unix.SIGKILL))
	return cause{kind: "signal", status: unix.WaitStatus(unix.SIGKILL), by: a}
}

// program has a program do it, which is gone at once.
func (q *inquest) program(t *testing.T, v *victim) cause {
	q.bear(v, "waits")
	a := q.shellOf(t, fmt.Sprintf("/bin/kill -TERM %d & echo it $!; wait", v.pid))
	it := &actor{ct: a.ct, pid: int(number(t, a.ask("it", "go")[0])), comm: "kill"}
	a.answer("done")
	a.end()
	q.reap(t, v, unix.WaitStatus(unix.SIGTERM))
	it.host = it.pid
	if !q.isHost() {
		// It was too short for a look at it: its number on the host is not known.
		it.host = q.namedSender(t, v)
	}
	return cause{kind: "signal", status: unix.WaitStatus(unix.SIGTERM), by: it}
}

// namedSender is the number of the sender that a reader on the host was told.
func (q *inquest) namedSender(t *testing.T, v *victim) (pid int) {
	t.Helper()
	for _, r := range q.rs {
		if r.view != hostView {
			continue
		}
		testenv.Eventually(t, func() bool {
			for _, e := range q.read(r) {
				if e.kind == "signal" && e.pid == v.host {
					pid, _ = strconv.Atoi(e.sender)
				}
			}
			return pid != 0
		}, "the sender")
		break
	}
	return pid
}

// relative is another member of the victim's contract: that is the contract's own affair.
func (q *inquest) relative(t *testing.T, v *victim) cause {
	q.bear(v, "waits")
	q.nest.ask("killed", "kill %d:9:k", v.pid)
	q.reap(t, v, unix.WaitStatus(unix.SIGKILL))
	return cause{status: unix.WaitStatus(unix.SIGKILL)}
}

func (q *inquest) fromOutside(t *testing.T, v *victim) cause {
	q.bear(v, "waits")
	cmd := exec.Command("/bin/kill", "-INT", strconv.Itoa(v.host))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	q.reap(t, v, unix.WaitStatus(unix.SIGINT))
	return cause{kind: "signal", status: unix.WaitStatus(unix.SIGINT), by: &actor{pid: cmd.Process.Pid, outside: true}}
}

// contracted kills from a contract that ctrun made.
func (q *inquest) contracted(t *testing.T, v *victim) cause {
	q.bear(v, "waits")
	program := "ctrun"
	if q.isHost() {
		program = q.Bin + "/ctrun"
	}
	a := q.shellOf(t, fmt.Sprintf("%s -l child sh -c 'echo it $$; read x; kill -HUP %d'", program, v.pid))
	it := &actor{pid: int(number(t, a.ask("it", "go")[0])), comm: "sh"}
	q.locate(q.hostNumbers(), it)
	it.ct = q.contractOf(it.pid)
	a.ask("done", "go")
	a.end()
	if it.ct == a.ct {
		t.Errorf("ctrun's command is in contract %d, as its shell is", it.ct)
	}
	q.reap(t, v, unix.WaitStatus(unix.SIGHUP))
	return cause{kind: "signal", status: unix.WaitStatus(unix.SIGHUP), by: it}
}

// lets has the victim do what it does when it is let go.
func (q *inquest) lets(manner string, sig unix.Signal) func(*testing.T, *victim) cause {
	return func(t *testing.T, v *victim) cause {
		q.bear(v, manner)
		q.nest.ask("released", "release")
		switch sig {
		case 0:
			q.reap(t, v, victimLeft<<8)
			return cause{status: victimLeft << 8}
		case unix.SIGSEGV:
			q.reap(t, v, unix.WaitStatus(sig))
			return cause{kind: "core", status: unix.WaitStatus(sig), sender: "kernel"}
		}
		q.reap(t, v, unix.WaitStatus(sig))
		self := &actor{pid: v.pid, host: v.host, ct: q.nest.ct}
		return cause{kind: "core", status: unix.WaitStatus(sig), by: self}
	}
}

// second: the victim ignores what the first sends; a second one, in another way, kills it with
// another signal.
func (q *inquest) second(t *testing.T, v *victim) cause {
	q.bear(v, "deaf")
	a := q.shellOf(t, fmt.Sprintf("kill -TERM %d; kill -HUP %d", v.pid, v.pid))
	b := q.shellOf(t, fmt.Sprintf("kill -USR1 %d", v.pid))
	a.ask("done", "go")
	b.ask("done", "go")
	a.end()
	b.end()
	q.reap(t, v, unix.WaitStatus(unix.SIGUSR1))
	return cause{kind: "signal", status: unix.WaitStatus(unix.SIGUSR1), by: b}
}

// nine: nine signals of nine senders wait behind the victim's mask. The one that kills was
// the first that came.
func (q *inquest) nine(t *testing.T, v *victim) cause {
	q.bear(v, "masked")
	sigs := []unix.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM}
	for sig := unix.Signal(40); len(sigs) < 9; sig++ {
		sigs = append(sigs, sig)
	}
	var first *actor
	for _, sig := range sigs {
		a := q.shellOf(t, fmt.Sprintf("kill -%d %d", sig, v.pid))
		a.ask("done", "go")
		a.end()
		if first == nil {
			first = a
		}
	}
	q.nest.ask("released", "release")
	q.reap(t, v, unix.WaitStatus(unix.SIGUSR1))
	return cause{kind: "signal", status: unix.WaitStatus(unix.SIGUSR1), by: first}
}

// TestOOM: who dies of a limit of memory is told to, and so is who did it.
func TestOOM(t *testing.T) { worlds(t, outOfMemory) }

func outOfMemory(t *testing.T, w *world) {
	rs := w.readers()
	a := w.inside("hog", "within", allEvents, "critical=empty", "--", "hog")
	in := numbers(t, a.answer("in"))
	a.ct, a.pid, a.maker = uint64(in[0]), in[1], in[2]
	w.locate(w.hostNumbers(), a)
	limitMemory(t, a.number(hostView), 64<<20)
	a.tell("go")
	if gone := strings.Join(a.answer("gone"), " "); gone != "-1" {
		t.Fatalf("the hog was not killed: %v", gone)
	}
	w.mark(rs, false)
	for _, r := range rs {
		pid := a.number(r.view)
		acc := map[uint64]*account{a.ct: {empties: 1, critical: kinds("empty"), lives: []life{{pid: pid, must: []fact{
			{kind: "fork", pid: pid, ppid: a.parent(r.view)},
			{kind: "signal", pid: pid, sig: int(unix.SIGKILL), sender: "oom"},
			{kind: "exit", pid: pid, status: int(unix.SIGKILL)},
		}}}}}
		report(t, r.name, judge(acc, w.read(r), nothing))
	}
}

// limitMemory bounds what a process may have: in a group of its own where memory has a
// hierarchy of its own, else in its contract's directory.
func limitMemory(t *testing.T, pid, bytes int) {
	t.Helper()
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	must(t, err)
	var v1, v2 string
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch f[1] {
		case "memory":
			v1 = "/sys/fs/cgroup/memory" + f[2]
		case "":
			v2 = f[2]
		}
	}
	if v1 == "" {
		dir := cgroupMount(t) + filepath.Dir(v2)
		handDown(t, dir, "memory")
		must(t, os.WriteFile(dir+"/memory.max", []byte(strconv.Itoa(bytes)), 0))
		return
	}
	dir := filepath.Join(v1, "oom"+testenv.Tag())
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() {
		testenv.Eventually(t, func() bool { return unix.Rmdir(dir) == nil }, "the group to be empty")
	})
	must(t, os.WriteFile(dir+"/memory.limit_in_bytes", []byte(strconv.Itoa(bytes)), 0))
	must(t, os.WriteFile(dir+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0))
}
