package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/quota"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// The test zone's users as the host counts.
const (
	zoneUID   = 1500000000
	zoneCount = 65536
)

// keeper holds descriptors as zsched does.
type keeper struct {
	mu    sync.Mutex
	slots map[string]*sys.FD
}

func (k *keeper) Put(name string, fd int) error {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.slots[name].Close()
	k.slots[name] = sys.Own(n)
	return nil
}

func (k *keeper) Drop(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.slots[name].Close()
	delete(k.slots, name)
	return nil
}

func (k *keeper) held() map[string]*sys.FD {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.slots)
}

// testLog passes on what the server says.
type testLog struct {
	t  testing.TB
	mu sync.Mutex
	// lines are what was said.
	lines []string
}

func (l *testLog) say(level, format string, args ...any) {
	line := level + ": " + fmt.Sprintf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	l.t.Log(line)
}

func (l *testLog) Infof(format string, args ...any)  { l.say("info", format, args...) }
func (l *testLog) Warnf(format string, args ...any)  { l.say("warn", format, args...) }
func (l *testLog) Errorf(format string, args ...any) { l.say("error", format, args...) }

// rig is a zone made by hand, and the server of its contracts.
type rig struct {
	t      testing.TB
	dir    string // seen by the host and in the zone
	fs     string // where the zone has its contracts' file system
	self   string // the test's program, where the zone can execute it
	root   string // gN
	keeper *keeper
	cfg    Config
	log    *testLog

	srv    *Server // in this process
	served chan error
	cancel context.CancelFunc

	child     *child // or in another one, the last
	followers []*follower

	bpf     *bpfRig // nil: without the collector
	mount   *sys.FD // of a server in another process
	initDir kernel.Dir
	initPid int
	initIn  *os.File
}

// setup is what a test wants to be different.
type setup func(*rig)

// longWindows has windows of births stay open as long as a test may take: a birth by hand is tried
// once, in as many steps as it has, and any of them may be held up.
func longWindows(t *testing.T) {
	was := windowLimit
	windowLimit = testenv.Deadline(10 * time.Minute)
	t.Cleanup(func() { windowLimit = was }) // when the server has ended
}

// overdue ends the time of the window that is open, for this server and the next.
func (r *rig) overdue() {
	r.t.Helper()
	check(r.t, r.srv.inbox.run(func() {
		if r.srv.window != nil {
			r.srv.window.until = sys.Monotonic()
		}
		for fh, b := range r.srv.kept.births {
			if b.placed && b.mode == kernel.Clone {
				past := *b
				past.until = sys.Monotonic()
				check(r.t, r.srv.note(&record{kind: recPlaced, fh: fh, birth: past}))
			}
		}
	}))
	testenv.Eventually(r.t, func() (closed bool) {
		check(r.t, r.srv.inbox.run(func() { closed = r.srv.window == nil }))
		return closed
	}, "the window to close")
}

// awaitWaiting waits until so many requests wait in the file system.
func (r *rig) awaitWaiting(n int) {
	r.t.Helper()
	testenv.Eventually(r.t, func() bool {
		is := 0
		check(r.t, r.srv.inbox.run(func() { is = len(r.srv.waits.byUnique) }))
		return is == n
	}, fmt.Sprintf("%d requests to wait", n))
}

func switchOff(off kernel.Source) setup { return func(r *rig) { r.cfg.SourcesOff |= off } }

// newRig makes the zone's directories; nothing runs yet.
func newRig(t testing.TB, with ...setup) *rig {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Fuse, testenv.Cgroup2, testenv.UserNS)
	r := &rig{t: t, dir: t.TempDir(), keeper: &keeper{slots: map[string]*sys.FD{}}, log: &testLog{t: t}}
	for d := r.dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		check(t, os.Chmod(d, 0o755)) // the zone's root must get through
	}
	r.fs, r.self = r.dir+"/contract", r.dir+"/self"
	check(t, os.Mkdir(r.fs, 0o755))
	check(t, os.Mkdir(r.dir+"/cgroup", 0o755))
	check(t, os.Mkdir(r.dir+"/proc", 0o755))
	program, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	check(t, os.WriteFile(r.self, program, 0o755))
	above := testenv.Cgroup(t)
	// Before Linux 6.16 who mounts cgroup2 in a cgroup namespace must get through to its root.
	check(t, os.Chmod(above, 0o755))
	r.root = above + "/web.1"
	check(t, cgroup2.Make(r.root+"/admin"))
	r.cfg = Config{
		Zone: "web", ZoneID: 7, UIDBase: zoneUID, UIDCount: zoneCount,
		Root: r.root, IDs: IDsFile(r.dir), Keeper: r.keeper, Log: r.log,
	}
	for _, f := range with {
		f(r)
	}
	t.Cleanup(r.end)
	return r
}

// startRig has a server in this process, and a zone.
func startRig(t testing.TB, with ...setup) *rig {
	t.Helper()
	r := newRig(t, with...)
	r.open()
	r.boot()
	return r
}

// open starts a server in this process: fresh or resumed.
func (r *rig) open() {
	r.t.Helper()
	cfg := r.cfg
	cfg.Held = r.keeper.held()
	cfg.Collector = r.bpf.collector(r.t)
	s, err := Open(cfg)
	check(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r.srv, r.cancel, r.served = s, cancel, make(chan error, 1)
	go func() { r.served <- s.Serve(ctx) }()
}

// close ends the server, and leaves all to the next one.
func (r *rig) close() {
	r.t.Helper()
	if r.srv == nil {
		return
	}
	r.cancel()
	check(r.t, <-r.served)
	check(r.t, r.srv.Close())
	r.srv = nil
}

// reopen is what a supervisor's restart is.
func (r *rig) reopen() {
	r.t.Helper()
	r.close()
	r.open()
}

// boot starts the zone's init, in a contract of the supervisor's.
func (r *rig) boot() {
	r.t.Helper()
	terms := contract.DefaultTerms()
	d, err := r.srv.New(NewContract{Terms: terms, Creator: "zsched"})
	check(r.t, err)
	check(r.t, r.srv.Delegate(d.CT, zoneUID, zoneUID))
	mount := r.srv.Mount()
	defer mount.Close()
	r.enter(d, mount)
}

// enter starts init with the file system in place.
func (r *rig) enter(d kernel.Dir, mount *sys.FD) {
	t := r.t
	t.Helper()
	r.initDir = d
	in, inW, err := os.Pipe()
	check(t, err)
	out, outW, err := os.Pipe()
	check(t, err)
	m := os.NewFile(uintptr(dupFD(t, mount.Int())), "mount")
	stage := exec.Command(r.self, r.dir, r.root)
	stage.Env = append(os.Environ(), roleVariable+"=stage")
	stage.Stdin, stage.Stdout, stage.Stderr = in, outW, os.Stderr
	stage.ExtraFiles = []*os.File{m}
	stage.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	check(t, stage.Start())
	for _, f := range []*os.File{in, outW, m} {
		f.Close()
	}
	r.initIn = inW
	t.Cleanup(func() {
		inW.Close()
		_ = stage.Process.Kill()
		_ = stage.Wait()
	})
	defer out.Close()
	_, err = fmt.Fscanln(out, &r.initPid)
	check(t, err)
	check(t, cgroup2.Enter(d.Born, r.initPid))
	_, err = inW.Write([]byte("go\n"))
	check(t, err)
	var ready string
	_, err = fmt.Fscanln(out, &ready)
	check(t, err)
}

func dupFD(t testing.TB, fd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	check(t, err)
	return n
}

// end takes the zone down whatever state it is in.
func (r *rig) end() {
	if r.initIn != nil {
		r.initIn.Close()
	}
	_ = cgroup2.Kill(r.root)
	if r.child != nil {
		r.child.kill()
	}
	if r.srv != nil {
		if err := r.srv.Stop(); err != nil {
			r.t.Logf("stop: %v", err)
			r.cancel()
		}
		<-r.served
		_ = r.srv.Close()
		r.srv = nil
	}
	// What is left of the connection ends with its last descriptor.
	for name := range r.keeper.held() {
		_ = r.keeper.Drop(name)
	}
	for _, f := range r.followers { // nobody waits for the file system any more
		for range f.lines {
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(20*time.Second))
	defer cancel()
	if err := cgroup2.AwaitEmpty(ctx, r.root); err != nil {
		r.t.Error(err)
	}
	_ = cgroup2.Remove(r.root)
	mount, err := cgroup2.Mount()
	check(r.t, err)
	h, err := quota.Look(mount, r.root)
	check(r.t, err)
	testenv.Eventually(r.t, func() bool { return h.Forget() == nil }, "what is in old hierarchies to go")
}

// cmd is a command in the zone, a child of nobody there, in init's contract.
func (r *rig) cmd(uid int, argv ...string) *exec.Cmd {
	r.t.Helper()
	id := strconv.Itoa(uid)
	c := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(r.initPid), "-U", "-m", "-p", "-C", "-S", id, "-G", id, "--"}, argv...)...)
	c.Env = os.Environ()
	fd, err := unix.Open(r.initDir.Born, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	check(r.t, err)
	r.t.Cleanup(func() { unix.Close(fd) })
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	return c
}

// client is a command of the test's own program.
func (r *rig) client(uid int, role string, args ...string) *exec.Cmd {
	r.t.Helper()
	c := r.cmd(uid, append([]string{r.self, r.fs}, args...)...)
	c.Env = append(c.Env, roleVariable+"="+role)
	return c
}

// sh runs a line in the zone, in the directory of its file system of contracts.
func (r *rig) sh(uid int, line string) (out string, code int) {
	r.t.Helper()
	b, code := r.run(r.cmd(uid, "/bin/sh", "-c", "cd "+r.fs+" && "+line))
	return string(b), code
}

// run runs a command to its end, within the usual time.
func (r *rig) run(c *exec.Cmd) (out []byte, code int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(60*time.Second))
	defer cancel()
	bounded := exec.CommandContext(ctx, c.Path)
	bounded.Args, bounded.Env, bounded.SysProcAttr, bounded.Stdin = c.Args, c.Env, c.SysProcAttr, c.Stdin
	bounded.WaitDelay = testenv.Deadline(20 * time.Second)
	out, err := bounded.CombinedOutput()
	if ctx.Err() != nil {
		r.t.Fatalf("%v did not end; it said %q", c.Args, out)
	}
	if err != nil && bounded.ProcessState == nil || errors.Is(err, exec.ErrWaitDelay) {
		r.t.Fatal(err)
	}
	return out, bounded.ProcessState.ExitCode()
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }
