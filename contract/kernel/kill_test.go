package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/testenv"
)

// bomb forks without end, in as many processes as it takes to go off, however slow the machine is:
// most of them stay, and others are born and end all the time.
const bomb = `for i in 1 2 3 4 5 6; do for j in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; done
while :; do for i in 1 2 3 4 5; do sleep 0.1 & done; sleep 0.02; done`

// daemon leaves every trace of its parent behind: session, group, parent.
const daemon = `setsid sh -c '(setsid sleep 1000 </dev/null >/dev/null 2>&1 &) &' & wait`

// explode starts a bomb in a contract and waits until it has gone off.
func explode(t *testing.T, dir string, many int) {
	t.Helper()
	for range 2 {
		born(t, dir, nil, "/bin/sh", "-c", bomb)
	}
	testenv.Eventually(t, func() bool { return len(pidsIn(t, dir)) > many }, "the bomb to go off")
}

func killOf(id contract.ID) table.Kill { return table.Kill{CT: id, Seq: 1} }

func TestKillEverybody(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, d Dir){
		"nobody":      func(*testing.T, Dir) {},
		"one":         func(t *testing.T, d Dir) { born(t, d.Born, nil, "/bin/sleep", "1000") },
		"a fork bomb": func(t *testing.T, d Dir) { explode(t, d.Born, 100) },
		"daemons": func(t *testing.T, d Dir) {
			for range 10 {
				_ = born(t, d.Born, nil, "/bin/sh", "-c", daemon).Wait()
			}
			// Those between a daemon and who started it may still be on their way out.
			testenv.Eventually(t, func() bool {
				pids := pidsIn(t, d.Path)
				return len(pids) == 10 && !slices.ContainsFunc(pids, func(pid int) bool { return commOf(pid) != "sleep" })
			}, "the ten daemons to be the members")
		},
		"some who can not freeze": func(t *testing.T, d Dir) {
			release, _ := hung(t, d.Born, 3)
			time.AfterFunc(hungFor, release)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{Off: SourceBPF | SourceConnector})
			d := r.make(5, contract.AllEvents)
			start(t, d)
			began := time.Now()
			k := killOf(5)
			r.z.Kill(k)
			r.z.Kill(k)
			took := time.Since(began)
			r.awaitKilled(k)
			t.Logf("asked in %v, done in %v", took, time.Since(began))
			if left := pidsIn(t, d.Path); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
			r.settled()
			n := 0
			for _, p := range r.got {
				if p.What == Killed {
					n++
				}
			}
			if n != 1 {
				t.Errorf("told %d times", n)
			}
			if _, err := r.z.OpenWindow(5, Caller{}); !errors.Is(err, ErrUsed) {
				t.Errorf("a birth where everybody was killed: %v", err)
			}
			check(t, r.z.Remove(5))
		})
	}
}

// hungFor is how long a kill has to do with those who are hung.
const hungFor = 300 * time.Millisecond

// hung starts processes that wait for a file system which has taken their request and does not
// answer: neither a signal nor the freezer gets at them before the file system has gone. The
// function lets it go.
func hung(t *testing.T, dir string, n int) (release func(), pids []int) {
	t.Helper()
	testenv.Need(t, testenv.Fuse)
	fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check(t, err)
	at := t.TempDir()
	check(t, unix.Mount("hung", at, "fuse.hung", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse)))
	unmount := func() { _ = unix.Unmount(at, unix.MNT_DETACH) }
	t.Cleanup(unmount)
	release = sync.OnceFunc(func() {
		unix.Close(fuse)
		unmount()
	})
	t.Cleanup(release)
	buf := make([]byte, 1<<17)
	take := func() {
		fds := []unix.PollFd{{Fd: int32(fuse), Events: unix.POLLIN}}
		n, err := 0, error(unix.EINTR)
		for err == unix.EINTR { // a child's end is a signal
			n, err = unix.Poll(fds, int(testenv.Deadline(20*time.Second)/time.Millisecond))
		}
		if n != 1 {
			t.Fatalf("the file system was asked nothing: %v", err)
		}
		_, err = unix.Read(fuse, buf)
		check(t, err)
	}
	take() // INIT
	reply := make([]byte, 16+64)
	binary.LittleEndian.PutUint32(reply, uint32(len(reply)))
	copy(reply[8:16], buf[8:16])
	binary.LittleEndian.PutUint32(reply[16:], 7)
	binary.LittleEndian.PutUint32(reply[20:], 31)
	binary.LittleEndian.PutUint32(reply[28:], 1<<18) // FUSE_PARALLEL_DIROPS: each asks for itself
	binary.LittleEndian.PutUint32(reply[36:], 1<<16)
	_, err = unix.Write(fuse, reply)
	check(t, err)
	for i := range n {
		cmd := born(t, dir, nil, "/bin/cat", at+"/"+strconv.Itoa(i))
		pids = append(pids, cmd.Process.Pid)
		take()
	}
	return release, pids
}

// Everybody but one, while they fork.
func TestKillOthers(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	d := r.make(5, contract.AllEvents)
	spared := born(t, d.Born, nil, "/bin/sleep", "1000")
	explode(t, d.Born, 100)
	n := len(pidsIn(t, d.Path))
	k := table.Kill{CT: 5, Seq: 1, Except: procOf(t, spared.Process.Pid)}
	began := time.Now()
	r.z.Kill(k)
	r.awaitKilled(k)
	t.Logf("%d processes of a bomb in %v", n, time.Since(began))
	testenv.Eventually(t, func() bool { return slices.Equal(pidsIn(t, d.Path), []int{spared.Process.Pid}) }, "only the spared one to be left")
	b, err := os.ReadFile(d.Path + "/cgroup.freeze")
	check(t, err)
	if strings.TrimSpace(string(b)) != "0" {
		t.Error("the contract is left frozen")
	}
	// One whose number came round since is no exception.
	other := k
	other.Except.Start++
	r.z.Kill(other)
	r.awaitKilled(other)
	r.awaitEmpty(5)
}

func TestKillGroup(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	d := r.make(5, contract.AllEvents)
	group := func() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
	stays := born(t, d.Born, group(), "/bin/sleep", "1000")
	goes := born(t, d.Born, group(), "/bin/sh", "-c", "sleep 1000 & sleep 1000 & wait")
	outside := born(t, r.root+"/admin", &syscall.SysProcAttr{Setpgid: true, Pgid: goes.Process.Pid}, "/bin/sleep", "1000")
	testenv.Eventually(t, func() bool { return len(pidsIn(t, d.Path)) == 4 }, "all to be there")
	k := table.Kill{CT: 5, Seq: 1, Pgrp: int32(goes.Process.Pid)}
	r.z.Kill(k)
	r.awaitKilled(k)
	testenv.Eventually(t, func() bool { return slices.Equal(pidsIn(t, d.Path), []int{stays.Process.Pid}) }, "the other group to be left")
	if !lives(procOf(t, outside.Process.Pid)) {
		t.Error("one of the group outside of the contract was killed")
	}
}

// Who may signal whom, as kill(2) has it.
func TestKillChecked(t *testing.T) {
	const alice, bob = zoneUID + 1000, zoneUID + 1001
	cred := func(uid uint32) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	for _, c := range []struct {
		name   string
		kill   table.Kill
		killed []uint32
	}{
		{"alice", table.Kill{Author: table.Cred{UID: alice}}, []uint32{alice}},
		{"alice, and bob as the source", table.Kill{Author: table.Cred{UID: alice}, Source: table.Cred{UID: bob}, HasSource: true}, []uint32{alice, bob}},
		{"a source that there is not", table.Kill{Author: table.Cred{UID: alice}, Source: table.Cred{UID: bob}}, []uint32{alice}},
		{"no source, whose user would be the host's root", table.Kill{Author: table.Cred{UID: alice}}, []uint32{alice}},
		// Nobody of the host gets into a zone's contract but by the host's doing, and then he
		// is a member like others: a fork bomb must not need to be told apart.
		{"root of the zone", table.Kill{Author: table.Cred{UID: zoneUID, Privileged: true}}, []uint32{0, zoneUID, alice, bob}},
		{"root of the zone, sparing one", table.Kill{Author: table.Cred{UID: zoneUID, Privileged: true}, Except: table.Proc{Pid: 1}}, []uint32{zoneUID, alice, bob}},
		{"root of the host", table.Kill{Author: table.Cred{UID: 0, Privileged: true}}, []uint32{0, zoneUID, alice, bob}},
		{"the zone's root without privilege", table.Kill{Author: table.Cred{UID: zoneUID}}, []uint32{zoneUID}},
		{"nobody's user", table.Kill{Author: table.Cred{UID: zoneUID + 7}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Config{Off: SourceBPF | SourceConnector})
			d := r.make(5, contract.AllEvents)
			procs := map[uint32]int{}
			for _, uid := range []uint32{0, zoneUID, alice, bob} {
				procs[uid] = born(t, d.Born, cred(uid), "/bin/sleep", "1000").Process.Pid
			}
			k := c.kill
			k.CT, k.Checked = 5, true
			r.z.Kill(k)
			r.awaitKilled(k)
			want := len(procs) - len(c.killed)
			testenv.Eventually(t, func() bool { return len(pidsIn(t, d.Path)) == want }, "those who may be signalled to go")
			for uid, pid := range procs {
				p := procOf(t, pid)
				if slices.Contains(c.killed, uid) { // out of its cgroup a process still goes through its exit
					testenv.Eventually(t, func() bool { return !alive(p) }, fmt.Sprintf("user %d's to end", uid))
				} else if !lives(p) {
					t.Errorf("user %d's was killed", uid)
				}
			}
		})
	}
}

// A member whose real user differs from its effective one is its real user's: set-user-id
// programs can be killed by who started them.
func TestKillSetUser(t *testing.T) {
	c := &cull{zoneRoot: zoneUID}
	const alice, bob = zoneUID + 1000, zoneUID + 1001
	for _, s := range []struct {
		who    table.Cred
		status status
		may    bool
	}{
		{table.Cred{UID: alice}, status{ruid: alice, euid: bob, suid: bob}, true},
		{table.Cred{UID: bob}, status{ruid: alice, euid: alice, suid: bob}, true},
		{table.Cred{UID: bob}, status{ruid: alice, euid: bob, suid: alice}, false},
		{table.Cred{UID: zoneUID, Privileged: true}, status{ruid: 0, euid: 0, suid: 0}, false},
		{table.Cred{UID: zoneUID, Privileged: true}, status{ruid: alice, suid: 0}, false},
		{table.Cred{UID: 0, Privileged: true}, status{ruid: 0}, true},
	} {
		if c.may(s.who, s.status) != s.may {
			t.Errorf("%+v may signal %+v: %v", s.who, s.status, !s.may)
		}
	}
}

// A member that waits for a file system never freezes: the wait for it is bounded, the others
// are killed, and it goes when the file system lets it go.
func TestKillBesideAHungOne(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	d := r.make(5, contract.AllEvents)
	spared := born(t, d.Born, nil, "/bin/sleep", "1000")
	release, pids := hung(t, d.Born, 2)
	explode(t, d.Born, 30)
	k := table.Kill{CT: 5, Seq: 1, Except: procOf(t, spared.Process.Pid)}
	began := time.Now()
	r.z.Kill(k)
	if took := time.Since(began); took > 20*time.Millisecond {
		t.Logf("the call took %v", took)
	}
	time.AfterFunc(hungFor, release)
	r.awaitKilled(k)
	t.Logf("done in %v, with %d who can not freeze", time.Since(began), len(pids))
	testenv.Eventually(t, func() bool { return slices.Equal(pidsIn(t, d.Path), []int{spared.Process.Pid}) }, "only the spared one to be left")
}

// A storm of forks from who may not be killed does not keep a kill from its end.
func TestKillWithinAStorm(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	d := r.make(5, contract.AllEvents)
	explode(t, d.Born, 100) // the host's root's
	mine := born(t, d.Born, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: zoneUID, Gid: zoneUID}}, "/bin/sleep", "1000")
	k := table.Kill{CT: 5, Checked: true, Author: table.Cred{UID: zoneUID, Privileged: true}}
	began := time.Now()
	r.z.Kill(k)
	r.awaitKilled(k)
	t.Logf("one in a storm in %v", time.Since(began))
	testenv.Eventually(t, func() bool { return !alive(procOf(t, mine.Process.Pid)) }, "the one to go")
	all := table.Kill{CT: 5}
	began = time.Now()
	r.z.Kill(all)
	r.awaitKilled(all)
	t.Logf("the storm in %v", time.Since(began))
}

// More kills than there are places take turns, and those that are stuck let others by.
func TestManyKills(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	const n = jobsMax + 20
	var stuck Dir
	for id := range contract.ID(n) {
		d := r.make(10+id, 0)
		stuck = d
		born(t, d.Born, nil, "/bin/sleep", "1000")
	}
	release, _ := hung(t, stuck.Born, 1)
	for id := range contract.ID(n) {
		r.z.Kill(table.Kill{CT: 10 + id})
	}
	time.AfterFunc(hungFor, release)
	for id := range contract.ID(n) {
		r.awaitKilled(table.Kill{CT: 10 + id})
	}
}

// Who is stuck gives its place to others.
func TestStuckKillsYield(t *testing.T) {
	j, err := newJobs()
	check(t, err)
	defer j.stop()
	for range jobsMax {
		j.start(func(ctx context.Context) (Report, bool) {
			tm := time.NewTimer(0)
			defer tm.Stop()
			return Report{}, pause(ctx, tm, time.Millisecond)
		})
	}
	j.start(func(context.Context) (Report, bool) { return Report{CT: 7}, false })
	testenv.Eventually(t, func() bool {
		return slices.ContainsFunc(j.collect(), func(r Report) bool { return r.CT == 7 })
	}, "the last one's turn")
}

// Close ends kills that have no end.
func TestCloseEndsKills(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	d := r.make(5, 0)
	release, _ := hung(t, d.Born, 1)
	r.z.Kill(table.Kill{CT: 5})
	r.settled()
	closed := make(chan error)
	go func() { closed <- r.z.Close() }()
	select {
	case err := <-closed:
		check(t, err)
	case <-time.After(testenv.Deadline(20 * time.Second)):
		t.Error("Close waits for who is hung")
		release()
		<-closed
	}
	r.z = nil
	release()
}
