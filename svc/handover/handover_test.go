package handover

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What only an exec shows is tested with the real program, in cmd/init.

func TestCloseInherited(t *testing.T) {
	f, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const first = 300 // above what the test's own surroundings hand on
	for fd, flags := range map[int]int{first - 1: 0, first: 0, first + 1: unix.O_CLOEXEC, first + 200: 0} {
		if err := unix.Dup3(int(f.Fd()), fd, flags); err != nil {
			t.Fatal(err)
		}
	}
	if err := CloseInherited(first); err != nil {
		t.Fatal(err)
	}
	for fd, want := range map[int]bool{first - 1: true, first: false, first + 1: true, first + 200: false} {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if open := err == nil; open != want {
			t.Errorf("descriptor %d: open %v, want %v", fd, open, want)
		}
		unix.Close(fd)
	}
}

// An exec that fails says why, and the program goes on.
func TestExecFails(t *testing.T) {
	for path, want := range map[string]unix.Errno{"/no/such": unix.ENOENT, "/": unix.EACCES, "/dev/null": unix.EACCES} {
		if err := Exec(path, []string{"x"}, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
