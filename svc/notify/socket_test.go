package notify

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPlace: everybody may write to the socket, and to nothing beside it; what another boot has left
// is replaced, what is no socket is not.
func TestPlace(t *testing.T) {
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	path := filepath.Join(t.TempDir(), "svc", "notify")
	for range 2 {
		fd, err := Make(path, "")
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{path: os.ModeSocket | 0o666, filepath.Dir(path): os.ModeDir | 0o755} {
			if st, err := os.Lstat(name); err != nil || st.Mode() != want {
				t.Errorf("%s: %v, %v; want %v", name, st.Mode(), err, want)
			}
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("it is inherited by itself: %#x %v", flags, err)
		}
		if err := check(fd); err != nil {
			t.Error(err)
		}
		unix.Close(fd)
	}
	file := filepath.Join(t.TempDir(), "notify")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if fd, err := Make(file, ""); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("%d %v", fd, err)
	}
	if text, _ := os.ReadFile(file); string(text) != "mine" {
		t.Errorf("the file has %q", text)
	}
	if fd, err := Make(filepath.Join(file, "below", "notify"), ""); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("%d %v", fd, err)
	}
	if fd, err := Make("/tmp/"+strings.Repeat("x", 200), ""); err == nil {
		unix.Close(fd)
		t.Error("a path of 200 bytes")
	}
}

// TestLongerQueue: the number for others' sockets is what it was.
func TestLongerQueue(t *testing.T) {
	file := filepath.Join(t.TempDir(), "qlen")
	if err := os.WriteFile(file, []byte("10\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, queueFile := range []string{file, "/no/such/file"} {
		fd, err := Make(filepath.Join(t.TempDir(), "n"), queueFile)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
	}
	if text, _ := os.ReadFile(file); string(text) != "10\n" {
		t.Errorf("it is %q", text)
	}
}

// TestOtherDescriptors: what is no such socket is refused.
func TestOtherDescriptors(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fds := []int{int(null.Fd()), -1}
	for _, kind := range [][2]int{{unix.AF_UNIX, unix.SOCK_DGRAM}, {unix.AF_UNIX, unix.SOCK_STREAM}, {unix.AF_INET, unix.SOCK_DGRAM}} {
		fd, err := unix.Socket(kind[0], kind[1]|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	for _, fd := range fds {
		if r, err := Listen(fd, nil); !errors.Is(err, ErrNone) {
			t.Errorf("%d: %v", fd, err)
			if err == nil {
				r.Close()
			}
		}
	}
}
