package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

// Stop ends every wait, and nobody waits afterwards.
func TestStop(t *testing.T) {
	longWindows(t)
	r := startRig(t, withBPF)
	a, b := r.agent(0), r.agent(0)
	bundle := a.open("process/bundle", unix.O_RDONLY)
	tmpl1, tmpl2 := a.open("process/template", unix.O_RDWR), b.open("process/template", unix.O_RDWR)
	reads := a.send(ask{Do: "read", N: bundle, M: 100})
	polls := a.send(ask{Do: "poll", N: a.open("process/pbundle", unix.O_RDONLY), M: 20000})
	if e := a.write(tmpl1, "activate"); e != 0 {
		t.Fatal(e)
	}
	births := b.send(ask{Do: "write", N: tmpl2, Text: "activate"})
	r.awaitWaiting(2) // the read and the second birth
	a.stays(reads, "a read of nothing")
	check(t, r.srv.Stop())
	check(t, <-r.served)
	r.served <- nil // for the rig's end
	if w := a.take(reads); unix.Errno(w.Errno) != unix.ENODEV {
		t.Errorf("the read: %+v", w)
	}
	if w := b.take(births); w.Errno != 0 && unix.Errno(w.Errno) != unix.ENODEV {
		t.Errorf("the activation: %+v", w)
	}
	check(t, r.srv.Close())
	r.srv = nil
	if len(r.keeper.held()) != 0 {
		t.Errorf("the keeper holds %v", r.keeper.held())
	}
	// The device is closed, so that nothing can wait.
	if w := a.take(polls); w.N&(unix.POLLERR|unix.POLLHUP|unix.POLLIN) == 0 {
		t.Errorf("the poll: %+v", w)
	}
	for _, path := range []string{"process/status", "process/bundle"} {
		if w := a.ask(ask{Do: "open", Path: path}); unix.Errno(w.Errno) != unix.ENOTCONN && unix.Errno(w.Errno) != unix.ECONNABORTED {
			t.Errorf("an open afterwards: %+v", w)
		}
	}
	check(t, cgroup2.Kill(r.root))
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Deadline(20*time.Second))
	defer cancel()
	check(t, cgroup2.AwaitEmpty(ctx, r.root))
}

// A stopped or closed server answers its supervisor with a name.
func TestCallsAfterTheEnd(t *testing.T) {
	r := startRig(t)
	s := r.srv
	w, err := s.Watch(Watching{})
	check(t, err)
	r.close()
	if _, err := s.New(NewContract{}); !errors.Is(err, ErrStopped) {
		t.Errorf("New: %v", err)
	}
	if err := s.Stop(); !errors.Is(err, ErrStopped) {
		t.Errorf("Stop: %v", err)
	}
	if _, err := w.Read(t.Context(), make([]byte, 1000)); !errors.Is(err, ErrStopped) {
		t.Errorf("Read: %v", err)
	}
	check(t, w.Close())
}

// The host's reader is told the host's numbers and all of a sender.
func TestWatch(t *testing.T) {
	r := startRig(t, withBPF)
	w, err := r.srv.Watch(Watching{})
	check(t, err)
	a := r.agent(0)
	ct, pid := a.start("critical empty signal\nfatal signal\n", "/bin/sleep", "1000")
	a.must(ask{Do: "kill", N: pid, M: int(unix.SIGTERM)})
	a.must(ask{Do: "wait", N: pid})
	var text string
	buf := make([]byte, 4096)
	for !strings.Contains(text, " empty ") {
		ctx, cancel := context.WithTimeout(t.Context(), testenv.Deadline(20*time.Second))
		n, err := w.Read(ctx, buf)
		cancel()
		check(t, err)
		text += string(buf[:n])
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	e, err := contract.ParseEvent(lines[len(lines)-2])
	check(t, err)
	if e.Kind != contract.Signal || int(e.CT) != ct || e.Sig != int32(unix.SIGTERM) || int(e.Pid) == pid || e.Sender.Kind != contract.FromProcess || e.Sender.CT != r.initDir.CT {
		t.Errorf("told was %s\n%+v", text, e)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.Read(ctx, buf); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing to read: %v", err)
	}
	got := make(chan error, 1)
	go func() { _, err := w.Read(context.Background(), buf); got <- err }()
	check(t, w.Close())
	if err := <-got; !errors.Is(err, io.EOF) {
		t.Errorf("a closed reader: %v", err)
	}
	old, err := r.srv.Watch(Watching{FromOldest: true})
	check(t, err)
	n, err := old.Read(t.Context(), buf)
	if err != nil || !strings.Contains(string(buf[:n]), " empty ") {
		t.Errorf("from the oldest: %q %v", buf[:n], err)
	}
	check(t, old.Close())
	all, err := r.srv.Statuses()
	if err != nil || len(all) != 2 || all[0].ID != 1 || all[1].State != contract.Owned {
		t.Errorf("%+v %v", all, err)
	}
}

// What a contract that is dead had to tell is kept for a reliable reader, and for another if it is
// not much; else he is told how many events went with it. Of 63 contracts none may be kept for that.
func TestWatchReliable(t *testing.T) {
	for _, c := range []struct {
		reliable   bool
		max        uint32
		told, lost int
	}{{false, 63, 1, 2}, {true, 63, 3, 0}, {false, 0, 3, 0}} {
		r := startRig(t, withBPF, func(r *rig) { r.cfg.ContractsMax = c.max })
		w, err := r.srv.Watch(Watching{Reliable: c.reliable})
		check(t, err)
		defer w.Close()
		a := r.agent(0)
		ct, pid := a.start("informative fork exit\ncritical empty\n", "/bin/true")
		a.must(ask{Do: "wait", N: pid})
		r.await(ct, "nevents", "1")
		if errno := a.write(a.open(fmt.Sprintf("process/%d/ctl", ct), unix.O_WRONLY), "abandon"); errno != 0 {
			t.Fatal(errno)
		}
		testenv.Eventually(t, func() bool { return r.status(ct, "state") != "owned" }, "the contract to be given up")
		ctx, cancel := context.WithTimeout(t.Context(), testenv.Deadline(20*time.Second)) // it is there
		buf := make([]byte, 16<<10)
		n, err := w.Read(ctx, buf)
		cancel()
		told, lost := 0, 0
		for line := range strings.Lines(string(buf[:n])) {
			e, err := contract.ParseEvent(strings.TrimSpace(line))
			switch check(t, err); {
			case e.Kind == contract.Lost:
				lost += int(e.Count)
			case int(e.CT) == ct:
				told++
			}
		}
		// The event at which a reader stands stays for any.
		if told != c.told || lost != c.lost {
			t.Errorf("%+v: told of %d events, %d lost: %q %v", c, told, lost, buf[:n], err)
		}
	}
}

// The supervisor's contracts: made, given up, of a login's directory, through restarts.
func TestSupervisorsContracts(t *testing.T) {
	r := startRig(t, withBPF)
	login := r.root + "/admin/l1"
	check(t, cgroup2.Make(login))
	d, err := r.srv.New(NewContract{Terms: contract.DefaultTerms(), Creator: "zlogin", Dir: login})
	check(t, err)
	if d.Path != login || d.Born != login {
		t.Errorf("%+v", d)
	}
	r.reopen()
	c := r.cmd(0, "/bin/sh", "-c", fmt.Sprintf("grep -l . %s/process/%d/status; exec sleep 1000", r.fs, d.CT))
	fd, err := unix.Open(login, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	c.SysProcAttr.CgroupFD = fd
	f := r.following(c)
	f.until("status")
	if got := r.status(int(d.CT), "state"); got != "owned" {
		t.Errorf("the login's contract is %q", got)
	}
	if got := r.status(int(d.CT), "members"); len(strings.Fields(got)) != 2 && len(strings.Fields(got)) != 1 {
		t.Errorf("its members are %q", got)
	}
	check(t, r.srv.Abandon(d.CT))
	r.await(int(d.CT), "state", "orphan")
	check(t, cgroup2.Kill(login))
	testenv.Eventually(t, func() bool { return r.status(int(d.CT), "state") == "" }, "the login's contract to go")
	if !exists(login) {
		t.Error("the login's directory is not the server's to remove")
	}
	if err := r.srv.Abandon(d.CT); !errors.Is(err, ErrNoContract) {
		t.Errorf("given up twice: %v", err)
	}
	fresh, err := r.srv.New(NewContract{Terms: contract.DefaultTerms()})
	check(t, err)
	check(t, r.srv.Abandon(fresh.CT))
	testenv.Eventually(t, func() bool { return !exists(fresh.Path) }, "an empty contract's directory to go")
	if _, err := r.srv.New(NewContract{Terms: contract.DefaultTerms(), Dir: "/etc"}); err == nil {
		t.Error("a directory elsewhere was taken")
	}
	if _, err := r.srv.New(NewContract{Terms: contract.Terms{Fatal: contract.Exit}}); err == nil {
		t.Error("terms that make no sense were taken")
	}
}

// When the file system is mounted nowhere any more the supervisor's contracts go on.
func TestUnmounted(t *testing.T) {
	r := startRig(t, withBPF)
	r.initIn.Close()
	check(t, cgroup2.Kill(r.root))
	d, err := r.srv.New(NewContract{Terms: contract.DefaultTerms()})
	check(t, err)
	testenv.Eventually(t, func() bool {
		gone := false
		check(t, r.srv.inbox.run(func() { gone = r.srv.session == nil }))
		return gone
	}, "the server to notice that its mount is gone")
	check(t, r.srv.Abandon(d.CT))
	r.reopen()
	_, err = r.srv.Statuses()
	check(t, err)
}
