package sys

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFD(t *testing.T) {
	var none *FD
	for name, f := range map[string]*FD{"nil": none, "zero": {}, "negative": Own(-1)} {
		if f.Valid() || f.Int() != -1 || f.Close() != nil || f.Disown() != -1 {
			t.Errorf("%s owns something", name)
		}
		if _, err := f.Dup(); err == nil {
			t.Errorf("%s was duplicated", name)
		}
	}
	n, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	check(t, err)
	f := Own(n)
	d, err := f.Dup()
	check(t, err)
	if !f.Valid() || f.Int() != n || !cloexec(t, d.Int()) || identity(t, d.Int()) != identity(t, n) {
		t.Error("a duplicate is another file, or is handed on")
	}
	check(t, f.Close())
	if f.Valid() || f.Int() != -1 {
		t.Error("owned after Close")
	}
	// The number may be another's by now: a second Close must not touch it.
	again, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check(t, err)
	check(t, f.Close())
	if _, err := unix.FcntlInt(uintptr(again), unix.F_GETFD, 0); err != nil {
		t.Error("a second Close closed another's descriptor")
	}
	unix.Close(again)
	num := d.Disown()
	if d.Valid() || d.Close() != nil {
		t.Error("owned after Disown")
	}
	check(t, unix.Close(num))
	CloseAll([]*FD{nil, {}, d})
}

func TestOpenDir(t *testing.T) {
	base := t.TempDir()
	check(t, os.Symlink(base, base+"/link"))
	check(t, os.WriteFile(base+"/file", nil, 0o600))
	check(t, unix.Mkfifo(base+"/fifo", 0o600))
	for _, name := range []string{"link", "file", "fifo", "nothing"} {
		if d, err := OpenDir(base + "/" + name); err == nil || !strings.Contains(err.Error(), name) {
			d.Close()
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := openDir(t, base); !cloexec(t, d.Int()) {
		t.Error("the descriptor is handed on")
	}
}

func TestReadFile(t *testing.T) {
	base := t.TempDir()
	for _, size := range []int{0, 1, 1023, 1024, 1025, 100_000} {
		want := bytes.Repeat([]byte("x"), size)
		check(t, os.WriteFile(base+"/f", want, 0o600))
		if got, err := ReadFile(base+"/f", size); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		}
		if _, err := ReadFile(base+"/f", size-1); size > 0 && !errors.Is(err, unix.EFBIG) {
			t.Errorf("%d bytes of %d: %v", size-1, size, err)
		}
	}
	if _, err := ReadFile(base+"/nothing", 1); !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "open "+base+"/nothing: ") {
		t.Errorf("%v", err)
	}
	if _, err := ReadFile(base, 1); !errors.Is(err, unix.EISDIR) {
		t.Errorf("%v", err)
	}
	check(t, unix.Mkfifo(base+"/fifo", 0o600))
	if b, err := ReadFile(base+"/fifo", 10); err != nil || len(b) != 0 {
		t.Errorf("a pipe that nobody writes to: %q %v", b, err)
	}
	if b, err := ReadFile("/proc/self/stat", 4096); err != nil || !strings.Contains(string(b), "sys.test") {
		t.Errorf("%q %v", b, err)
	}
}

func TestWriteAll(t *testing.T) {
	interrupt(t)
	a, b := pair(t, unix.SOCK_STREAM)
	check(t, unix.SetNonblock(a.Int(), true))
	want := bytes.Repeat([]byte("0123456789"), 500_000)
	done := make(chan error)
	go func() { err := WriteAll(a.Int(), want); a.Close(); done <- err }()
	var got []byte
	buf := make([]byte, 50_000)
	for {
		n, err := unix.Read(b.Int(), buf)
		if err == unix.EINTR {
			continue
		}
		check(t, err)
		if n == 0 {
			break
		}
		got = append(got, buf[:n]...)
	}
	if err := <-done; err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
	}
	if err := WriteAll(-1, []byte("x")); !errors.Is(err, unix.EBADF) {
		t.Errorf("%v", err)
	}
	full, err := unix.Open("/dev/full", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(full)
	if err := WriteAll(full, []byte("x")); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("%v", err)
	}
}

func TestErrors(t *testing.T) {
	if wrap("open", "x", nil) != nil {
		t.Error("no error became one")
	}
	err := wrap("open", "/x", unix.ENOENT)
	if err.Error() != "open /x: no such file or directory" || !errors.Is(err, unix.ENOENT) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := wrap("poll", "", unix.EBADF); err.Error() != "poll: bad file descriptor" {
		t.Errorf("%v", err)
	}
	tries := 0
	if err := Retry(func() error {
		if tries++; tries < 5 {
			return unix.EINTR
		}
		return unix.EPERM
	}); err != unix.EPERM || tries != 5 {
		t.Errorf("%v after %d tries", err, tries)
	}
}
