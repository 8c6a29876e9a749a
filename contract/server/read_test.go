package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

const (
	ioReset    = 'c'<<8 | 0x40
	ioNext     = 'c'<<8 | 0x41
	ioReliable = 'c'<<8 | 0x42
	ioCritical = 'c'<<8 | 0x43
)

// A read waits until there is an event, with a server that dies meanwhile too.
func TestBlockingRead(t *testing.T) {
	for _, restarts := range []int{0, 1, 3} {
		t.Run(fmt.Sprintf("%d restarts", restarts), func(t *testing.T) {
			r := startRig(t, withBPF)
			a := r.agent(0)
			bundle, pbundle := a.open("process/bundle", unix.O_RDONLY), a.open("process/pbundle", unix.O_RDONLY)
			one, two := a.send(ask{Do: "read", N: bundle, M: 4096}), a.send(ask{Do: "read", N: pbundle, M: 4096})
			for range restarts {
				a.stays(one, "a read of nothing")
				r.reopen()
			}
			a.stays(one, "a read of nothing")
			a.stays(two, "a read of nothing")
			ct, pid := a.start("critical empty\n", "/bin/true")
			a.must(ask{Do: "wait", N: pid})
			for _, ch := range []chan told{one, two} {
				w := a.take(ch)
				if !strings.HasPrefix(w.Text, fmt.Sprintf("%d ", ct)) || !strings.Contains(w.Text, fmt.Sprintf(" crit noack process empty pid=%d ", pid)) {
					t.Errorf("%+v", w)
				}
			}
		})
	}
}

// A read that must not wait says so, and a poll tells when it need not.
func TestNonblocking(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarts %v", restarts), func(t *testing.T) {
			r := startRig(t, withBPF)
			a := r.agent(0)
			fd := a.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK)
			if _, errno := a.read(fd, 100); errno != unix.EAGAIN {
				t.Errorf("nothing to read: %v", errno)
			}
			if w := a.must(ask{Do: "poll", N: fd, M: 0}); w.N != 0 {
				t.Errorf("a poll of nothing: %#x", w.N)
			}
			polls := a.send(ask{Do: "poll", N: fd, M: 20000})
			if restarts {
				a.stays(polls, "a poll of nothing")
				r.reopen()
			}
			a.stays(polls, "a poll of nothing")
			_, pid := a.start("critical empty\n", "/bin/true")
			if w := a.take(polls); w.N&unix.POLLIN == 0 || w.Errno != 0 {
				t.Errorf("the poll: %+v", w)
			}
			a.must(ask{Do: "wait", N: pid})
			if text, errno := a.read(fd, 4096); errno != 0 || !strings.Contains(text, " empty ") {
				t.Errorf("%q %v", text, errno)
			}
			for _, always := range []string{"process/template", "process/1/status", "process/latest"} {
				fd := a.open(always, unix.O_RDONLY)
				if w := a.must(ask{Do: "poll", N: fd, M: 0}); w.N&unix.POLLIN == 0 {
					t.Errorf("a poll of %s: %#x", always, w.N)
				}
			}
		})
	}
}

// An event is read in pieces of one byte each, through restarts, and nothing is missing or
// twice.
func TestOneByteReads(t *testing.T) {
	r := startRig(t, withBPF)
	a := r.agent(0)
	whole, bytes := a.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK), a.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK)
	for range 2 {
		_, pid := a.start("informative fork exit\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
	}
	var want string
	testenv.Eventually(t, func() bool {
		text, errno := a.read(whole, 4096)
		if errno == 0 {
			want += text
		}
		return strings.Count(want, " empty ") == 2
	}, "the events")
	var got strings.Builder
	for i := 0; got.Len() < len(want); i++ {
		if i%29 == 28 {
			r.reopen()
		}
		text, errno := a.read(bytes, 1)
		if errno != 0 || len(text) != 1 {
			t.Fatalf("after %q: %q %v", got.String(), text, errno)
		}
		got.WriteString(text)
	}
	if got.String() != want {
		t.Errorf("byte by byte\n%s\nat once\n%s", got.String(), want)
	}
	if _, errno := a.read(bytes, 1); errno != unix.EAGAIN {
		t.Errorf("behind the last: %v", errno)
	}
}

// A signal with a handler ends a wait with EINTR, SIGKILL ends the process; with the server
// alive, and with one that was dead when it came.
func TestInterruptedRead(t *testing.T) {
	for _, dead := range []bool{false, true} {
		t.Run(fmt.Sprintf("dead %v", dead), func(t *testing.T) {
			r := startRig(t, withBPF)
			a := r.following(r.client(0, "interrupted", "bundle"))
			words := a.until("ready")
			pid, tid := r.hostThread(words[len(words)-1])
			r.awaitWaiting(1)
			signal := func(sig unix.Signal) {
				if dead {
					r.close()
				}
				check(t, unix.Tgkill(pid, tid, sig))
				if dead {
					time.Sleep(20 * time.Millisecond)
					r.open()
				}
			}
			signal(unix.SIGUSR1)
			a.until("interrupted system call")
			a.until("again")
			signal(unix.SIGKILL)
			for range a.lines {
			}
			r.quiet()
		})
	}
}

// hostThread is what the host calls a thread that has said "ready PID TID".
func (r *rig) hostThread(ready string) (pid, tid int) {
	r.t.Helper()
	var zpid, ztid int
	_, err := fmt.Sscanf(ready, "ready %d %d", &zpid, &ztid)
	check(r.t, err)
	pids, err := cgroup2.Procs(r.root)
	check(r.t, err)
	for _, pid := range pids {
		if inZone(fmt.Sprintf("/proc/%d/status", pid)) != zpid {
			continue
		}
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		check(r.t, err)
		for _, e := range threads {
			if inZone(fmt.Sprintf("/proc/%d/task/%s/status", pid, e.Name())) == ztid {
				tid, _ = strconv.Atoi(e.Name())
				return pid, tid
			}
		}
	}
	r.t.Fatalf("no process has said %q", ready)
	return 0, 0
}

// inZone is the last number of the line NSpid of a status.
func inZone(path string) int {
	b, _ := os.ReadFile(path)
	_, rest, _ := strings.Cut(string(b), "\nNSpid:")
	line, _, _ := strings.Cut(rest, "\n")
	words := strings.Fields(line)
	if len(words) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(words[len(words)-1])
	return n
}

// quiet waits until nobody waits in the file system.
func (r *rig) quiet() {
	r.t.Helper()
	testenv.Eventually(r.t, func() bool {
		n := 1
		check(r.t, r.srv.inbox.run(func() { n = len(r.srv.waits.byUnique) }))
		return n == 0
	}, "nobody to wait")
}

// Readers of one open file are served one after the other, each with events of its own.
func TestSharedReaders(t *testing.T) {
	r := startRig(t, withBPF)
	a := r.agent(0)
	fd := a.open("process/bundle", unix.O_RDONLY)
	var waits []chan told
	for range 10 {
		waits = append(waits, a.send(ask{Do: "read", N: fd, M: 120})) // one line fits
	}
	a.stays(waits[0], "a read of nothing")
	r.reopen()
	for range 10 {
		_, pid := a.start("critical empty\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
	}
	seen := map[string]bool{}
	for _, ch := range waits {
		w := a.take(ch)
		if w.Errno != 0 || seen[w.Text] || strings.Count(w.Text, "\n") != 1 {
			t.Errorf("%+v", w)
		}
		seen[w.Text] = true
	}
}

// The requests of contract(4): reset, next, reliable, critical only.
func TestIoctls(t *testing.T) {
	r := startRig(t, withBPF)
	a, user := r.agent(0), r.agent(1001)
	fd := a.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK)
	for range 3 {
		_, pid := a.start("informative exit\ncritical empty\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
	}
	lines := func(fd, want int) (all string) {
		testenv.Eventually(t, func() bool {
			text, errno := a.read(fd, 4096)
			if errno == 0 {
				all += text
			}
			return strings.Count(all, "\n") >= want
		}, "events")
		return all
	}
	first := lines(fd, 6)
	if strings.Count(first, "\n") != 6 {
		t.Errorf("read\n%s", first)
	}
	late := a.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK)
	if _, errno := a.read(late, 10); errno != unix.EAGAIN {
		t.Errorf("who comes late reads %v", errno)
	}
	a.must(ask{Do: "ioctl", N: late, M: ioReset})
	a.must(ask{Do: "ioctl", N: late, M: ioNext})
	a.must(ask{Do: "ioctl", N: late, M: ioCritical})
	if kept := lines(late, 2); strings.Count(kept, " empty ") != 2 || strings.Contains(kept, " exit ") {
		t.Errorf("the critical ones from the second on:\n%s", kept)
	}
	if w := a.ask(ask{Do: "ioctl", N: late, M: ioNext}); unix.Errno(w.Errno) != unix.EAGAIN {
		t.Errorf("next of nothing: %+v", w)
	}
	ufd := user.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK)
	if w := user.ask(ask{Do: "ioctl", N: ufd, M: ioReliable}); unix.Errno(w.Errno) != unix.EPERM {
		t.Errorf("an ordinary user's reliable: %+v", w)
	}
	a.must(ask{Do: "ioctl", N: fd, M: ioReliable})
	for _, other := range []string{"process/template", "process/1/status"} {
		o := a.open(other, unix.O_RDONLY)
		if w := a.ask(ask{Do: "ioctl", N: o, M: ioReset}); unix.Errno(w.Errno) != unix.ENOTTY {
			t.Errorf("reset of %s: %+v", other, w)
		}
	}
	if w := a.ask(ask{Do: "ioctl", N: fd, M: 'c'<<8 | 0x44}); unix.Errno(w.Errno) != unix.ENOTTY {
		t.Errorf("an unknown request: %+v", w)
	}
}

// An ordinary user's bundle has what it may see, and the end of an owner ends its pbundle.
func TestBundles(t *testing.T) {
	r := startRig(t, withBPF)
	alice, bob := r.agent(1001), r.agent(1002)
	fds := map[*agent]int{alice: alice.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK), bob: bob.open("process/bundle", unix.O_RDONLY|unix.O_NONBLOCK)}
	ct, pid := alice.start("critical empty\n", "/bin/true")
	alice.must(ask{Do: "wait", N: pid})
	testenv.Eventually(t, func() bool {
		text, _ := alice.read(fds[alice], 4096)
		return strings.HasPrefix(text, fmt.Sprint(ct))
	}, "alice's event")
	if text, errno := bob.read(fds[bob], 4096); errno != unix.EAGAIN {
		t.Errorf("bob read %q %v", text, errno)
	}
	// A pbundle that its owner passes on outlives it.
	out := r.following(r.client(0, "passon"))
	out.until("identifier removed")
}

// Bytes of a status are those of the moment of its open.
func TestStatusSnapshot(t *testing.T) {
	r := startRig(t, withBPF)
	a := r.agent(0)
	ct, pid := a.start("critical empty\n", "/bin/sleep", "1000")
	fd := a.open(fmt.Sprintf("process/%d/status", ct), unix.O_RDONLY)
	before := a.text(fd)
	if !strings.Contains(before, fmt.Sprintf("\nmembers %d\n", pid)) {
		t.Errorf("%s", before)
	}
	a.must(ask{Do: "kill", N: pid, M: int(unix.SIGKILL)})
	a.must(ask{Do: "wait", N: pid})
	r.await(ct, "nevents", "1")
	if after := a.text(fd); after != before {
		t.Errorf("an open status has changed:\n%s", after)
	}
	r.reopen()
	if after := a.text(fd); after != before {
		t.Errorf("an open status has changed with a restart:\n%s", after)
	}
}
