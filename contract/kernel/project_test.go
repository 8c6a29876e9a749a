package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/quota"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

// pools are the zone's in these tests.
var pools = map[string]string{"first": "0", "far": "8000-8001"}

// projectRig is a rig whose zone may have left something in old hierarchies.
func projectRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, Config{Pools: pools})
	t.Cleanup(func() {
		_ = cgroup2.Kill(r.root)
		h, err := quota.Look(r.z.tree.mount, r.root)
		check(t, err)
		testenv.Eventually(t, func() bool { return h.Forget() == nil }, "what is in old hierarchies to go")
	})
	return r
}

func (r *rig) within(id contract.ID, w contract.Within, from contract.ID) Dir {
	r.t.Helper()
	d, err := r.z.MakeWithin(id, w, from)
	check(r.t, err)
	check(r.t, r.z.Watch(id, contract.AllEvents, 0))
	return d
}

// start starts a command in a contract, by whichever way the contract wants.
func (z *zone) start(r *rig, id contract.ID, argv ...string) table.Proc {
	z.t.Helper()
	w, err := r.z.OpenWindow(id, z.caller(r))
	check(z.t, err)
	path := ""
	if w.Mode == Clone {
		path = w.Path
	}
	a := z.ask(order{Do: "spawn", Path: path, Argv: argv})
	if a.Errno != 0 {
		z.t.Fatalf("a birth in contract %d: %v", id, unix.Errno(a.Errno))
	}
	p := z.host(r, id, a.Pid)
	_, err = r.z.CloseWindow()
	check(z.t, err)
	if w.Mode == Move {
		r.z.Move(id, z.caller(r), p)
		check(z.t, r.await("a move", func(rep Report) bool { return rep.What == Moved && rep.Proc == p }).Err)
	}
	check(z.t, r.z.Born(id, p))
	return p
}

// waits is a command that does nothing until it is killed.
var waits = []string{"/bin/sleep", "1000"}

func web(processes uint64) *contract.Project {
	return &contract.Project{ID: 100, Name: "web", Processes: processes}
}

// twinsOf are what old hierarchies have of the zone's.
func (r *rig) twinsOf(name string) (dirs []string) {
	h, err := r.z.tree.controllers()
	check(r.t, err)
	if pool, is := strings.CutPrefix(name, "pool."); is {
		if dir := h.PoolTwin(pool); dir != "" {
			return []string{dir}
		}
		return nil
	}
	return h.Twins(name)
}

// All contracts of a project lie in its directory, on the level of others; it is there as long as they.
func TestProject(t *testing.T) {
	r := projectRig(t)
	z := newZone(t, r)
	five := r.within(5, contract.Within{Project: web(20)}, initCT)
	closed := zoneOwned(t, r)
	if five.Path != r.root+"/p100/5" || five.Born != five.Path+"/d" {
		t.Errorf("%+v", five)
	}
	p := z.start(r, 5, waits...)
	if at := r.placeName(p.Pid); at != "p100/5/d" {
		t.Errorf("the first member is in %s", at)
	}
	r.within(6, contract.Within{Project: &contract.Project{ID: 100, Name: "renamed", Processes: 30}}, initCT)
	q := z.start(r, 6, waits...)
	if got := zoneOwned(t, r); !slices.Equal(got, closed) {
		t.Errorf("the zone's are now %q", got)
	}
	for _, dir := range r.twinsOf("p100") {
		pids, err := os.ReadFile(dir + "/cgroup.procs")
		if err != nil || !strings.Contains(string(pids), fmt.Sprintf("%d\n", p.Pid)) || !strings.Contains(string(pids), fmt.Sprintf("%d\n", q.Pid)) {
			t.Errorf("%s has %q, %v", dir, pids, err)
		}
	}
	r.pump()
	check(t, r.z.Close())
	r.z = nil
	r.open(Config{Pools: pools, CgroupNS: namespace(z.proc.Pid, "cgroup")})
	for id, member := range map[contract.ID]table.Proc{5: p, 6: q} {
		got := r.z.Within(id)
		if got.Project == nil || *got.Project != (contract.Project{ID: 100, Name: "renamed"}) || got.Pool != "" {
			t.Errorf("%d counts in %+v", id, got.Project)
		}
		c, err := r.z.ProcOf(member.Pid)
		check(t, err)
		pids, _, err := r.z.Members(id, 10)
		if c.CT != id || err != nil || !slices.Equal(pids, []int32{member.Pid}) {
			t.Errorf("a member of %d is one of %d; members are %v, %v", id, c.CT, pids, err)
		}
		check(t, r.z.Watch(id, contract.AllEvents, 0))
	}
	check(t, r.z.Resync([]contract.ID{5, 6}))
	for n, id := range []contract.ID{5, 6} {
		r.z.Kill(table.Kill{CT: id})
		r.awaitEmpty(id)
		testenv.Eventually(t, func() bool { return r.z.Remove(id) == nil }, "a contract to be removed")
		if there := exists(r.root + "/p100"); there != (n == 0) {
			t.Errorf("behind contract %d the project's directory is there: %v", id, there)
		}
	}
	if left := r.twinsOf("p100"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// The bound of a project holds for its contracts together, and not for others.
func TestBoundOfAProject(t *testing.T) {
	r := projectRig(t)
	z := newZone(t, r)
	const full = "i=0; while test $i -lt 39; do sleep 1000 & i=$((i+1)); done; wait"
	r.within(5, contract.Within{Project: web(30)}, initCT)
	r.within(6, contract.Within{Project: web(30)}, initCT)
	r.within(7, contract.Within{}, initCT)
	z.start(r, 6, waits...)
	// Nothing holds it back here, as a gate does, until it has been moved in.
	const moved = `until while read -r l; do case $l in 0::*/p100/*) in=1;; esac; done </proc/self/cgroup; test "$in"; do :; done; `
	z.start(r, 5, "/bin/sh", "-c", moved+full)
	z.start(r, 7, "/bin/sh", "-c", full)
	members := func(id contract.ID) int {
		pids, _, err := r.z.Members(id, 100)
		check(t, err)
		return len(pids)
	}
	testenv.Eventually(t, func() bool { return members(7) == 40 }, "all processes of who is in no project")
	// A shell that cannot fork ends, its children stay.
	n := 0
	testenv.Eventually(t, func() bool { n = members(5); return n == 28 || n == 29 || n > 30 }, "as many processes as the project may have")
	if n += members(6); n > 30 {
		t.Errorf("%d processes in a project of 30", n)
	}
}

// What is not said is as with the contract of who asks; a login has nothing to be inherited.
func TestWithinInherited(t *testing.T) {
	r := projectRig(t)
	check(t, cgroup2.Make(r.root+"/admin/l1"))
	_, err := r.z.Take(4, r.root+"/admin/l1")
	check(t, err)
	r.within(5, contract.Within{Project: web(20), Pool: "first"}, initCT)
	r.within(6, contract.Within{}, 5)
	r.within(7, contract.Within{Project: &contract.Project{ID: 0, Name: "system"}}, 5)
	r.within(8, contract.Within{}, 4)
	r.within(9, contract.Within{}, 99)
	r.within(10, contract.Within{Pool: "first"}, initCT)
	for id, want := range map[contract.ID]string{5: "p100 first", 6: "p100 first", 7: "p0 first", 8: "ct ", 9: "ct ", 10: "ct first"} {
		if p := r.z.tree.places[id]; p.above+" "+p.pool != want {
			t.Errorf("contract %d is in %s %s, not %s", id, p.above, p.pool, want)
		}
	}
	if w := r.z.Within(4); !w.Empty() || !r.z.Within(77).Empty() {
		t.Errorf("a login counts in %+v", w)
	}
	for _, id := range []contract.ID{5, 6, 7, 8, 9, 10} {
		check(t, r.z.Remove(id))
	}
	for _, name := range []string{"p100", "p0", "pool.first"} {
		if exists(r.root+"/"+name) || len(r.twinsOf(name)) > 0 {
			t.Errorf("%s is left", name)
		}
	}
	if _, err := r.z.Take(11, r.root+"/p100"); !errors.Is(err, ErrElsewhere) {
		t.Errorf("a project's directory as a login's: %v", err)
	}
}

// Members of a pool run on its processors, also those that come after a restart.
func TestPool(t *testing.T) {
	r := projectRig(t)
	z := newZone(t, r)
	allowed := func(p table.Proc) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
		check(t, err)
		_, rest, _ := strings.Cut(string(text), "Cpus_allowed_list:")
		return strings.Fields(rest)[0]
	}
	r.within(5, contract.Within{Pool: "first"}, initCT)
	p := z.start(r, 5, waits...)
	r.within(6, contract.Within{}, initCT)
	if got, other := allowed(p), allowed(z.start(r, 6, waits...)); got != "0" || other == "0" && allowed(procOf(t, os.Getpid())) != "0" {
		t.Errorf("a member runs on %s, others on %s", got, other)
	}
	check(t, r.z.Close())
	r.z = nil
	r.open(Config{Pools: pools, CgroupNS: namespace(z.proc.Pid, "cgroup")})
	if w := r.z.Within(5); w.Pool != "first" || w.Project != nil {
		t.Errorf("%+v", w)
	}
	r.within(7, contract.Within{}, 5)
	if got := allowed(z.start(r, 7, waits...)); got != "0" {
		t.Errorf("who is started by a member runs on %s", got)
	}
	for pool, want := range map[string]error{"none": ErrPool, "far": quota.ErrProcessors} {
		_, err := r.z.MakeWithin(8, contract.Within{Project: &contract.Project{ID: 7, Name: "a"}, Pool: pool}, initCT)
		if !errors.Is(err, want) {
			t.Errorf("pool %s: %v", pool, err)
		}
		if _, there := r.z.Dir(8); there || exists(r.root+"/ct/8") || exists(r.root+"/p7") || len(r.twinsOf("pool."+pool)) > 0 {
			t.Errorf("something of a contract in pool %s is left", pool)
		}
	}
}

// A supervisor that was killed between any two steps of making a contract is followed by one that is
// asked the same, and ends where the first would have.
func TestMadeAgain(t *testing.T) {
	w := contract.Within{Project: web(20), Pool: "first"}
	for name, cut := range map[string]func(t *testing.T, r *rig){
		"the project's directory": func(t *testing.T, r *rig) { check(t, cgroup2.Make(r.root+"/p100")) },
		"the contract's":          func(t *testing.T, r *rig) { check(t, cgroup2.Make(r.root+"/p100/5")) },
		"all directories":         func(t *testing.T, r *rig) { check(t, cgroup2.Make(r.root+"/p100/5/d")) },
		"all but the pool":        func(t *testing.T, r *rig) { r.within(5, contract.Within{Project: web(20)}, initCT) },
		"all":                     func(t *testing.T, r *rig) { r.within(5, w, initCT) },
	} {
		t.Run(name, func(t *testing.T) {
			r := projectRig(t)
			cut(t, r)
			check(t, r.z.Close())
			r.z = nil
			r.open(Config{Pools: pools})
			if _, err := r.z.MakeWithin(5, w, initCT); err != nil && !errors.Is(err, ErrUsed) {
				t.Error(err)
			}
			got := r.z.Within(5)
			if got.Project == nil || got.Project.Name != "web" || got.Pool != "first" {
				t.Errorf("%+v", got)
			}
			check(t, r.z.Remove(5))
			if exists(r.root+"/p100") || len(r.twinsOf("p100"))+len(r.twinsOf("pool.first")) > 0 {
				t.Error("something is left")
			}
		})
	}
}

// A contract that nobody wants any more leaves nothing, and a project's directory that a dead
// supervisor has made for nobody goes with the next one.
func TestProjectOfNobody(t *testing.T) {
	r := projectRig(t)
	check(t, cgroup2.Make(r.root+"/p7"))
	check(t, cgroup2.Make(r.root+"/p08"))
	check(t, cgroup2.Make(r.root+"/pool"))
	check(t, r.z.Close())
	r.z = nil
	r.open(Config{Pools: pools})
	if exists(r.root+"/p7") || !exists(r.root+"/p08") || !exists(r.root+"/pool") {
		t.Error("not what is nobody's has gone")
	}
}

// There are as many projects as there may be; one that is there takes contracts all the same.
func TestProjectsMax(t *testing.T) {
	r := projectRig(t)
	for n := range uint32(ProjectsMax) {
		r.within(contract.ID(10+n), contract.Within{Project: &contract.Project{ID: n, Name: "n"}}, initCT)
	}
	one := contract.Within{Project: &contract.Project{ID: ProjectsMax, Name: "n"}}
	if _, err := r.z.MakeWithin(5, one, initCT); !errors.Is(err, ErrProjects) || exists(r.root+"/"+projectName(ProjectsMax)) {
		t.Errorf("one more: %v", err)
	}
	r.within(6, contract.Within{Project: &contract.Project{ID: 3, Name: "n"}}, initCT)
	check(t, r.z.Remove(10))
	r.within(5, one, initCT)
}

// Root of the zone can neither change a project's bounds nor put anybody in or out.
func TestProjectIsTheHosts(t *testing.T) {
	r := projectRig(t)
	z := newZone(t, r)
	r.within(5, contract.Within{Project: web(20)}, initCT)
	p := z.start(r, 5, waits...)
	r.within(6, contract.Within{}, initCT)
	z.start(r, 6, waits...)
	own := z.ask(order{Do: "spawn", Argv: waits})
	for _, w := range []struct{ path, text string }{
		{"/p100/cgroup.procs", fmt.Sprint(own.Pid)}, {"/p100/5/d/cgroup.procs", fmt.Sprint(own.Pid)}, {"/p100/5/cgroup.procs", fmt.Sprint(own.Pid)},
		{"/ct/6/d/cgroup.procs", fmt.Sprint(p.ZPid)}, {"/ct/1/d/cgroup.procs", fmt.Sprint(p.ZPid)}, {"/cgroup.procs", fmt.Sprint(p.ZPid)},
		{"/p100/cgroup.subtree_control", "+pids"}, {"/cgroup.subtree_control", "-pids"}, {"/p100/cgroup.kill", "1"}, {"/p100/cgroup.freeze", "1"},
		{"/p100/pids.max", "max"}, {"/p100/memory.max", "max"}, {"/p100/cpu.max", "max"}, {"/p100/cpuset.cpus", "0"},
	} {
		if a := z.ask(order{Do: "write", Path: w.path, Text: w.text}); a.Errno == 0 {
			t.Errorf("%s took %s", w.path, w.text)
		}
	}
	for _, dir := range []string{"/p100/x", "/p101", "/p100/5/x"} {
		if a := z.ask(order{Do: "sh", Text: "mkdir " + cgroupMount + dir}); a.N == 0 && a.Errno == 0 {
			t.Errorf("%s was made", dir)
		}
	}
	if at := r.placeName(p.Pid); at != "p100/5/d" {
		t.Errorf("a member is in %s now", at)
	}
}

// Who comes into a project's own directory through a window is found at its end; a window that a dead
// supervisor has left open there is closed.
func TestWindowInAProject(t *testing.T) {
	r := projectRig(t)
	z := newZone(t, r)
	r.within(5, contract.Within{Project: &contract.Project{ID: 100, Name: "web"}}, initCT) // bounds would have twins
	z.start(r, 5, waits...)
	r.within(6, contract.Within{}, 5)
	closed := zoneOwned(t, r)
	check(t, cgroup2.Enter(r.root+"/p100/5/d", int(z.proc.Pid)))
	own := z.ask(order{Do: "spawn", Argv: waits})
	w, err := r.z.OpenWindow(6, z.caller(r))
	check(t, err)
	if w.Mode != Clone || w.Path != "/p100/6/d" {
		t.Errorf("%+v", w)
	}
	opened := zoneOwned(t, r)
	if !slices.Contains(opened, "p100/cgroup.procs") || slices.Contains(opened, "cgroup.procs") || len(opened) != len(closed)+2 {
		t.Errorf("open are %q", opened)
	}
	if a := z.ask(order{Do: "write", Path: "/p100/cgroup.procs", Text: fmt.Sprint(own.Pid)}); a.Errno != 0 {
		t.Fatalf("in the window: %v", unix.Errno(a.Errno))
	}
	if n, err := r.z.CloseWindow(); n != 1 || err != nil {
		t.Errorf("%d intruders, %v", n, err)
	}
	testenv.Eventually(t, func() bool { return len(pidsIn(t, r.root+"/p100")) == 2 }, "the intruder to die")
	_, err = r.z.OpenWindow(6, z.caller(r))
	check(t, err)
	check(t, r.z.Close())
	r.z = nil
	r.open(Config{Pools: pools, CgroupNS: namespace(z.proc.Pid, "cgroup")})
	if got := zoneOwned(t, r); !slices.Equal(got, closed) {
		t.Errorf("left open: %q", got)
	}
}

func TestProjectName(t *testing.T) {
	for name, want := range map[string]bool{
		"p0": true, "p100": true, "p2147483647": true, "p2147483648": false, "p": false, "p01": false, "p-1": false, "p+1": false, "ct": false,
		"p1x": false, "pool.first": false, "P1": false, "": false, "admin": false, "p1/2": false,
	} {
		if isProject(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if projectName(contract.ProjectMax) != "p2147483647" || !isAbove("ct") || isAbove("admin") {
		t.Error("names")
	}
}
