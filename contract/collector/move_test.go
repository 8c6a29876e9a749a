package collector_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/testenv"
)

func move(t testing.TB, dir string, pid int) {
	t.Helper()
	check(t, os.WriteFile(dir+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0))
}

// state is the process's state as /proc tells it, of its first thread.
func state(pid int) byte {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := bytes.LastIndexByte(b, ')'); i > 0 && len(b) > i+2 {
		return b[i+2]
	}
	return 0
}

// Who is moved out is told with who moved it and where to, and counts where it is.
func TestMoves(t *testing.T) {
	r := newRig(t)
	other := r.addZone("g2", collector.RingBytes)
	a, b, foreign := r.zone.contract(), r.zone.contract(), other.contract()
	m := a.run("hold", "4")
	m.line()
	birth := r.zone.until("the birth", func(rec collector.Record) bool { return rec.Kind == collector.Fork })
	if len(birth) != 1 {
		t.Errorf("%+v", birth)
	}
	// Within the contract: nothing is told.
	move(t, a.dir, m.pid)
	move(t, a.dir+"/d", m.pid)
	r.zone.quiet()
	// To another of the zone, to another zone's, out, back in.
	move(t, b.dir+"/d", m.pid)
	move(t, foreign.dir, m.pid)
	move(t, r.zone.dir, m.pid)
	move(t, a.dir, m.pid)
	m.release()
	m.wait()
	type told struct {
		kind  collector.Kind
		ct    uint32
		flags collector.Flags
		dest  uint64
	}
	in := collector.Moved | collector.First
	checkTold := func(z *zone, last *ct, want ...told) {
		t.Helper()
		list := z.empty(last)
		if last == a {
			list = append(list, z.empty(last)...) // the second time
		}
		var got []told
		for _, rec := range list {
			got = append(got, told{rec.Kind, rec.CT, rec.Flags, rec.Dest})
			if int(rec.Pid) != m.pid || rec.Start != m.start {
				t.Errorf("of another process: %+v", rec)
			}
			if rec.Kind == collector.Left && (int(rec.Sender.Pid) != os.Getpid() || rec.Sender.Kind != collector.FromProcess || rec.Sender.CT != 0) {
				t.Errorf("moved by %+v", rec.Sender)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("\n got %v\nwant %v", got, want)
		}
	}
	checkTold(r.zone, a,
		told{collector.Left, a.ct, 0, inode(t, b.dir+"/d")}, told{collector.Empty, a.ct, 0, 0},
		told{collector.Fork, b.ct, in, 0}, told{collector.Left, b.ct, 0, foreign.id}, told{collector.Empty, b.ct, 0, 0},
		told{collector.Fork, a.ct, in, 0}, told{collector.Exit, a.ct, 0, 0}, told{collector.Empty, a.ct, 0, 0})
	checkTold(other, foreign,
		told{collector.Fork, foreign.ct, in, 0}, told{collector.Left, foreign.ct, 0, r.zone.id}, told{collector.Empty, foreign.ct, 0, 0})
	for k, n := range map[*ct]uint64{a: 2, b: 1, foreign: 1} {
		if c, _ := r.Counts(k.id); c.Members != 0 || c.Forks != n || c.Exits != n {
			t.Errorf("%+v", c)
		}
	}
}

// The supervisor's own moves say so, and the old hierarchies' are none.
func TestMoveBySupervisor(t *testing.T) {
	r := newRig(t)
	sup := r.base + "/sup"
	check(t, os.Mkdir(sup, 0o755))
	check(t, r.AddSupervisor(inode(t, sup), r.zone.id))
	k, to := r.zone.contract(), r.zone.contract()
	m := k.run("hold", "0")
	m.line()
	if _, err := os.Stat("/sys/fs/cgroup/pids/cgroup.procs"); err == nil {
		old, err := os.MkdirTemp("/sys/fs/cgroup/pids", "zones-test-*")
		check(t, err)
		move(t, old, m.pid)
		move(t, "/sys/fs/cgroup/pids", m.pid)
		check(t, os.Remove(old))
	}
	start(t, sup, nil, exec.Command("sh", "-c", "echo $0 >$1/cgroup.procs", strconv.Itoa(m.pid), to.dir+"/d")).wait()
	m.release()
	m.wait()
	list := r.zone.empty(to)
	left := only(list, collector.Left)
	if len(left) != 1 || left[0].Sender.Kind != collector.FromContract || left[0].Sender.Comm != "sh" {
		t.Errorf("%+v", left)
	}
}

// Members that fork, end and are moved, all at the same time: nobody is lost or counted twice.
func TestMoveRace(t *testing.T) {
	r := newRig(t)
	z := r.addZone("g2", 4<<20)
	a, b := z.contract(), z.contract()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	// Whoever is there is moved back and forth, one by one.
	for _, way := range [][2]*ct{{a, b}, {b, a}} {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				procs, _ := os.ReadFile(way[0].dir + "/d/cgroup.procs")
				for word := range bytes.FieldsSeq(procs) {
					// Of who is just being buried the kernel says 0, which would move us. Others may
					// have ended.
					if string(word) != "0" {
						_ = os.WriteFile(way[1].dir+"/d/cgroup.procs", word, 0)
					}
				}
			}
		})
	}
	l := a.run("tree", "3", "6").finish()
	l2 := b.run("race", strconv.Itoa(testenv.Rounds(300, 60))).finish()
	close(stop)
	wg.Wait()
	// Who had ended but was not yet buried may have been looked at; now nobody is there.
	born, ended := map[int32]int{}, map[int32]int{}
	moved, ends, total, inside := 0, 0, l.n+l2.n, map[uint32]int{}
	z.until("all ends", func(rec collector.Record) bool {
		switch rec.Kind {
		case collector.Fork:
			inside[rec.CT]++
			if rec.Flags&collector.Moved == 0 {
				born[rec.Pid]++
			} else {
				moved++
			}
		case collector.Left:
			inside[rec.CT]--
		case collector.Exit:
			inside[rec.CT]--
			ended[rec.Pid]++
			ends++
		}
		return ends == total && rec.Kind == collector.Empty
	})
	t.Logf("%d processes, %d moves", total, moved)
	for pid, n := range ended {
		// A number is used again on a busy host.
		if want := len(l.exits[int(pid)]) + len(l2.exits[int(pid)]); n != want {
			t.Errorf("%d ended %d times, and %d processes had it", pid, n, want)
		}
	}
	for _, k := range []*ct{a, b} {
		n, err := r.Counts(k.id)
		check(t, err)
		if n.Members != 0 || n.Forks != n.Exits || inside[k.ct] != 0 || n.Unsure {
			t.Errorf("%+v, %d by the records", n, inside[k.ct])
		}
	}
	if n, err := r.Missed(); err != nil || n != 0 {
		t.Errorf("programs were not run %d times, %v", n, err)
	}
}

// A member of a contract that only a thread of it is moved from... can not be: cgroup2 moves
// processes. What is refused is not told.
func TestRefusedMove(t *testing.T) {
	r := newRig(t)
	k, to := r.zone.contract(), r.zone.contract()
	m := r.runIn(k.dir+"/d", nil, "hold", "0")
	m.line()
	const uid = 1400000077
	cmd := exec.Command("sh", "-c", "echo $0 >$1/cgroup.procs", strconv.Itoa(m.pid), to.dir+"/d")
	s := start(t, "", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}, cmd)
	if s.wait().ExitStatus() == 0 {
		t.Fatal("a stranger moved a member")
	}
	m.release()
	m.wait()
	if list := only(r.zone.empty(k), collector.Left); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}
