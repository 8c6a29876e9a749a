package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/internal/testenv"
)

// What one user holds is bounded; others and root go on.
func TestLimitsPerUser(t *testing.T) {
	r := startRig(t, withBPF)
	alice, bob, root := r.following(r.client(1001, "hoard", "process/bundle", "600")), r.agent(1002), r.agent(0)
	if got := last(alice.until("hoard")); got != fmt.Sprintf("hoard %d %v", handlesPerUser, unix.EMFILE) {
		t.Errorf("alice: %s", got)
	}
	bob.open("process/bundle", unix.O_RDONLY)
	root.open("process/bundle", unix.O_RDONLY)
	// All users together leave root its share of the table's.
	for uid := 2001; uid < 2001+8; uid++ {
		r.following(r.client(uid, "hoard", "process/template", "600")).until("hoard")
	}
	if w := bob.ask(ask{Do: "open", Path: "process/template", N: unix.O_RDWR}); unix.Errno(w.Errno) != unix.ENFILE {
		t.Errorf("a user when the zone's share is used up: %+v", w)
	}
	root.open("process/template", unix.O_RDWR)
	ct, pid := root.start("critical empty\n", "/bin/true")
	root.must(ask{Do: "wait", N: pid})
	r.await(ct, "nevents", "1")
	r.reopen() // the counts are kept
	if w := bob.ask(ask{Do: "open", Path: "process/template", N: unix.O_RDWR}); unix.Errno(w.Errno) != unix.ENFILE {
		t.Errorf("after a restart: %+v", w)
	}
	ct, pid = root.start("critical empty\n", "/bin/true")
	root.must(ask{Do: "wait", N: pid})
	r.await(ct, "nevents", "1")
}

func last(lines []string) string { return lines[len(lines)-1] }

// Reads that wait are bounded for a user.
func TestWaitersPerUser(t *testing.T) {
	r := startRig(t, withBPF)
	alice := r.agent(1001)
	fd := alice.open("process/bundle", unix.O_RDONLY)
	var waits []chan told
	for range waitingPerUser {
		waits = append(waits, alice.send(ask{Do: "read", N: fd, M: 10}))
	}
	testenv.Eventually(t, func() bool {
		n := 0
		check(t, r.srv.inbox.run(func() { n = len(r.srv.waits.byUnique) }))
		return n == waitingPerUser
	}, "all to wait")
	if _, errno := alice.read(fd, 10); errno != unix.EAGAIN {
		t.Errorf("one too many: %v", errno)
	}
	bob := r.agent(1002)
	bobs := bob.send(ask{Do: "read", N: bob.open("process/bundle", unix.O_RDONLY), M: 10})
	bob.stays(bobs, "another user's read")
	r.reopen()
	alice.stays(waits[0], "a read")
	bob.stays(bobs, "another user's read")
}

// A hundred thousand opens of a status, by a user who holds them all, cost the server nothing.
func TestManyOpens(t *testing.T) {
	r, _ := startChild(t, withBPF)
	before := r.child.rss()
	f := r.following(r.client(1001, "hoard", "process/1/status", strconv.Itoa(testenv.Rounds(100_000, 10_000))))
	words := last(f.untilWithin(4*time.Minute, "hoard")) // seconds, where nobody else wants the processors
	t.Logf("%s; the server had %d kB and has %d kB", words, before, r.child.rss())
	if after := r.child.rss(); after > before+16<<10 {
		t.Errorf("the server grew from %d to %d kB", before, after)
	}
	if out, code := r.sh(0, "head -1 process/1/status"); code != 0 || out != "id 1\n" {
		t.Errorf("%d %s", code, out)
	}
	r.child.kill()
	before2 := time.Now()
	r.spawn(0)
	t.Logf("resumed in %v", time.Since(before2))
	if out, code := r.sh(0, "head -1 process/1/status"); code != 0 || out != "id 1\n" {
		t.Errorf("%d %s", code, out)
	}
}

// rss is the memory of the server's process in kB.
func (c *child) rss() int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(b), "\nVmRSS:")
	var kB int
	_, _ = fmt.Sscan(rest, &kB)
	return kB
}

// Floods of requests, by processes that never stop, starve nobody: another reader is told of
// its events, the supervisor is answered, births happen.
func TestFlood(t *testing.T) {
	r := startRig(t, withBPF)
	for i, what := range []string{"stat", "open", "read", "activate", "huge", "list"} {
		r.following(r.client([]int{0, 1001}[i%2], "flood", what)).until("ready")
	}
	a := r.agent(1002)
	var worst time.Duration
	for range 20 {
		before := time.Now()
		ct, pid := a.start("critical empty\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
		fd := a.open(fmt.Sprintf("process/%d/events", ct), unix.O_RDONLY)
		a.must(ask{Do: "ioctl", N: fd, M: ioReset})
		if text, errno := a.read(fd, 4096); errno != 0 || !strings.Contains(text, " empty ") {
			t.Fatalf("%q %v", text, errno)
		}
		a.must(ask{Do: "close", N: fd})
		worst = max(worst, time.Since(before))
		if _, err := r.srv.Statuses(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("a birth, its end and its event took %v at most", worst)
}

// Clients that are killed in the middle of whatever they do leave nothing behind.
func TestClientsKilledAtRandom(t *testing.T) {
	r := startRig(t, withBPF)
	rounds := 40
	if testing.Short() {
		rounds = testenv.Rounds(8, 4)
	}
	for i := range rounds {
		var pids []int
		for j, what := range []string{"stat", "read", "activate", "births", "poll", "huge"} {
			f := r.following(r.client([]int{0, 1001}[(i+j)%2], "flood", what))
			pid, _ := r.hostThread(last(f.until("ready")))
			pids = append(pids, pid)
		}
		time.Sleep(testenv.Deadline(time.Duration(i*7919%20000) * time.Microsecond))
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if i%4 == 3 {
			r.reopen()
		}
	}
	r.quiet()
	testenv.EventuallyWithin(t, 40*time.Second, func() bool {
		handles := 1
		check(t, r.srv.inbox.run(func() { handles = len(r.srv.kept.handles) }))
		return handles == 0
	}, "all handles to be closed")
	r.next(t)
	// Contracts that were made are orphans that end, or dead.
	testenv.EventuallyWithin(t, 40*time.Second, func() bool { return len(r.dirs()) <= 2 }, "all contracts of dead makers to go")
	testenv.Eventually(t, func() bool {
		n := 1
		check(t, r.srv.inbox.run(func() { n = len(r.srv.retries) }))
		return n == 0
	}, "no contract to wait for anything")
	if fuse.ParkedMax < waitingPerUser {
		t.Error("a user can have all waits")
	}
}

// Ids end, and births with them, by name; what was given back is used again.
func TestIDsEnd(t *testing.T) {
	r := startRig(t, withBPF)
	check(t, r.srv.inbox.run(func() {
		s := r.srv
		for i := range s.ids.mem[idsPage : idsPage+4*blockTries/8] {
			s.ids.mem[idsPage+i] = 0xff
		}
		s.ids.h.block.Store(0)
		s.kept.nextCT = s.kept.endCT
	}))
	a := r.agent(0)
	if w := a.ask(ask{Do: "start", Argv: []string{"/bin/true"}}); unix.Errno(w.Errno) != unix.EAGAIN {
		t.Errorf("a birth without ids: %+v", w)
	}
	if _, err := r.srv.New(NewContract{}); err == nil || !strings.Contains(err.Error(), ErrIDs.Error()) {
		t.Errorf("New without ids: %v", err)
	}
	r.srv.ids.release(77)
	check(t, r.srv.inbox.run(func() { r.srv.ids.h.block.Store(0) }))
	if ct, _ := a.start("", "/bin/true"); blockOf(contractID(ct)) != 77 {
		t.Errorf("the contract is %d", ct)
	}
}

// A thousand contracts that come and go give their blocks of ids back.
func TestBlocksAreGivenBack(t *testing.T) {
	r := startRig(t, withBPF)
	a := r.agent(0)
	for range 300 {
		ct, pid := a.start("critical none\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
		fd := a.open(fmt.Sprintf("process/%d/ctl", ct), unix.O_WRONLY)
		a.write(fd, "abandon")
		a.must(ask{Do: "close", N: fd})
	}
	testenv.Eventually(t, func() bool {
		held := 0
		check(t, r.srv.inbox.run(func() { held = len(r.srv.kept.held) }))
		return held <= 3 // init's, the last one's, and what was not given back yet
	}, "the blocks to be given back")
}
