package collector_test

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/testenv"
)

// Threads that end at the same moment on different processors are one end, ten thousand times.
func TestThreadsEndTogether(t *testing.T) {
	count := 10000
	if testing.Short() {
		count = testenv.Rounds(1000, 200)
	}
	r := newRig(t)
	z := r.addZone("g2", 4<<20)
	k := z.contract()
	m := k.run("race", strconv.Itoa(count))
	// The workload's words are taken while it runs, or it would wait.
	l := m.finish()
	if l.n != count+1 {
		t.Fatalf("the workload tells of %d processes", l.n)
	}
	list := z.empty(k)
	bulk, critical, err := r.Lost(z.id)
	check(t, err)
	if bulk+critical != 0 {
		t.Fatalf("lost %d and %d", bulk, critical)
	}
	verify(t, list, l)
	if n, _ := r.Counts(k.id); n.Forks != uint64(l.n) || n.Exits != uint64(l.n) || n.Members != 0 {
		t.Errorf("%+v", n)
	}
}

// A program that is executed by another thread than the first, over and over: the process is
// the same, and dies once.
func TestExecByThread(t *testing.T) {
	r := newRig(t)
	for range 20 {
		k := r.zone.contract()
		m := k.run("threadexec", "threadexec", "hold") // which does so twice
		m.line()
		m.release()
		status := m.wait()
		told(t, r.zone.empty(k), m, status)
	}
	k := r.zone.contract()
	m := k.run("threadexec", "hold", "5")
	m.line()
	killer := r.runIn("", nil, "send", "kill", strconv.Itoa(m.pid), "9")
	status := m.wait()
	killer.release()
	killer.wait()
	why := told(t, r.zone.empty(k), m, status)
	if why == nil || int(why.Sender.Pid) != killer.pid {
		t.Errorf("told as %+v", why)
	}
}

// The first thread has ended, another lives: the process is a member until that one ends, also
// when it is killed, or moved meanwhile.
func TestFirstThreadEndsFirst(t *testing.T) {
	r := newRig(t)
	for _, act := range []string{"end", "kill", "move"} {
		k, to := r.zone.contract(), r.zone.contract()
		m := k.run("leaderless")
		m.line()
		testenv.Eventually(t, func() bool { return state(m.pid) == 'Z' }, "the first thread to end")
		if n, _ := r.Members(k.id); n != 1 {
			t.Errorf("%d members", n)
		}
		switch act {
		case "end":
			m.release()
			told(t, r.zone.empty(k), m, m.wait())
		case "kill":
			check(t, m.cmd.Process.Kill())
			status := m.wait()
			why := told(t, r.zone.empty(k), m, status)
			if why == nil || why.Kind != collector.Signal || status.Signal() != unix.SIGKILL {
				t.Errorf("%#x, told as %+v", status, why)
			}
		case "move":
			move(t, to.dir, m.pid)
			m.release()
			told(t, of(r.zone.empty(to), to), m, m.wait())
		}
		for _, c := range []*ct{k, to} {
			if n, _ := r.Counts(c.id); n.Members != 0 || n.Forks != n.Exits {
				t.Errorf("%s: %+v", act, n)
			}
		}
	}
}
