package kernel

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

// files of a tree that belong to the zone.
func zoneOwned(t *testing.T, r *rig) []string {
	t.Helper()
	var out []string
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := os.ReadDir(dir)
		check(t, err)
		for _, e := range entries {
			info, err := e.Info()
			check(t, err)
			path := dir + "/" + e.Name()
			if info.Sys().(*syscall.Stat_t).Uid == zoneUID {
				out = append(out, strings.TrimPrefix(path, r.root+"/"))
			}
			if e.IsDir() {
				walk(path)
			}
		}
	}
	walk(r.root)
	return out
}

// Root in the zone starts a process in a new contract, within the window and at no other time.
func TestBirth(t *testing.T) {
	r := newRig(t, Config{})
	z := newZone(t, r)
	closed := zoneOwned(t, r)
	r.make(5, contract.AllEvents)
	spawn := order{Do: "spawn", Path: "/ct/5/d", Argv: []string{"/bin/sleep", "1000"}}
	if a := z.ask(spawn); unix.Errno(a.Errno) != unix.EACCES {
		t.Errorf("a birth without a window: %v", unix.Errno(a.Errno))
	}
	w, err := r.z.OpenWindow(5, z.caller(r))
	check(t, err)
	if w.Mode != Clone || w.Path != "/ct/5/d" || w.CT != 5 {
		t.Errorf("the window is %+v", w)
	}
	if got := len(zoneOwned(t, r)) - len(closed); got != 2 {
		t.Errorf("%d files were opened: %q", got, zoneOwned(t, r))
	}
	if _, err := r.z.OpenWindow(5, z.caller(r)); !errors.Is(err, ErrWindow) {
		t.Errorf("a second window: %v", err)
	}
	a := z.ask(spawn)
	if a.Errno != 0 {
		t.Fatalf("a birth in the window: %v", unix.Errno(a.Errno))
	}
	p := z.host(r, 5, a.Pid)
	if at := r.placeName(p.Pid); at != "ct/5/d" || p.ZPid != int32(a.Pid) {
		t.Errorf("%+v was born in %s", p, at)
	}
	n, err := r.z.CloseWindow()
	check(t, err)
	if n != 0 {
		t.Errorf("%d intruders", n)
	}
	if got := zoneOwned(t, r); len(got) != len(closed) {
		t.Errorf("left open: %q", got)
	}
	if a := z.ask(spawn); unix.Errno(a.Errno) != unix.EACCES {
		t.Errorf("a birth after the window: %v", unix.Errno(a.Errno))
	}
	if _, err := r.z.OpenWindow(5, z.caller(r)); !errors.Is(err, ErrUsed) {
		t.Errorf("a window for a contract that has a member: %v", err)
	}
}

// A window costs microseconds.
func BenchmarkWindow(b *testing.B) {
	r := newRig(b, Config{})
	z := newZone(b, r)
	r.make(5, contract.AllEvents)
	c := z.caller(r)
	for b.Loop() {
		if _, err := r.z.OpenWindow(5, c); err != nil {
			b.Fatal(err)
		}
		if _, err := r.z.CloseWindow(); err != nil {
			b.Fatal(err)
		}
	}
}

// A supervisor that was killed while a window was open is followed by one that closes it, at
// whatever moment it was killed.
func TestWindowOfADeadSupervisor(t *testing.T) {
	r := newRig(t, Config{})
	z := newZone(t, r)
	for id := range contract.ID(100) {
		_, err := r.z.Make(10 + id)
		check(t, err)
	}
	closed := zoneOwned(t, r)
	open := func() {
		_, err := r.z.OpenWindow(20, z.caller(r))
		check(t, err)
	}
	for name, cut := range map[string]func(){
		"open":           func() {},
		"half open":      func() { check(t, os.Chown(r.root+"/ct/cgroup.procs", 0, -1)) },
		"marked alone":   func() { check(t, os.Chown(r.root+"/ct/20/d/cgroup.procs", 0, -1)) },
		"of a dead one":  func() { check(t, cgroup2.Remove(r.root+"/ct/20")) },
		"never was open": func() { _, _ = r.z.CloseWindow() },
	} {
		t.Run(name, func(t *testing.T) {
			if _, ok := r.z.Dir(20); !ok {
				_, err := r.z.Make(20)
				check(t, err)
			}
			open()
			cut()
			check(t, r.z.Close()) // as if killed: a window is not undone by it
			r.open(Config{CgroupNS: namespace(z.proc.Pid, "cgroup")})
			got := zoneOwned(t, r)
			if len(got) != len(closed) {
				t.Errorf("left open: %q", got)
			}
			var buf [16]byte
			if _, err := unix.Getxattr(r.root+"/ct", windowMark, buf[:]); err != unix.ENODATA {
				t.Errorf("the mark is left: %v", err)
			}
		})
	}
}

// Who is asked to clone, and who needs a gate.
func TestModes(t *testing.T) {
	r := newRig(t, Config{})
	z := newZone(t, r)
	r.make(5, 0)
	login := r.root + "/admin/l1"
	check(t, cgroup2.Make(login))
	_, err := r.z.Take(6, login)
	check(t, err)
	inLogin := z.ask(order{Do: "spawn", Argv: []string{"/bin/sleep", "1000"}})
	check(t, cgroup2.Enter(login, int(z.host(r, 1, inLogin.Pid).Pid)))
	alice := z.ask(order{Do: "spawn", UID: 1000, Argv: []string{"/bin/sleep", "1000"}})
	nested := z.ask(order{Do: "spawn", Argv: []string{"/usr/bin/unshare", "-C", "/bin/sleep", "1000"}})
	testenv.Eventually(t, func() bool { return commOf(int(z.host(r, 1, nested.Pid).Pid)) == "sleep" }, "unshare to be through")
	hostUser := born(t, r.root+"/admin", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}, "/bin/sleep", "1000")
	zonesOnHost := born(t, parentOf(r.root), &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: zoneUID, Gid: zoneUID}}, "/bin/sleep", "1000")
	for _, c := range []struct {
		name  string
		pid   int32
		mode  Mode
		path  string
		above string
		open  int
	}{
		{"root of the zone", z.proc.Pid, Clone, "/ct/5/d", "ct", 2},
		{"root of the zone in a login", z.host(r, 6, inLogin.Pid).Pid, Clone, "/ct/5/d", ".", 2},
		{"a user of the zone", z.host(r, 1, alice.Pid).Pid, Move, "", "", 0},
		{"root of the zone in a cgroup namespace of its own", z.host(r, 1, nested.Pid).Pid, Move, "", "", 0},
		{"root of the host", int32(os.Getpid()), Clone, strings.TrimPrefix(r.root, r.z.tree.mount) + "/ct/5/d", "", 0},
		{"a user of the host", int32(hostUser.Process.Pid), Move, "", "", 0},
		{"the zone's user on the host", int32(zonesOnHost.Process.Pid), Move, "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(zoneOwned(t, r))
			caller, err := r.z.ProcOf(c.pid)
			check(t, err)
			w, err := r.z.OpenWindow(5, caller)
			check(t, err)
			if w.Mode != c.mode || w.Path != c.path || r.z.window.above != c.above {
				t.Errorf("%+v above %q", w, r.z.window.above)
			}
			if got := len(zoneOwned(t, r)) - before; got != c.open {
				t.Errorf("%d files were opened", got)
			}
			_, err = r.z.CloseWindow()
			check(t, err)
			if got := len(zoneOwned(t, r)) - before; got != 0 {
				t.Errorf("%d files are left open", got)
			}
		})
	}
	if _, err := r.z.OpenWindow(5, Caller{}); err == nil {
		t.Error("a window for nobody")
	}
	if _, err := r.z.OpenWindow(6, z.caller(r)); !errors.Is(err, ErrNone) {
		t.Errorf("a birth in a login: %v", err)
	}
}

func parentOf(path string) string { return path[:strings.LastIndexByte(path, '/')] }

// The host's root gives birth in a zone's contract.
func TestBirthFromTheHost(t *testing.T) {
	r := newRig(t, Config{})
	r.make(5, contract.AllEvents)
	self, err := r.z.ProcOf(int32(os.Getpid()))
	check(t, err)
	if self.InZone || self.CT != 0 || self.UID != 0 || self.ZPid != 0 {
		t.Errorf("this process is %+v", self)
	}
	w, err := r.z.OpenWindow(5, self)
	check(t, err)
	cmd := born(t, r.z.tree.mount+w.Path, nil, "/bin/sleep", "1000")
	p, member, err := r.z.Find(5, self, int32(cmd.Process.Pid))
	check(t, err)
	if !member || p.Pid != int32(cmd.Process.Pid) || p.ZPid != 0 {
		t.Errorf("%+v, %v", p, member)
	}
	n, err := r.z.CloseWindow()
	if n != 0 || err != nil {
		t.Errorf("%d intruders, %v", n, err)
	}
}

// A process of the caller's that waits behind a gate is moved, and nobody else is.
func TestMove(t *testing.T) {
	r := newRig(t, Config{})
	z := newZone(t, r)
	r.make(5, contract.AllEvents)
	r.make(7, 0)
	caller := z.caller(r)
	child := z.ask(order{Do: "spawn", UID: 1000, Argv: []string{"/bin/sleep", "1000"}})
	p, member, err := r.z.Find(5, caller, int32(child.Pid))
	check(t, err)
	if member {
		t.Error("a gate is a member before it was moved")
	}
	moved := func(c Caller, id contract.ID) error {
		r.z.Move(id, c, p)
		n := len(r.got)
		var got error
		r.await("a move", func(rep Report) bool { got = rep.Err; return len(r.got) > n && rep.What == Moved && rep.Proc == p })
		r.got = nil
		return got
	}
	stranger := caller
	stranger.Proc = procOf(t, os.Getpid())
	if err := moved(stranger, 5); !errors.Is(err, ErrNotChild) {
		t.Errorf("another's child: %v", err)
	}
	if err := moved(caller, 9); !errors.Is(err, ErrNone) {
		t.Errorf("a contract that is not there: %v", err)
	}
	check(t, moved(caller, 5))
	if at := r.placeName(p.Pid); at != "ct/5/d" {
		t.Errorf("the gate lives in %s", at)
	}
	if err := moved(caller, 7); !errors.Is(err, ErrPlace) {
		t.Errorf("a member of another contract: %v", err)
	}
	z.ask(order{Do: "kill", N: child.Pid, UID: 9})
	testenv.Eventually(t, func() bool { return !alive(p) }, "the gate to end")
	if err := moved(caller, 5); !errors.Is(err, ErrGone) {
		t.Errorf("a dead one: %v", err)
	}
}

// Numbers of the caller's namespace lead to the caller's children and the contract's members.
func TestFind(t *testing.T) {
	r := newRig(t, Config{})
	z := newZone(t, r)
	r.make(5, 0)
	caller := z.caller(r)
	child := z.ask(order{Do: "spawn", Argv: []string{"/bin/sh", "-c", "/bin/sleep 1000 & wait"}})
	p, _, err := r.z.Find(5, caller, int32(child.Pid))
	check(t, err)
	place := r.z.tree.places[5]
	slow, err := hostPidSlow(caller, int32(child.Pid), place, r.z.tree.mount)
	if err != nil || slow != p.Pid {
		t.Errorf("the slow way finds %d, %v, the fast one %d", slow, err, p.Pid)
	}
	for _, pid := range []int32{0, -1, 1, 30000} { // 1 is the caller itself
		if _, _, err := r.z.Find(5, caller, pid); !errors.Is(err, ErrNotChild) {
			t.Errorf("%d: %v", pid, err)
		}
	}
	var grandchild int32
	testenv.Eventually(t, func() bool {
		for _, pid := range pidsIn(t, r.root+"/ct/1") {
			if s, err := readStat(int32(pid)); err == nil && s.ppid == p.Pid {
				q := procOf(t, pid)
				grandchild = q.ZPid
			}
		}
		return grandchild != 0
	}, "the grandchild")
	if _, _, err := r.z.Find(5, caller, grandchild); !errors.Is(err, ErrNotChild) {
		t.Errorf("a grandchild: %v", err)
	}
}

// A first member that has ended before it is named is found as long as its maker has not waited
// for it, in whichever way numbers are translated.
func TestFindTheDead(t *testing.T) {
	r := newRig(t, Config{})
	d := r.make(5, 0)
	maker, err := r.z.ProcOf(int32(os.Getpid()))
	check(t, err)
	cmd := born(t, d.Born, nil, "/bin/true")
	p := procOf(t, cmd.Process.Pid)
	testenv.Eventually(t, func() bool { s, err := readStat(p.Pid); return err == nil && s.state == 'Z' }, "its end")
	if got, member, err := r.z.Find(5, maker, p.Pid); err != nil || !member || got.Pid != p.Pid {
		t.Errorf("%+v, a member: %v, %v", got, member, err)
	}
	if pid, err := hostPidSlow(maker, p.Pid, r.z.tree.places[5], r.z.tree.mount); err != nil || pid != p.Pid {
		t.Errorf("the slow way finds %d, %v", pid, err)
	}
	_ = cmd.Wait()
	if _, _, err := r.z.Find(5, maker, p.Pid); !errors.Is(err, ErrNotChild) {
		t.Errorf("who was waited for: %v", err)
	}
}
