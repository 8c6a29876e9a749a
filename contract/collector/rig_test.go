package collector_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/collector/load"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const everything = collector.WantFork | collector.WantExit | collector.WantCore | collector.WantSignal | collector.WantHwerr

// work is the program of testdata, compiled once.
var work = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("ZONES_COLLECTOR_WORK"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "work")
	if err != nil {
		return "", err
	}
	// Users of the tests' own making run it too.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "work")
	out, err := exec.Command("gcc", "-O1", "-Wall", "-pthread", "-static", "-o", path, "testdata/work.c").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("compile the workload: %w\n%s", err, out)
	}
	return path, err
})

// rig is one collector with cgroups of the test's own.
type rig struct {
	*collector.Collector
	t    testing.TB
	dir  string // where its bpffs is
	base string // cgroup of the test
	zone *zone  // the first one
}

// zone is a cgroup with a ring.
type zone struct {
	*collector.Ring
	rig *rig
	dir string
	id  uint64
	fd  *sys.FD
	cts uint32
}

// ct is one contract.
type ct struct {
	zone *zone
	dir  string
	id   uint64
	ct   uint32
}

func newRig(t testing.TB) *rig {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.BTF)
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "bpf"), base: testenv.Cgroup(t)}
	r.zone = r.bare("g1")
	c, err := collector.Ensure(r.dir, r.zone.id, load.Into)
	check(t, err)
	r.Collector = c
	t.Cleanup(func() {
		check(t, c.Close())
		r.leaveAll()
		if _, err := os.Lstat(r.dir); err == nil {
			t.Error("the last zone has left and the collector's directory is there")
		}
	})
	check(t, c.AddLevel(r.level(r.zone.dir)+2))
	r.zone.open(collector.RingBytes)
	return r
}

// leaveAll has every zone of the test leave.
func (r *rig) leaveAll() {
	r.t.Helper()
	entries, err := os.ReadDir(r.base)
	check(r.t, err)
	for _, e := range entries {
		if e.IsDir() {
			check(r.t, collector.Leave(r.dir, inode(r.t, filepath.Join(r.base, e.Name()))))
		}
	}
}

// level is a directory's level: tests run where the mount's root is the hierarchy's.
func (r *rig) level(dir string) int {
	mount, err := testenv.Cgroup2Mount()
	check(r.t, err)
	rel, err := filepath.Rel(mount, dir)
	check(r.t, err)
	return len(strings.Split(rel, "/"))
}

func inode(t testing.TB, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Stat(path, &st))
	return st.Ino
}

// bare is a zone of which the collector does not know.
func (r *rig) bare(name string) *zone {
	z := &zone{rig: r, dir: filepath.Join(r.base, name)}
	check(r.t, os.Mkdir(z.dir, 0o755))
	check(r.t, os.Mkdir(z.dir+"/ct", 0o755))
	z.id = inode(r.t, z.dir)
	return z
}

// addZone makes another zone.
func (r *rig) addZone(name string, ringBytes int) *zone {
	z := r.bare(name)
	z.open(ringBytes)
	return z
}

func (z *zone) open(bytes int) {
	t := z.rig.t
	t.Helper()
	fd, err := collector.NewRing(bytes)
	check(t, err)
	z.fd = fd
	t.Cleanup(func() { fd.Close() })
	check(t, z.rig.AddZone(z.id, fd))
	z.Ring, err = z.rig.Reader(z.id, fd)
	check(t, err)
	t.Cleanup(func() { _ = z.Ring.Close() })
}

// contract makes a contract that wants everything.
func (z *zone) contract() *ct { return z.wanting(everything, 0) }

func (z *zone) wanting(want, critical collector.Events) *ct {
	t := z.rig.t
	t.Helper()
	k := z.directory()
	check(t, z.rig.AddContract(collector.Contract{Cgroup: k.id, Zone: z.id, CT: k.ct, Want: want, Critical: critical}))
	return k
}

// directory is a contract's, not registered.
func (z *zone) directory() *ct {
	t := z.rig.t
	t.Helper()
	z.cts++
	k := &ct{zone: z, ct: uint32(z.id)<<8 + z.cts, dir: filepath.Join(z.dir, "ct", strconv.Itoa(int(z.cts)))}
	check(t, os.Mkdir(k.dir, 0o755))
	check(t, os.Mkdir(k.dir+"/d", 0o755))
	k.id = inode(t, k.dir)
	return k
}

// member is a process in a contract, or anywhere.
type member struct {
	t     testing.TB
	cmd   *exec.Cmd
	pid   int
	start uint64
	in    io.WriteCloser
	out   *bufio.Reader
}

// run starts the workload in the contract.
func (k *ct) run(args ...string) *member { return k.zone.rig.runIn(k.dir+"/d", nil, args...) }

// runIn starts the workload in a cgroup, or in the test's own ("").
func (r *rig) runIn(dir string, attr *syscall.SysProcAttr, args ...string) *member {
	r.t.Helper()
	path, err := work()
	check(r.t, err)
	return start(r.t, dir, attr, exec.Command(path, args...))
}

func start(t testing.TB, dir string, attr *syscall.SysProcAttr, cmd *exec.Cmd) *member {
	t.Helper()
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	if dir != "" {
		f, err := os.Open(dir)
		check(t, err)
		defer f.Close()
		attr.UseCgroupFD, attr.CgroupFD = true, int(f.Fd())
	}
	cmd.SysProcAttr = attr
	cmd.Stderr = os.Stderr
	m := &member{t: t, cmd: cmd}
	var err error
	if cmd.Stdin == nil {
		m.in, err = cmd.StdinPipe()
		check(t, err)
	}
	out, err := cmd.StdoutPipe()
	check(t, err)
	m.out = bufio.NewReader(out)
	check(t, cmd.Start())
	m.pid = cmd.Process.Pid
	m.start = startOf(t, m.pid)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return m
}

// startOf is field 22 of /proc/PID/stat of a process that nobody has waited for. Looked up just
// when another thread than the first executes a program, the number can lead to the thread that
// goes, and is nobody's for that moment.
func startOf(t testing.TB, pid int) (start uint64) {
	t.Helper()
	testenv.Eventually(t, func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if err != nil || len(f) < 20 {
			return false
		}
		start, err = strconv.ParseUint(f[19], 10, 64)
		return err == nil
	}, fmt.Sprintf("the start of process %d", pid))
	return start
}

// line reads the next line that the member writes.
func (m *member) line() string {
	m.t.Helper()
	s, err := m.out.ReadString('\n')
	if err != nil {
		m.t.Fatalf("the workload's word: %v", err)
	}
	return strings.TrimSpace(s)
}

// release ends the member's standard input.
func (m *member) release() { m.in.Close() }

// wait gives the wait status.
func (m *member) wait() syscall.WaitStatus {
	_ = m.cmd.Wait()
	return m.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// log is what the workload says it did. Numbers come round, so there may be several of one.
type log struct {
	forks map[int][]int    // pid to parents
	exits map[int][]uint32 // pid to statuses
	n     int              // of processes
}

// finish reads the member's words to the end and waits for it.
func (m *member) finish() log {
	m.t.Helper()
	l := log{forks: map[int][]int{m.pid: {os.Getpid()}}, exits: map[int][]uint32{}, n: 1}
	for {
		s, err := m.out.ReadString('\n')
		if err != nil {
			break
		}
		var word string
		var a, b int
		if n, _ := fmt.Sscanf(s, "%s %d %d", &word, &a, &b); n == 3 && word == "fork" {
			l.forks[a] = append(l.forks[a], b)
			l.n++
		} else if n == 3 && word == "exit" {
			l.exits[a] = append(l.exits[a], uint32(b))
		}
	}
	l.exits[m.pid] = append(l.exits[m.pid], uint32(m.wait()))
	return l
}

// until reads records up to and with one for which the condition holds.
func (z *zone) until(what string, last func(collector.Record) bool) []collector.Record {
	z.rig.t.Helper()
	var list []collector.Record
	testenv.EventuallyWithin(z.rig.t, time.Minute, func() bool {
		for {
			rec, at, ok, err := z.Next()
			check(z.rig.t, err)
			if !ok {
				return false
			}
			z.Advance(at)
			list = append(list, rec)
			if last(rec) {
				return true
			}
		}
	}, what)
	return list
}

// empty reads up to and with EMPTY of a contract.
func (z *zone) empty(k *ct) []collector.Record {
	z.rig.t.Helper()
	return z.until("EMPTY", func(r collector.Record) bool { return r.Kind == collector.Empty && r.CT == k.ct })
}

// only picks records of some kinds.
func only(list []collector.Record, kinds ...collector.Kind) []collector.Record {
	var out []collector.Record
	for _, r := range list {
		for _, k := range kinds {
			if r.Kind == k {
				out = append(out, r)
			}
		}
	}
	return out
}

// quiet fails when the zone has something to tell.
func (z *zone) quiet() {
	z.rig.t.Helper()
	if rec, _, ok, err := z.Next(); ok || err != nil {
		z.rig.t.Errorf("told: %+v, %v", rec, err)
	}
}
