package collector_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// roleVariable has the test's program be a supervisor, or one more process, instead.
const roleVariable = "ZONES_COLLECTOR_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := roles[role](os.Args[1:]); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	testenv.Main(m)
}

// role starts the test's program as something else, in a cgroup.
func role(t testing.TB, dir string, attr *syscall.SysProcAttr, name string, args ...string) *member {
	t.Helper()
	return roleWith(t, dir, attr, nil, name, args...)
}

func roleWith(t testing.TB, dir string, attr *syscall.SysProcAttr, files []*os.File, name string, args ...string) *member {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+name)
	cmd.ExtraFiles = files
	return start(t, dir, attr, cmd)
}

var roles = map[string]func(args []string) error{
	"level":  roleLevel,
	"reader": roleReader,
	"pidns":  rolePidNS,
}

// roleLevel prints the level that the collector tells, and that of the pid namespace.
func roleLevel(args []string) error {
	c, err := collector.Open(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	level, err := c.Level()
	fmt.Println(level, nested())
	return err
}

// nested is how deep this process's pid namespace is, as far as /proc shows.
func nested() int {
	b, _ := os.ReadFile("/proc/self/status")
	for l := range strings.Lines(string(b)) {
		if ids, ok := strings.CutPrefix(l, "NSpid:"); ok {
			return len(strings.Fields(ids)) - 1
		}
	}
	return -1
}

// roleReader reads the ring that is descriptor 3 and writes each record down before it
// advances: its position and what it told, one write a line.
func roleReader([]string) error {
	r, err := collector.OpenRing(sys.Own(3))
	if err != nil {
		return err
	}
	if len(os.Args) > 1 {
		to, err := strconv.ParseUint(os.Args[1], 10, 64)
		if err != nil {
			return err
		}
		if err := r.Skip(to); err != nil {
			return err
		}
	}
	for {
		rec, at, ok, err := r.Next()
		if err != nil {
			return err
		}
		if !ok {
			p := []unix.PollFd{{Fd: int32(r.FD()), Events: unix.POLLIN}}
			if _, err := unix.Poll(p, -1); err != nil && err != unix.EINTR {
				return err
			}
			continue
		}
		fmt.Println("told", at, rec.Kind, rec.Pid, rec.Status)
		r.Advance(at)
	}
}
