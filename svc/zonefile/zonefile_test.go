package zonefile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{0, 1, 511, 512, 513, 4096, 99_999, 100_000} {
		path := filepath.Join(dir, "file")
		want := bytes.Repeat([]byte{'x'}, size)
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path, 100_000)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("size %d: %d bytes, %v", size, len(got), err)
		}
		if _, err := Read(path, size-1); size > 0 && !errors.Is(err, ErrTooLarge) {
			t.Errorf("size %d, limit one less: %v", size, err)
		}
	}
}

// What a hostile zone may put in a file's place: none of it blocks.
func TestReadHostile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "zero")
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		fifo: ErrNotRegular, link: ErrNotRegular, dir: ErrNotRegular, "/dev/tty": nil, loop: unix.ELOOP,
		filepath.Join(dir, "no"): os.ErrNotExist,
	} {
		_, err := Read(path, 1000)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

// A file without a size is read to its end; one that has none is cut off.
func TestReadProc(t *testing.T) {
	if got, err := Read("/proc/self/status", 1<<20); err != nil || !bytes.Contains(got, []byte("SigIgn")) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := Read("/proc/self/status", 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit of 100: %v", err)
	}
}
