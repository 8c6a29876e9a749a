package upkeep

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said is what a program said and how it ended.
type said struct {
	out, err string
	exit     int
}

func zoneadm(z *testenv.Zones, args ...string) said {
	out, errs, exit := z.Zoneadm(args...)
	return said{out, errs, exit}
}

// silent runs zoneadm, which has to succeed without a word.
func silent(t *testing.T, z *testenv.Zones, args ...string) {
	t.Helper()
	if s := zoneadm(z, args...); s != (said{}) {
		t.Fatalf("zoneadm %q: %+v", args, s)
	}
}

// running is an instance with a running zone a.
func running(t *testing.T) *testenv.Zones {
	t.Helper()
	z := testenv.Instance(t)
	z.Sparse("a")
	silent(t, z, "-z", "a", "boot")
	return z
}

// generation is the cgroup of the zone's incarnation.
func generation(t *testing.T, z *testenv.Zones, zone string) string {
	t.Helper()
	m, err := testenv.Cgroup2Mount()
	check(t, err)
	return filepath.Join(m, filepath.Dir(filepath.Dir(filepath.Dir(z.Cgroup(zone)))))
}

// mark is what the directory of a generation carries.
func mark(t *testing.T, dir string) string {
	t.Helper()
	var b [256]byte
	n, err := unix.Getxattr(dir, "trusted.zones", b[:])
	check(t, err)
	return string(b[:n])
}

// another is the mark of another generation of the same zone.
func another(mark string, id int) string {
	f := strings.Fields(mark)
	f[2] = strconv.Itoa(id)
	return strings.Join(f, " ")
}

// plant makes a directory of a generation that is not there any more beside a living one's.
func plant(t *testing.T, living, mark string, id int) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(living), fmt.Sprintf("g%d", id))
	check(t, os.MkdirAll(dir+"/ct", 0o755))
	t.Cleanup(func() { _ = os.Remove(dir + "/ct"); _ = os.Remove(dir) })
	if mark != "" {
		check(t, unix.Setxattr(dir, "trusted.zones", []byte(another(mark, id)), 0))
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// killBoth leaves the zone without keeper and supervisor, who have no time to do anything.
func killBoth(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	s := z.Status(zone)
	testenv.Eventually(t, func() bool { return terminal(s.Init.Pid) == "0" }, "init to give up its terminal, which goes with the keeper")
	check(t, unix.Kill(s.Zoned.Pid, unix.SIGSTOP))
	testenv.Eventually(t, func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Zoned.Pid))
		return strings.Contains(string(b), ") T ")
	}, "the supervisor to stop")
	for _, pid := range []int{s.Zsched.Pid, s.Zoned.Pid} {
		check(t, unix.Kill(pid, unix.SIGKILL))
	}
	testenv.Eventually(t, func() bool { return ended(s.Zoned.Pid) && ended(s.Zsched.Pid) }, "both to be dead")
}

// terminal is the number of a process's controlling terminal, 0 for none.
func terminal(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 5 {
		return ""
	}
	return f[4]
}

// ended says whether a process is gone with all its threads, whoever reaps it.
func ended(pid int) bool {
	fd, err := sys.PidfdOpen(pid)
	if err != nil {
		return true
	}
	defer fd.Close()
	return sys.PidfdExited(fd.Int())
}

func populated(t *testing.T, dir string) bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
	if os.IsNotExist(err) {
		return false
	}
	check(t, err)
	return strings.Contains(string(b), "populated 1")
}

// killAll ends every process of a generation.
func killAll(t *testing.T, dir string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0))
	testenv.Eventually(t, func() bool { return !populated(t, dir) }, "the zone's processes to go")
}

// clean fails when fsck finds anything.
func clean(t *testing.T, z *testenv.Zones) {
	t.Helper()
	silent(t, z, "fsck", "-n")
}
