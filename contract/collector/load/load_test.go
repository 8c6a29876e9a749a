package load

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bpffs mounts one for the test.
func bpffs(t *testing.T) string {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.BTF)
	dir := t.TempDir()
	check(t, unix.Mount("bpf", dir, "bpf", 0, "mode=0700"))
	t.Cleanup(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// compiler is the version that the object is made with: another makes another.
var compiler = testenv.Feature{Name: "clang-14 14.0.6 and llvm-strip-14 (make deps)", Probe: func() error {
	out, err := exec.Command("clang-14", "--version").Output()
	if err == nil && !strings.Contains(string(out), "14.0.6") {
		err = errors.New(strings.SplitN(string(out), "\n", 2)[0])
	}
	if err == nil {
		_, err = exec.LookPath("llvm-strip-14")
	}
	return err
}}

// The object that is kept is what its source compiles to, wherever the source lies.
func TestObjectIsOfItsSource(t *testing.T) {
	testenv.Need(t, compiler)
	sources := t.TempDir()
	names, err := filepath.Glob("bpf/*.[ch]")
	check(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		check(t, err)
		check(t, os.WriteFile(filepath.Join(sources, filepath.Base(name)), b, 0o644))
	}
	out := filepath.Join(t.TempDir(), "object")
	cmd := exec.Command("make", "-s", "-C", testenv.Root(t), "bpf", "BPF="+sources, "OUT="+out)
	// make's own variables, of a `make test` that brought us here, are not for this one.
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=")
	if words, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile: %v\n%s", err, words)
	}
	made, err := os.ReadFile(out)
	check(t, err)
	if !bytes.Equal(made, object) {
		t.Error("bpf/collector.o is not what bpf/collector.c compiles to: make bpf")
	}
}

// verifiedMax is how much work the programs may be to the kernel's verifier, in instructions that
// it goes through. It refuses more than a million; and what it takes, a host's first zone waits
// for: a hundred thousand are some ten milliseconds.
const verifiedMax = 150_000

// The programs stay small to the verifier: a loop too many is easily half a million.
func TestVerifiersWork(t *testing.T) {
	dir := bpffs(t)
	check(t, Into(dir))
	total := uint32(0)
	for _, name := range append([]string{collector.PinControl, collector.PinAdopt}, collector.Hooks...) {
		p, err := ebpf.LoadPinnedProgram(filepath.Join(collector.VersionDir(dir), name), nil)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, ebpf.ErrNotSupported) { // a link
			continue
		}
		check(t, err)
		info, err := p.Info()
		check(t, err)
		n, _ := info.VerifiedInstructions()
		t.Logf("%s: %d", name, n)
		total += n
		p.Close()
	}
	if total == 0 || total > verifiedMax {
		t.Errorf("%d instructions were verified, want at most %d", total, verifiedMax)
	}
}

// Several load at once, one does it.
func TestIntoTogether(t *testing.T) {
	dir := bpffs(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := Into(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, err := collector.Open(dir)
	check(t, err)
	check(t, c.Close())
}

// A loader that died at any point is cleared away by the next.
func TestIntoAfterADeadLoader(t *testing.T) {
	dir := bpffs(t)
	in := collector.VersionDir(dir)
	check(t, Into(dir))
	entries, err := os.ReadDir(in)
	check(t, err)
	for _, e := range entries {
		check(t, os.RemoveAll(filepath.Join(in, collector.PinReady)))
		check(t, os.RemoveAll(filepath.Join(in, e.Name())))
		if _, err := collector.Open(dir); err != collector.ErrAbsent {
			t.Errorf("without %s: %v", e.Name(), err)
		}
		check(t, Into(dir))
		c, err := collector.Open(dir)
		check(t, err)
		check(t, c.Close())
	}
}

// Where nothing can be pinned nothing is left.
func TestIntoElsewhere(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	if err := Into(dir); err == nil {
		t.Error("loaded into an ordinary directory")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := Into(dir + "/none"); err == nil {
		t.Error("loaded into no directory")
	}
}

// Room for members goes with the host's memory, within bounds.
func TestProcsMax(t *testing.T) {
	n, err := procsMax()
	if err != nil || n < procsFewest || n > procsMost || n&(n-1) != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

// crowd has a shell in a cgroup with so many children at once, and waits until they have ended.
func crowd(t *testing.T, cgroup string, children int) {
	t.Helper()
	fd, err := os.Open(cgroup)
	check(t, err)
	defer fd.Close()
	cmd := exec.Command("sh", "-c", fmt.Sprintf("for i in $(seq %d); do cat <&3 & done; wait", children))
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(fd.Fd())}
	gate, open, err := os.Pipe() // nobody ends before all are there
	check(t, err)
	cmd.ExtraFiles = []*os.File{gate}
	check(t, cmd.Start())
	check(t, gate.Close())
	testenv.Eventually(t, func() bool {
		text, err := os.ReadFile(filepath.Join(cgroup, "cgroup.procs"))
		check(t, err)
		return bytes.Count(text, []byte("\n")) == children+1
	}, "all children")
	check(t, open.Close())
	check(t, cmd.Wait())
}

// More members than there is room for: each is told of all the same, once, and the counts say
// that they are not sure.
func TestNoRoomForMembers(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	dir := bpffs(t)
	check(t, into(dir, 4))
	c, err := collector.Open(dir)
	check(t, err)
	defer c.Close()
	cgroup := testenv.Cgroup(t)
	check(t, c.AddLevel(1))
	var st unix.Stat_t
	check(t, unix.Stat(cgroup, &st))
	ring, err := collector.NewRing(collector.RingBytes)
	check(t, err)
	defer ring.Close()
	const zone = 1 << 50
	check(t, c.AddZone(zone, ring))
	all := collector.WantFork | collector.WantExit
	check(t, c.AddContract(collector.Contract{Cgroup: st.Ino, Zone: zone, CT: 1, Want: all}))
	reader, err := c.Reader(zone, ring)
	check(t, err)
	defer reader.Close()

	const children = 40
	crowd(t, cgroup, children)

	born, ended := map[int32]int{}, map[int32]int{}
	empty := 0
	testenv.Eventually(t, func() bool {
		rec, at, ok, err := reader.Next()
		check(t, err)
		reader.Advance(at)
		if ok {
			switch rec.Kind {
			case collector.Fork:
				born[rec.Pid]++
			case collector.Exit:
				ended[rec.Pid]++
			case collector.Empty:
				empty++
			}
		}
		return empty > 0
	}, "the contract to be empty")
	// The shell, what it forks to count, and the children.
	if len(born) < children+1 || !maps.Equal(born, ended) {
		t.Errorf("born %v\nended %v", born, ended)
	}
	for pid, n := range ended {
		if n != 1 {
			t.Errorf("%d ended %d times", pid, n)
		}
	}
	n, err := c.Counts(st.Ino)
	check(t, err)
	if !n.Unsure || n.Members != 0 || int(n.Forks) != len(born) || int(n.Exits) != len(born) {
		t.Errorf("%+v", n)
	}
}
