package server

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// Who may open what, how: a contract of alice's (1001), with her as owner; bob (1002), her
// other process, the zone's root.
func TestPermissions(t *testing.T) {
	r := startRig(t)
	owner, other, bob, root := r.agent(1001), r.agent(1001), r.agent(1002), r.agent(0)
	ct, _ := owner.start("", "/bin/sleep", "1000")
	who := []struct {
		name string
		a    *agent
	}{{"owner", owner}, {"author", other}, {"stranger", bob}, {"root", root}}
	const (
		ok     = unix.Errno(0)
		denied = unix.EACCES
	)
	file := func(name string) string { return fmt.Sprintf("process/%d/%s", ct, name) }
	for _, c := range []struct {
		path  string
		flags int
		want  [4]unix.Errno // as who
	}{
		{"process/template", unix.O_RDWR, [4]unix.Errno{ok, ok, ok, ok}},
		{"process/template", unix.O_RDONLY, [4]unix.Errno{ok, ok, ok, ok}},
		{"process/template", unix.O_WRONLY | unix.O_TRUNC, [4]unix.Errno{ok, ok, ok, ok}},
		{"process/bundle", unix.O_RDONLY, [4]unix.Errno{ok, ok, ok, ok}},
		{"process/bundle", unix.O_RDWR, [4]unix.Errno{denied, denied, denied, denied}},
		{"process/pbundle", unix.O_RDONLY, [4]unix.Errno{ok, ok, ok, ok}},
		{"process/pbundle", unix.O_WRONLY, [4]unix.Errno{denied, denied, denied, denied}},
		{"process/latest", unix.O_RDONLY, [4]unix.Errno{ok, unix.ESRCH, unix.ESRCH, unix.ESRCH}},
		{"process/latest", unix.O_RDWR, [4]unix.Errno{denied, denied, denied, denied}},
		{file("status"), unix.O_RDONLY, [4]unix.Errno{ok, ok, ok, ok}},
		{file("status"), unix.O_RDWR, [4]unix.Errno{denied, denied, denied, denied}},
		{file("status"), unix.O_RDONLY | unix.O_TRUNC, [4]unix.Errno{denied, denied, denied, denied}},
		{file("events"), unix.O_RDONLY, [4]unix.Errno{ok, ok, denied, ok}},
		{file("events"), unix.O_WRONLY, [4]unix.Errno{denied, denied, denied, denied}},
		{file("ctl"), unix.O_WRONLY, [4]unix.Errno{ok, denied, denied, denied}},
		{file("ctl"), unix.O_WRONLY | unix.O_TRUNC | unix.O_APPEND, [4]unix.Errno{ok, denied, denied, denied}},
		{file("ctl"), unix.O_RDWR, [4]unix.Errno{denied, denied, denied, denied}},
		{file("ctl"), unix.O_RDONLY, [4]unix.Errno{denied, denied, denied, denied}},
		{"process", unix.O_RDONLY | unix.O_DIRECTORY, [4]unix.Errno{ok, ok, ok, ok}},
		{"process", unix.O_WRONLY, [4]unix.Errno{unix.EISDIR, unix.EISDIR, unix.EISDIR, unix.EISDIR}},
	} {
		for i, w := range who {
			got := w.a.ask(ask{Do: "open", Path: c.path, N: c.flags})
			if unix.Errno(got.Errno) != c.want[i] {
				t.Errorf("%s opens %s with %#x: %v, want %v", w.name, c.path, c.flags, unix.Errno(got.Errno), c.want[i])
			}
			if got.Errno == 0 {
				w.a.must(ask{Do: "close", N: got.N})
			}
		}
	}
}

// What may be done through a ctl file, by whom, and what it says: 2.5 of the reference.
func TestCtl(t *testing.T) {
	r := startRig(t)
	a := r.agent(0)
	ct, pid := a.start("critical empty\n", "/bin/true")
	a.must(ask{Do: "wait", N: pid})
	r.await(ct, "nevents", "1")
	events := a.open(fmt.Sprintf("process/%d/events", ct), unix.O_RDONLY|unix.O_NONBLOCK)
	const reset = 'c'<<8 | 0x40
	a.must(ask{Do: "ioctl", N: events, M: reset})
	line, errno := a.read(events, 4096)
	var evct, ev int
	if _, err := fmt.Sscan(line, &evct, &ev); err != nil || errno != 0 || evct != ct {
		t.Fatalf("%q %v", line, errno)
	}
	ctl := a.open(fmt.Sprintf("process/%d/ctl", ct), unix.O_WRONLY)
	for _, c := range []struct {
		text string
		want unix.Errno
	}{
		{"", 0},
		{"nonsense", unix.EINVAL},
		{"ack", unix.EINVAL},
		{"ack x", unix.EINVAL},
		{"ack 1 2", unix.EINVAL},
		{"ack -1", unix.EINVAL},
		{"ack 99999999999999999999999", unix.EINVAL},
		{"abandon now", unix.EINVAL},
		{"abandon\nabandon", unix.EINVAL},
		{"newct 5", unix.EINVAL},
		{"ack 999999", unix.ESRCH},
		{fmt.Sprintf("qack %d", ev), unix.ERANGE},
		{fmt.Sprintf("nack %d\n", ev), unix.ESRCH},
		{"adopt", unix.EINVAL},
		{fmt.Sprintf(" ack  %#x \n", ev), 0},
		{fmt.Sprintf("ack %d\n", ev), unix.ESRCH},
		{fmt.Sprintf("qack %d", ev), unix.ESRCH},
	} {
		if c.text == "" {
			continue
		}
		if e := a.write(ctl, c.text); e != c.want {
			t.Errorf("%q: %v, want %v", c.text, e, c.want)
		}
	}
	r.await(ct, "nevents", "0")
	if e := a.write(ctl, "abandon\n"); e != 0 {
		t.Errorf("abandon: %v", e)
	}
	if e := a.write(ctl, "abandon\n"); e != unix.EINVAL && e != unix.ESRCH && e != unix.ENOENT {
		t.Errorf("abandon twice: %v", e)
	}
	if text, errno := a.read(events, 4096); errno != 0 || text != "" {
		t.Errorf("the end of a dead contract's events: %q %v", text, errno)
	}
	a.must(ask{Do: "close", N: events})
	// latest still names it, and keeps it visible.
	latest := a.open("process/latest", unix.O_RDONLY)
	if text := a.text(latest); r.status(ct, "state") != "dead" || text == "" {
		t.Errorf("the last contract that was made: %q", text)
	}
	ct2, pid := a.start("critical none\n", "/bin/true")
	a.must(ask{Do: "wait", N: pid})
	if w := a.ask(ask{Do: "stat", Path: fmt.Sprintf("process/%d", ct)}); unix.Errno(w.Errno) != unix.ENOENT {
		t.Errorf("contract %d is there after %d was made: %+v", ct, ct2, w)
	}
	// What was open stays what it was.
	if text := a.text(latest); text == "" {
		t.Error("the text of an open status file is gone")
	}
}

// The ctl file of all contracts: what may be done with which is seen at each write, whoever has opened
// it; a server that comes after knows it.
func TestCtls(t *testing.T) {
	r := startRig(t)
	a, other := r.agent(0), r.agent(0)
	ct, _ := a.start("params regent\ncritical none\n", "/bin/sleep", "1000")
	for _, flags := range []int{unix.O_RDONLY, unix.O_RDWR, unix.O_RDWR | unix.O_TRUNC} {
		if w := a.ask(ask{Do: "open", Path: "process/ctl", N: flags}); unix.Errno(w.Errno) != unix.EACCES {
			t.Errorf("opened with %#x: %+v", flags, w)
		}
	}
	mine, others := a.open("process/ctl", unix.O_WRONLY), other.open("process/ctl", unix.O_WRONLY|unix.O_TRUNC)
	user := r.agent(1001)
	users := user.open("process/ctl", unix.O_WRONLY)
	id := fmt.Sprint(ct)
	r.reopen()
	for _, c := range []struct {
		who  *agent
		fd   int
		text string
		want unix.Errno
	}{
		{other, others, id + " abandon\n", unix.EACCES},
		{user, users, id + " abandon\n", unix.EACCES},
		{other, others, id + " ack 1\n", unix.EACCES},
		{a, mine, "abandon\n", unix.EINVAL},
		{a, mine, id + "\n", unix.EINVAL},
		{a, mine, id + " nonsense\n", unix.EINVAL},
		{a, mine, "0" + id + " abandon\n", unix.EINVAL},
		{a, mine, id + " newct 1\n", unix.EINVAL},
		{a, mine, "1999999 abandon\n", unix.ENOENT},
		{a, mine, id + " ack 999999\n", unix.ESRCH},
		{a, mine, id + " abandon\n", 0},
	} {
		if e := c.who.write(c.fd, c.text); e != c.want {
			t.Errorf("%q: %v, want %v", c.text, e, c.want)
		}
	}
	r.await(ct, "state", "orphan")

	// Adopted, acknowledged and let go through it, by a member of the regent.
	regent := a.must(ask{Do: "start", Text: "params regent\ncritical none\n", Argv: []string{"/bin/sleep", "1000"}}).N
	member := r.memberOf(regent, 0)
	ct, _ = member.start("params inherit\ncritical empty\n", "/bin/sleep", "1000")
	second := r.memberOf(regent, 0)
	seconds := second.open("process/ctl", unix.O_WRONLY)
	if e := second.write(seconds, fmt.Sprint(ct, " adopt")); e != unix.EACCES {
		t.Errorf("adopted what has an owner: %v", e)
	}
	member.leave()
	r.await(ct, "state", "inherited")
	if e := other.write(others, fmt.Sprint(ct, " adopt")); e != unix.EACCES {
		t.Errorf("an outsider adopted: %v", e)
	}
	if e := second.write(seconds, fmt.Sprint(ct, " adopt\n")); e != 0 {
		t.Errorf("adopt: %v", e)
	}
	r.await(ct, "state", "owned")
	if e := second.write(seconds, fmt.Sprint(ct, " abandon")); e != 0 {
		t.Errorf("abandon: %v", e)
	}
	r.await(ct, "state", "orphan")
}

// A contract that is inherited is its regent's members' to adopt.
func TestInherit(t *testing.T) {
	r := startRig(t)
	// The regent's members make a contract that outlives its owner.
	a := r.agent(0)
	w := a.must(ask{Do: "start", Text: "params regent\ncritical none\n", Argv: []string{"/bin/sleep", "1000"}})
	regent := w.N
	member := r.memberOf(regent, 0)
	ct, _ := member.start("params inherit\ncritical empty\ncookie 77\n", "/bin/sleep", "1000")
	second := r.memberOf(regent, 0)
	outsider := r.agent(0)
	ctl := fmt.Sprintf("process/%d/ctl", ct)
	if w := second.ask(ask{Do: "open", Path: ctl, N: unix.O_WRONLY}); unix.Errno(w.Errno) != unix.EACCES {
		t.Errorf("another member opened an owned contract's ctl: %+v", w)
	}
	member.leave()
	r.await(ct, "state", "inherited")
	r.await(ct, "holder", fmt.Sprint(regent))
	r.await(regent, "contracts", fmt.Sprint(ct))
	if w := outsider.ask(ask{Do: "open", Path: ctl, N: unix.O_WRONLY}); unix.Errno(w.Errno) != unix.EACCES {
		t.Errorf("an outsider opened an inherited contract's ctl: %+v", w)
	}
	fd := second.open(ctl, unix.O_WRONLY)
	if e := second.write(fd, "adopt"); e != 0 {
		t.Errorf("adopt: %v", e)
	}
	r.await(ct, "state", "owned")
	pid := second.must(ask{Do: "pid"}).N
	r.await(ct, "holder", fmt.Sprint(pid))
	if e := second.write(fd, "abandon"); e != 0 {
		t.Errorf("abandon: %v", e)
	}
	r.await(ct, "state", "orphan")
}
