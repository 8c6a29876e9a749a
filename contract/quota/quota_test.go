package quota

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is a zone's directory on the host's own layout of controllers.
type rig struct {
	t    testing.TB
	root string
	h    *Host
}

func newRig(t testing.TB) *rig {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2)
	r := &rig{t: t, root: testenv.Cgroup(t) + "/web.1"}
	check(t, cgroup2.Make(r.root))
	mount, err := cgroup2.Mount()
	check(t, err)
	r.h, err = Look(mount, r.root)
	check(t, err)
	t.Cleanup(func() {
		testenv.Eventually(t, func() bool { return r.h.Forget() == nil }, "what is in old hierarchies to go")
		if left := r.twins(); len(left) > 0 {
			t.Errorf("left in old hierarchies: %q", left)
		}
	})
	return r
}

// twins are the zone's directories in old hierarchies.
func (r *rig) twins() (found []string) {
	for _, mount := range r.h.old {
		dirs, _ := filepath.Glob(filepath.Join(mount, r.h.rel) + "*")
		more, _ := filepath.Glob(filepath.Join(mount, r.h.rel, "p*"))
		found = append(append(found, dirs...), more...)
	}
	return found
}

// contract makes a contract's directory in a project's.
func (r *rig) contract(above, id string) string {
	r.t.Helper()
	dir := filepath.Join(r.root, above, id, "d")
	check(r.t, cgroup2.Make(dir))
	return dir
}

// in starts a command in a contract and in the twins, behind a gate: it reads a line first.
func (r *rig) in(dir string, twins []string, script string) *exec.Cmd {
	r.t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	check(r.t, err)
	defer unix.Close(fd)
	cmd := exec.Command("/bin/sh", "-c", "read x; "+script)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	out, err := os.Create(filepath.Join(r.t.TempDir(), "out")) // no pipe: who is left behind holds nobody up
	check(r.t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	gate, err := cmd.StdinPipe()
	check(r.t, err)
	check(r.t, cmd.Start())
	for _, twin := range twins {
		check(r.t, cgroup2.Enter(twin, cmd.Process.Pid))
	}
	_, err = gate.Write([]byte("\n"))
	check(r.t, err)
	gate.Close()
	return cmd
}

// told is what a command has written.
func told(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	text, err := os.ReadFile(cmd.Stdout.(*os.File).Name())
	check(t, err)
	return string(text)
}

// file reads what a controller has in a project's directory, wherever that is.
func (r *rig) file(name, unified, old string) string {
	r.t.Helper()
	controller, _, _ := strings.Cut(unified, ".")
	path := filepath.Join(r.root, name, unified)
	if !r.h.unified(controller) {
		path = filepath.Join(r.h.oldDir(controller, name), old)
	}
	got, err := words(path)
	check(r.t, err)
	return strings.Join(got, " ")
}

// Bounds are there where the kernel looks for them, change with the project, and go with it.
func TestHold(t *testing.T) {
	r := newRig(t)
	check(t, cgroup2.Make(r.root+"/p100"))
	p := &contract.Project{ID: 100, Name: "web", Processes: 20, Memory: 64 << 20, Weight: 400, Percent: 50}
	check(t, r.h.Hold("p100", p))
	is := func(unified, old string, want ...string) {
		t.Helper()
		got := r.file("p100", unified, old)
		for _, w := range want {
			if got == w {
				return
			}
		}
		t.Errorf("%s is %q, not one of %q", unified, got, want)
	}
	is("pids.max", "pids.max", "20")
	is("memory.max", "memory.limit_in_bytes", "67108864")
	is("cpu.weight", "cpu.shares", "400", "4096")
	is("cpu.max", "cpu.cfs_quota_us", "50000 100000", "50000")
	check(t, r.h.Hold("p100", &contract.Project{ID: 100, Name: "web", Processes: 30}))
	is("pids.max", "pids.max", "30")
	if got := r.file("p100", "memory.max", "memory.limit_in_bytes"); got != "max" && len(got) < 18 {
		t.Errorf("the bound of memory is %s still", got)
	}
	is("cpu.weight", "cpu.shares", "100", "1024")
	is("cpu.max", "cpu.cfs_quota_us", "max 100000", "-1")
	check(t, unix.Rmdir(r.root+"/p100"))
	r.h.Drop("p100")
	if left := r.twins(); len(left) > 0 || len(r.h.Twins("p100")) > 0 {
		t.Errorf("left: %q", left)
	}
}

// A project that bounds nothing has no twin, and needs no controller.
func TestHoldNothing(t *testing.T) {
	r := newRig(t)
	check(t, cgroup2.Make(r.root+"/p1"))
	check(t, r.h.Hold("p1", &contract.Project{ID: 1, Name: "a"}))
	none := &Host{mount: r.root, rel: "/x"}
	check(t, cgroup2.Make(r.root+"/x/p1"))
	if err := none.Hold("p1", &contract.Project{ID: 1, Name: "a"}); err != nil {
		t.Error(err)
	}
	if left := r.twins(); len(left) > 0 {
		t.Errorf("made: %q", left)
	}
}

// On a host without the controller nothing is held, which is said, and what was written is taken back.
func TestNoController(t *testing.T) {
	r := newRig(t)
	check(t, cgroup2.Make(r.root+"/p100"))
	without := *r.h
	if without.unified(cpu) {
		without.mount, without.rel = r.root, "/p100" // nothing is enabled there, and nothing above is asked
	}
	without.old = map[string]string{pids: r.h.old[pids], memory: r.h.old[memory]}
	if without.mount == r.root {
		without.old = nil
	}
	err := without.Hold("p100", &contract.Project{ID: 100, Name: "web", Percent: 50})
	if !errors.Is(err, ErrController) || !strings.Contains(fmt.Sprint(err), "cpu") {
		t.Errorf("without the controller: %v", err)
	}
	if _, err := without.Bind("p100", "fast", "0"); !errors.Is(err, ErrController) {
		t.Errorf("a pool without the controller: %v", err)
	}
	check(t, r.h.Hold("p100", &contract.Project{ID: 100, Name: "web", Processes: 20}))
	if without.mount != r.root {
		if err := without.Hold("p100", &contract.Project{ID: 100, Name: "web", Processes: 30, Weight: 7}); !errors.Is(err, ErrController) {
			t.Errorf("without the controller: %v", err)
		}
		if got := r.file("p100", "pids.max", "pids.max"); got != "20" {
			t.Errorf("a project that was refused has changed to %s processes", got)
		}
	}
}

// What the members of several contracts of a project take is bounded for all of them together.
func TestProcessesOfAProject(t *testing.T) {
	r := newRig(t)
	one, two := r.contract("p100", "1"), r.contract("p100", "2")
	check(t, r.h.Hold("p100", &contract.Project{ID: 100, Name: "web", Processes: 8}))
	twins := r.h.Twins("p100")
	holder := r.in(one, twins, "for i in 1 2 3 4 5; do sleep 1000 & done; wait")
	t.Cleanup(func() { check(t, cgroup2.Kill(r.root)); _ = holder.Wait() })
	count := func() string { return r.file("p100", "pids.current", "pids.current") }
	testenv.Eventually(t, func() bool { return count() == "6" }, "six processes in the first contract")
	other := r.in(two, twins, "sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000 & wait")
	err := other.Wait()
	if out := told(t, other); err == nil || !strings.Contains(strings.ToLower(out), "cannot fork") {
		t.Errorf("the ninth process was born: %v, %s", err, out)
	}
	if got := r.file("p100", "pids.max", "pids.max"); got != "8" {
		t.Errorf("%s", got)
	}
}

// With more memory than the project has, a member is killed; others of the zone are not.
func TestMemoryOfAProject(t *testing.T) {
	r := newRig(t)
	dir, other := r.contract("p100", "1"), r.contract("ct", "2")
	check(t, r.h.Hold("p100", &contract.Project{ID: 100, Name: "web", Memory: 16 << 20}))
	beside := r.in(other, nil, "exec sleep 1000")
	t.Cleanup(func() { check(t, cgroup2.Kill(r.root)); _ = beside.Wait() })
	// The word doubles until it has 64 MB.
	eater := r.in(dir, r.h.Twins("p100"), "x=0123456789abcdef; while test ${#x} -lt 67108864; do x=$x$x; done; echo had it all")
	err := eater.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		t.Errorf("who takes four times the project's memory ended with %v: %s", err, told(t, eater))
	}
	if err := beside.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("who has nothing to do with it: %v", err)
	}
}

// A pool's members run on its processors, and one whose processors are not there is refused.
func TestBind(t *testing.T) {
	r := newRig(t)
	dir := r.contract("ct", "1")
	twin, err := r.h.Bind("ct/1", "first", "0")
	check(t, err)
	var twins []string
	if twin != "" {
		twins = []string{twin}
	}
	if got := r.h.PoolTwin("first"); got != twin {
		t.Errorf("the twin is %q, not %q", got, twin)
	}
	cmd := r.in(dir, twins, "grep Cpus_allowed_list /proc/self/status")
	check(t, cmd.Wait())
	if out := strings.Fields(told(t, cmd)); len(out) != 2 || out[1] != "0" {
		t.Errorf("a member runs on %q", out)
	}
	check(t, cgroup2.Make(r.root+"/ct/2"))
	for _, cpus := range []string{"8000-8001", "4096"} {
		if _, err := r.h.Bind("ct/2", "far", cpus); !errors.Is(err, ErrProcessors) {
			t.Errorf("%s: %v", cpus, err)
		}
	}
	r.h.DropPool("far")
	r.h.DropPool("first")
	if r.h.PoolTwin("first") != "" {
		t.Error("the pool's twin is left")
	}
}

// What a zone that died has left in old hierarchies goes, and nothing beside it does.
func TestForget(t *testing.T) {
	r := newRig(t)
	check(t, cgroup2.Make(r.root+"/p100"))
	check(t, cgroup2.Make(r.root+"/ct/1"))
	check(t, os.WriteFile(r.root+"/cgroup.max.depth", []byte("10"), 0))
	check(t, unix.Setxattr(r.root, markName, []byte("zones1 test"), 0))
	check(t, r.h.Hold("p100", &contract.Project{ID: 100, Name: "web", Processes: 20, Memory: 64 << 20, Weight: 400}))
	_, err := r.h.Bind("ct/1", "first", "0")
	check(t, err)
	for controller, mount := range r.h.old {
		if r.h.unified(controller) {
			continue
		}
		var buf [64]byte
		if n, err := unix.Getxattr(filepath.Join(mount, r.h.rel), markName, buf[:]); err != nil || string(buf[:n]) != "zones1 test" {
			t.Errorf("%s carries no mark: %v", mount, err)
		}
		neighbour := filepath.Join(mount, filepath.Dir(r.h.rel), "neighbour")
		check(t, os.Mkdir(neighbour, 0o755))
		defer func() { _, _ = unix.Rmdir(neighbour), unix.Rmdir(filepath.Dir(neighbour)) }()
	}
	check(t, r.h.Forget())
	check(t, r.h.Forget())
	if left := r.twins(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	for controller, mount := range r.h.old {
		if !r.h.unified(controller) {
			if _, err := os.Stat(filepath.Join(mount, filepath.Dir(r.h.rel), "neighbour")); err != nil {
				t.Error(err)
			}
		}
	}
}

// Of settings that fail later ones are not tried, and earlier ones are as they were.
func TestTakenBack(t *testing.T) {
	dir := t.TempDir()
	a, b := dir+"/a", dir+"/b"
	for _, f := range []string{a, b} {
		check(t, os.WriteFile(f, []byte("new"), 0o644))
	}
	check(t, putBack([]was{{a, "old"}, {b, "was"}}))
	for f, want := range map[string]string{a: "old", b: "was"} {
		if got, err := os.ReadFile(f); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := putBack([]was{{dir + "/none", "x"}, {a, "x"}}); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
	if got, _ := os.ReadFile(a); string(got) != "xld" {
		t.Errorf("behind a file that is gone: %q", got)
	}
	if err := writeError("/x/memory.limit_in_bytes", "1", unix.EBUSY); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	if err := writeError("/x/cpuset.cpus", "1", unix.EBUSY); errors.Is(err, ErrInUse) || !errors.Is(err, unix.EBUSY) {
		t.Error(err)
	}
}

// Less memory than is in use: on an old hierarchy that is refused, and nothing of the project changes;
// on the unified one the kernel makes room, and kills when it cannot.
func TestLessMemoryThanInUse(t *testing.T) {
	r := newRig(t)
	dir := r.contract("p100", "1")
	check(t, r.h.Hold("p100", &contract.Project{ID: 100, Name: "web", Processes: 20, Memory: 256 << 20}))
	full := filepath.Join(t.TempDir(), "full")
	eater := r.in(dir, r.h.Twins("p100"), "x=0123456789abcdef; while test ${#x} -lt 16777216; do x=$x$x; done; : >"+full+"; while :; do sleep 1000; done")
	ended := make(chan error, 1)
	go func() { ended <- eater.Wait() }()
	t.Cleanup(func() { check(t, cgroup2.Kill(r.root)) })
	testenv.Eventually(t, func() bool { _, err := os.Stat(full); return err == nil }, "a process with 16 MB")
	err := r.h.Hold("p100", &contract.Project{ID: 100, Name: "web", Processes: 30, Memory: 1 << 20})
	if r.h.unified(memory) {
		check(t, err)
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("a process with more than the project has: %v", err)
		}
		return
	}
	if !errors.Is(err, ErrInUse) {
		t.Errorf("%v", err)
	}
	if got := r.file("p100", "pids.max", "pids.max"); got != "20" {
		t.Errorf("a project that was refused has changed to %s processes", got)
	}
	check(t, cgroup2.Kill(r.root))
	<-ended
}
