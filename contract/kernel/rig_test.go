package kernel

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

const roleVariable = "KERNEL_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		testenv.Main(m)
	case "agent":
		agentMain()
	case "workload":
		workloadMain()
	case "headless":
		headlessMain()
	case "execute":
		executeMain()
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// zoneUID is the host's number of the test zone's root.
const (
	zoneUID   = 1400000000
	zoneCount = 65536
	initCT    = 1
)

// rig is a zone's tree with a Zone on it.
type rig struct {
	t    testing.TB
	root string
	z    *Zone
	got  []Report
}

// newRig makes gN with the init's contract, delegated as zoned does it.
func newRig(t testing.TB, c Config) *rig {
	t.Helper()
	above := testenv.Cgroup(t)
	// Before Linux 6.16 who mounts cgroup2 in a cgroup namespace must get through to its root.
	check(t, os.Chmod(above, 0o755))
	r := &rig{t: t, root: above + "/web.1"}
	check(t, cgroup2.Make(r.root+"/ct/1/d"))
	check(t, cgroup2.Make(r.root+"/admin"))
	check(t, cgroup2.Delegate(r.root+"/ct/1/d", zoneUID, zoneUID))
	c.Root, c.RootUID = r.root, zoneUID
	r.open(c)
	t.Cleanup(func() {
		if r.z != nil {
			check(t, r.z.Close())
		}
	})
	return r
}

func (r *rig) open(c Config) {
	r.t.Helper()
	c.Root, c.RootUID = r.root, zoneUID
	z, err := Open(c)
	check(r.t, err)
	r.z = z
}

// pump reads reports for as long as there are any.
func (r *rig) pump() {
	r.t.Helper()
	var buf [16]Report
	for {
		n, err := r.z.Next(buf[:])
		check(r.t, err)
		for _, report := range buf[:n] {
			r.got = append(r.got, report)
			r.z.Keep(report.At)
		}
		if n == 0 {
			return
		}
	}
}

// await waits, as a loop does, until a report is there that fits.
func (r *rig) await(what string, fits func(Report) bool) Report {
	r.t.Helper()
	end := time.Now().Add(testenv.Deadline(20 * time.Second))
	seen := 0
	for {
		r.pump()
		for ; seen < len(r.got); seen++ {
			if fits(r.got[seen]) {
				return r.got[seen]
			}
		}
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain for %s; told was %+v", what, r.got)
		}
		fds := []unix.PollFd{{Fd: int32(r.z.FD()), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds, 200)
	}
}

// settled reads for a while in which nothing more should come, and what is there already in any
// case, however long this process was held up before it began.
func (r *rig) settled() {
	r.t.Helper()
	r.pump()
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
		fds := []unix.PollFd{{Fd: int32(r.z.FD()), Events: unix.POLLIN}}
		_, _ = unix.Poll(fds, 20)
		r.pump()
	}
}

// awaitEmpty waits for Empty of a contract.
func (r *rig) awaitEmpty(id contract.ID) Report {
	r.t.Helper()
	return r.await(fmt.Sprintf("contract %d to be empty", id), func(p Report) bool {
		return p.What == Happened && p.CT == id && p.Fact.Event == contract.Empty
	})
}

func (r *rig) awaitKilled(k table.Kill) {
	r.t.Helper()
	check(r.t, r.await("a kill", func(p Report) bool { return p.What == Killed && p.Kill == k }).Err)
}

// count is how many facts of a kind were told of a contract.
func (r *rig) count(id contract.ID, kind contract.Events) int {
	n := 0
	for _, p := range r.got {
		if p.What == Happened && p.CT == id && p.Fact.Event == kind {
			n++
		}
	}
	return n
}

func (r *rig) make(id contract.ID, want contract.Events) Dir {
	r.t.Helper()
	d, err := r.z.Make(id)
	check(r.t, err)
	check(r.t, r.z.Watch(id, want, 0))
	return d
}

// born starts a command of the host's in a directory.
func born(t testing.TB, dir string, attr *syscall.SysProcAttr, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	startIn(t, dir, attr, cmd)
	return cmd
}

func startIn(t testing.TB, dir string, attr *syscall.SysProcAttr, cmd *exec.Cmd) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.UseCgroupFD, attr.CgroupFD = true, fd
	cmd.SysProcAttr = attr
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

func procOf(t testing.TB, pid int) table.Proc {
	t.Helper()
	p, fd, err := identify(int32(pid))
	check(t, err)
	fd.Close()
	return p
}

// zone is a process that is root in a zone of its own: user, pid, mount and cgroup namespaces,
// born in the contract of init. It does what it is told.
type zone struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   *json.Encoder
	out  *bufio.Scanner
	proc table.Proc
	mu   sync.Mutex
}

// order is what an agent is told, answer what it says.
type order struct {
	Do   string
	Path string
	Text string
	Argv []string
	N    int
	UID  int
	Many []string
}

type answer struct {
	Errno int
	Pid   int
	N     int
	Text  string
}

// newZone starts the agent where init lives.
func newZone(t testing.TB, r *rig) *zone {
	t.Helper()
	cmd := exec.Command("/proc/self/exe") // by its path the zone's root may not reach it
	cmd.Env = append(os.Environ(), roleVariable+"=agent", "GOMAXPROCS=2")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: zoneUID, Size: zoneCount}}
	startIn(t, r.root, &syscall.SysProcAttr{
		Cloneflags:   unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Unshareflags: unix.CLONE_NEWCGROUP,
		UidMappings:  maps, GidMappings: maps, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{},
	}, cmd)
	check(t, cgroup2.Enter(r.root+"/ct/1/d", cmd.Process.Pid))
	z := &zone{t: t, cmd: cmd, in: json.NewEncoder(in), out: bufio.NewScanner(out)}
	z.out.Buffer(nil, 1<<20)
	if a := z.ask(order{Do: "mount"}); a.Errno != 0 {
		t.Fatalf("the zone's mount of cgroup2: %v", unix.Errno(a.Errno))
	}
	z.proc = procOf(t, cmd.Process.Pid)
	r.z.c.CgroupNS = namespace(z.proc.Pid, "cgroup")
	return z
}

// caller is the zone's root as one that asks for a birth.
func (z *zone) caller(r *rig) Caller {
	z.t.Helper()
	c, err := r.z.ProcOf(z.proc.Pid)
	check(z.t, err)
	return c
}

// ask has the agent do something.
func (z *zone) ask(o order) answer {
	z.t.Helper()
	a, err := z.tell(o)
	check(z.t, err)
	return a
}

func (z *zone) tell(o order) (a answer, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if err := z.in.Encode(o); err != nil {
		return a, err
	}
	if !z.out.Scan() {
		return a, errors.New("the agent has gone")
	}
	return a, json.Unmarshal(z.out.Bytes(), &a)
}

// host is the host's number of a child of the agent's.
func (z *zone) host(r *rig, id contract.ID, pid int) table.Proc {
	z.t.Helper()
	p, _, err := r.z.Find(id, z.caller(r), int32(pid))
	check(z.t, err)
	return p
}

// birth opens a window and has the agent start a command in it.
func (z *zone) birth(r *rig, id contract.ID, argv ...string) (table.Proc, answer) {
	z.t.Helper()
	w, err := r.z.OpenWindow(id, z.caller(r))
	check(z.t, err)
	if w.Mode != Clone {
		z.t.Fatalf("the window is %+v", w)
	}
	a := z.ask(order{Do: "spawn", Path: w.Path, Argv: argv})
	if a.Errno != 0 {
		z.t.Fatalf("birth in %s: %v", w.Path, unix.Errno(a.Errno))
	}
	p := z.host(r, id, a.Pid)
	_, err = r.z.CloseWindow()
	check(z.t, err)
	check(z.t, r.z.Born(id, p))
	return p, a
}

// placeName is where a process lives, below gN.
func (r *rig) placeName(pid int32) string {
	path, err := cgroupOf(pid)
	if err != nil {
		return err.Error()
	}
	name, ok := r.z.tree.within(path)
	if !ok {
		return path
	}
	return name
}

func pidsIn(t testing.TB, dir string) []int {
	t.Helper()
	pids, err := cgroup2.Procs(dir)
	check(t, err)
	return pids
}

func commOf(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return strings.TrimSpace(string(b))
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }
