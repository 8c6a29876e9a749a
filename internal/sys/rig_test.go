package sys

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

const roleVariable = "SYS_TEST_ROLE"

func TestMain(m *testing.M) {
	role, arg, _ := strings.Cut(os.Getenv(roleVariable), " ")
	switch role {
	case "":
		testenv.Main(m)
	case "locker":
		os.Exit(lockerMain(arg))
	case "recycler":
		os.Exit(recyclerMain())
	case "dialer":
		os.Exit(dialerMain(arg))
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// player is this test binary in another role.
func player(t testing.TB, role string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	check(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func openDir(t testing.TB, path string) *FD {
	t.Helper()
	d, err := OpenDir(path)
	check(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func pair(t testing.TB, typ int) (a, b *FD) {
	t.Helper()
	a, b, err := Pair(typ)
	check(t, err)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// longDir is a directory whose path does not fit into a socket's address.
func longDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir() + "/" + strings.Repeat("long/", 60)
	check(t, os.MkdirAll(dir, 0o700))
	return dir
}

// descriptors counts those of this process.
func descriptors(t testing.TB) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(e)
}

// interrupt has this process interrupted by signals all the time.
func interrupt(t testing.TB) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_ = syscall.Kill(os.Getpid(), syscall.SIGURG)
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

func cloexec(t testing.TB, fd int) bool {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	check(t, err)
	return flags&unix.FD_CLOEXEC != 0
}

func identity(t testing.TB, fd int) string {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Fstat(fd, &st))
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
