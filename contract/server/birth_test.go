package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
)

// dirs are the contracts that have a directory.
func (r *rig) dirs() (names []string) {
	entries, _ := os.ReadDir(r.root + "/ct")
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// A client is killed after each step of a birth: what nobody was born into is gone, what has a
// member is its maker's, who is dead: an orphan.
func TestClientKilledInBirth(t *testing.T) {
	longWindows(t)
	for _, source := range []string{"bpf", "connector", "cgroup"} {
		for step := range 5 {
			t.Run(fmt.Sprintf("%s/step %d", source, step), func(t *testing.T) {
				r := startRig(t, sources[source])
				a := r.agent(0)
				fd := a.open("process/template", unix.O_RDWR)
				steps := []func(){
					func() { a.write(fd, "params noorphan\n") },
					func() { a.write(fd, "activate") },
					func() { a.text(fd) },
					func() { a.must(ask{Do: "fork", Text: "/ct/2/d", Argv: []string{"/bin/sleep", "1000"}}) },
					func() { a.write(fd, fmt.Sprintf("born %d", a.must(ask{Do: "pid"}).N+1000)) },
				}
				for _, do := range steps[:step+1] {
					do()
				}
				r.kill9(a)
				r.overdue() // of a dead client too the window closes when its time is over
				// NOORPHAN: what was born is killed with its owner's death.
				testenv.Eventually(t, func() bool { return len(r.dirs()) == 1 }, "only init's contract to be left")
				r.next(t)
			})
		}
	}
}

// kill9 kills an agent's process in the zone.
func (r *rig) kill9(a *agent) {
	r.t.Helper()
	pid, _ := r.hostThread(fmt.Sprintf("ready %d %d", a.must(ask{Do: "pid"}).N, a.must(ask{Do: "pid"}).N))
	check(r.t, unix.Kill(pid, unix.SIGKILL))
}

// next makes another contract: births go on.
func (r *rig) next(t *testing.T) {
	t.Helper()
	b := r.agent(0)
	ct, pid := b.start("critical empty\n", "/bin/true")
	b.must(ask{Do: "wait", N: pid})
	r.await(ct, "nevents", "1")
}

// A maker that dies between the birth and its word for it leaves an orphan, as one that forked
// with an active template does.
func TestMakerDiesBeforeBorn(t *testing.T) {
	longWindows(t)
	for _, source := range []string{"bpf", "connector", "pidfd", "cgroup"} {
		t.Run(source, func(t *testing.T) {
			r := startRig(t, sources[source])
			a := r.agent(0)
			fd := a.open("process/template", unix.O_RDWR)
			a.write(fd, "activate")
			pid := a.must(ask{Do: "fork", Text: "/ct/2/d", Argv: []string{"/bin/sleep", "1000"}}).N
			r.kill9(a)
			r.await(2, "state", "orphan")
			r.await(2, "members", strconv.Itoa(pid))
		})
	}
}

// Many clients make contracts at the same time, the zone's root by clone3 and users behind
// gates. All are served, and all contracts are different.
func TestManyBirths(t *testing.T) {
	r := startRig(t, withBPF)
	var mu sync.Mutex
	seen := map[int]bool{}
	var wg sync.WaitGroup
	for i := range 12 {
		a := r.agent([]int{0, 0, 1001, 1002}[i%4])
		wg.Go(func() {
			for range 10 {
				w := a.ask(ask{Do: "start", Text: "critical none\n", Argv: []string{"/bin/true"}})
				if w.Errno != 0 {
					t.Errorf("%+v", w)
					return
				}
				mu.Lock()
				if seen[w.N] {
					t.Errorf("contract %d was made twice", w.N)
				}
				seen[w.N] = true
				mu.Unlock()
				pid, _ := strconv.Atoi(w.Text)
				a.ask(ask{Do: "wait", N: pid})
			}
		})
	}
	wg.Wait()
	if len(seen) != 120 {
		t.Errorf("%d contracts", len(seen))
	}
}

// Clients that hold the window and never fork delay others by its time, each, and no more; a
// signal ends the wait for it.
func TestWindowIsTaken(t *testing.T) {
	r := startRig(t, withBPF)
	hogs := []*agent{r.agent(0), r.agent(0), r.agent(0)}
	var waits []chan told
	for _, h := range hogs {
		fd := h.open("process/template", unix.O_RDWR)
		waits = append(waits, h.send(ask{Do: "write", N: fd, Text: "activate"}))
	}
	a := r.agent(0)
	before := time.Now()
	_, pid := a.start("critical none\n", "/bin/true")
	took := time.Since(before)
	a.must(ask{Do: "wait", N: pid})
	for i, h := range hogs {
		if w := h.take(waits[i]); w.Errno != 0 {
			t.Errorf("%+v", w)
		}
	}
	t.Logf("a birth behind three that never came took %v", took)
	// They go with their makers: init's and the last one are left.
	for _, h := range hogs {
		h.leave()
	}
	testenv.Eventually(t, func() bool { return len(r.dirs()) == 2 }, "births that never came to be given up")
}

// A first member may have ended long before it is named, and its moment with it: as long as its
// maker has not waited for it, it is taken, and its contract is empty then.
func TestNamedLate(t *testing.T) {
	longWindows(t)
	for _, source := range []string{"bpf", "connector", "pidfd", "cgroup"} {
		t.Run(source, func(t *testing.T) {
			r := startRig(t, sources[source])
			a := r.agent(0)
			fd := a.open("process/template", unix.O_RDWR)
			a.write(fd, "critical empty\n")
			a.write(fd, "activate")
			pid := a.must(ask{Do: "fork", Text: "/ct/2/d", Argv: []string{"/bin/true"}}).N
			r.overdue()
			r.reopen()
			if errno := a.write(fd, fmt.Sprintf("born %d", pid)); errno != 0 {
				t.Fatalf("born: %v; %s", errno, a.text(fd))
			}
			r.await(2, "nevents", "1")
			a.must(ask{Do: "wait", N: pid})
			if got := r.status(2, "state"); got != "owned" {
				t.Errorf("it is %s", got)
			}
		})
	}
}

// The command could not be executed: nothing is left.
func TestExecFails(t *testing.T) {
	for _, source := range []string{"bpf", "cgroup"} {
		t.Run(source, func(t *testing.T) {
			r := startRig(t, sources[source])
			for _, uid := range []int{0, 1001} {
				a := r.agent(uid)
				w := a.ask(ask{Do: "start", Argv: []string{"/no/such/program"}})
				if unix.Errno(w.Errno) != unix.ENOENT {
					t.Errorf("user %d: %+v", uid, w)
				}
				testenv.Eventually(t, func() bool { return len(r.dirs()) == 1 }, "nothing to be left")
				// latest may still name it.
				out, _ := r.sh(0, "grep -h ^state all/*/status")
				for line := range strings.Lines(strings.TrimPrefix(out, "state owned\n")) {
					if line != "state dead\n" {
						t.Errorf("user %d: %s", uid, line)
					}
				}
			}
		})
	}
}

// Directories of contracts that are no more stay a moment, and take nobody's place: births in a row find
// room, as many as there have been.
func TestRoomOfTheDead(t *testing.T) {
	before := removeAfter
	t.Cleanup(func() { removeAfter = before }) // when the server has ended
	removeAfter = time.Minute
	r := startRig(t, func(r *rig) { r.cfg.ContractsMax = 3 })
	a := r.agent(0)
	for i := range 100 {
		ct, pid := a.start("critical none\nparams none\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
		ctl := a.open(fmt.Sprintf("process/%d/ctl", ct), unix.O_WRONLY)
		if e := a.write(ctl, "abandon"); e != 0 {
			t.Fatalf("abandon the contract of birth %d: %v", i, e)
		}
		a.must(ask{Do: "close", N: ctl})
		r.await(ct, "state", "dead")
	}
}

// A birth that was given up before the word of it came is one all the same: its contract is not taken
// away when its member has ended, as what nobody was born into is, and tells that it is empty.
func TestGivenUpAndTold(t *testing.T) {
	longWindows(t)
	for _, source := range []string{"bpf", "connector"} {
		t.Run(source, func(t *testing.T) {
			r := startRig(t, sources[source])
			listen := func(on bool) { check(t, r.srv.inbox.run(func() { r.srv.listen(on) })) }
			a := r.agent(0)
			fd := a.open("process/template", unix.O_RDWR)
			a.write(fd, "critical empty\n")
			a.write(fd, "activate")
			listen(false)
			pid := a.must(ask{Do: "fork", Text: "/ct/2/d", Argv: []string{"/bin/sleep", "1000"}}).N
			a.must(ask{Do: "close", N: fd})
			time.Sleep(testenv.Deadline(50 * time.Millisecond)) // it is to be taken away, and is busy
			listen(true)
			r.await(2, "state", "owned")
			r.await(2, "members", strconv.Itoa(pid))
			a.must(ask{Do: "kill", N: pid, M: int(unix.SIGKILL)})
			a.must(ask{Do: "wait", N: pid})
			r.await(2, "nevents", "1")
			time.Sleep(testenv.Deadline(200 * time.Millisecond)) // another try of that comes meanwhile
			if dirs := r.dirs(); len(dirs) != 2 {
				t.Errorf("there are %q", dirs)
			}
		})
	}
}

// Numbers that are none of the caller's children are refused; so is a contract too many.
func TestBornOfOthers(t *testing.T) {
	r := startRig(t, func(r *rig) { r.cfg.ContractsMax = 3 })
	a, b := r.agent(0), r.agent(0)
	stranger := b.must(ask{Do: "fork", Argv: []string{"/bin/sleep", "1000"}}).N
	fd := a.open("process/template", unix.O_RDWR)
	a.write(fd, "activate")
	for _, pid := range []int{stranger, 1, a.must(ask{Do: "pid"}).N, 999999} {
		if e := a.write(fd, fmt.Sprintf("born %d", pid)); e != unix.ESRCH && e != unix.EPERM {
			t.Errorf("born %d: %v", pid, e)
		}
	}
	own := a.must(ask{Do: "fork", Argv: []string{"/bin/sleep", "1000"}}).N
	if e := a.write(fd, fmt.Sprintf("born %d", own)); e != 0 {
		t.Errorf("a child that is moved in: %v", e)
	}
	r.await(2, "members", strconv.Itoa(own))
	// The limit counts init's, the one above and one more.
	a.start("critical none\n", "/bin/sleep", "1000")
	if w := a.ask(ask{Do: "start", Argv: []string{"/bin/true"}}); unix.Errno(w.Errno) != unix.EAGAIN {
		t.Errorf("a contract too many: %+v", w)
	}
	check(t, r.srv.SetContractsMax(4))
	a.start("critical none\n", "/bin/sleep", "1000")
}

// A process of the host's root makes a contract in the zone's file system, as zlogin's would.
// It is not the server's own: a poll that waits for the server holds the epoll of its process,
// which the server needs whenever it opens a file.
func TestHostCaller(t *testing.T) {
	r := startRig(t, withBPF)
	visitor := exec.Command(r.self, fmt.Sprintf("/proc/%d/root%s", r.initPid, r.fs))
	visitor.Env, visitor.Stderr = append(os.Environ(), roleVariable+"=visit"), os.Stderr
	in, err := visitor.StdinPipe()
	check(t, err)
	out, err := visitor.StdoutPipe()
	check(t, err)
	check(t, visitor.Start())
	t.Cleanup(func() { _ = visitor.Process.Kill(); _ = visitor.Wait() })
	var id int
	_, err = fmt.Fscanln(out, &id)
	check(t, err)
	if got := r.status(id, "holder"); got != "-" && got != "0" {
		t.Errorf("in the zone the holder is %q", got)
	}
	in.Close()
	check(t, visitor.Wait())
}

// visitClient makes a contract, says its number, and has it end when the input does.
func visitClient(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	tmpl, err := fs.Template()
	if err != nil {
		return err
	}
	ct, p, err := tmpl.Start("/bin/sleep", []string{"sleep", "1000"}, nil)
	if err != nil {
		return err
	}
	st, err := ct.Status()
	if err != nil || st.Holder != int64(os.Getpid()) || len(st.Members) != 1 || st.Members[0] != int32(p.Pid) {
		return fmt.Errorf("its status is %+v, %v", st, err)
	}
	fmt.Println(ct.ID)
	_, _ = fmt.Scanln()
	ev, err := ct.Events()
	if err != nil {
		return err
	}
	if err := p.Kill(); err != nil {
		return err
	}
	if _, err := p.Wait(); err != nil {
		return err
	}
	e, err := ev.Next(context.Background())
	if err != nil || e.Kind != contract.Empty || e.Pid != int32(p.Pid) {
		return fmt.Errorf("told was %+v, %v", e, err)
	}
	if err := ct.Ack(e.ID); err != nil {
		return err
	}
	return ct.Abandon()
}

// A process of the zone's root that uses another's window brings its child into that contract.
// The one that the maker names is a member all the same.
func TestStrangerInWindow(t *testing.T) {
	longWindows(t)
	r := startRig(t, withBPF)
	a, b := r.agent(0), r.agent(0)
	fd := a.open("process/template", unix.O_RDWR)
	if e := a.write(fd, "activate"); e != 0 {
		t.Fatal(e)
	}
	own := a.must(ask{Do: "fork", Argv: []string{"/bin/sleep", "1000"}}).N
	stranger := b.ask(ask{Do: "fork", Text: "/ct/2/d", Argv: []string{"/bin/sleep", "1000"}})
	if e := a.write(fd, fmt.Sprintf("born %d", own)); e != 0 {
		t.Fatalf("born: %v", e)
	}
	want := strconv.Itoa(own)
	if stranger.Errno == 0 {
		want += " " + strconv.Itoa(stranger.N)
	}
	r.await(2, "members", want)
	r.await(2, "holder", strconv.Itoa(a.must(ask{Do: "pid"}).N))
}

// A birth by a move has no moment to be missed: it waits as long as its maker, through restarts,
// and keeps no other from being born.
func TestBirthByMoveHasTime(t *testing.T) {
	for _, source := range []string{"bpf", "connector", "cgroup"} {
		t.Run(source, func(t *testing.T) {
			r := startRig(t, sources[source])
			a := r.agent(0)
			fd := a.open("process/template", unix.O_RDWR)
			if errno := a.write(fd, "activate move"); errno != 0 {
				t.Fatal(errno)
			}
			text := a.text(fd)
			if !strings.Contains(text, "\nbirth 2 move\n") {
				t.Fatalf("the template says %s", text)
			}
			r.next(t)
			r.reopen()
			time.Sleep(2 * windowLimit) // what would be over by now otherwise
			pid := a.must(ask{Do: "fork", Argv: []string{"/bin/sleep", "1000"}}).N
			if errno := a.write(fd, fmt.Sprintf("born %d", pid)); errno != 0 {
				t.Fatalf("born: %v; %s", errno, a.text(fd))
			}
			r.await(2, "members", strconv.Itoa(pid))
			if got := r.status(2, "state"); got != "owned" {
				t.Errorf("it is %s", got)
			}
			r.next(t)
		})
	}
}
