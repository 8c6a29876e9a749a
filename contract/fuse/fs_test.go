package fuse

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFiles(t *testing.T) {
	r := newRig(t)
	r.serve()
	seq := r.open("seq", unix.O_RDONLY)
	for _, want := range []string{"1", "2", "3"} {
		if got, err := read(seq, 100); got != want || err != nil {
			t.Fatalf("read %q %v, want %q", got, err, want)
		}
	}
	p := r.mem.Params()
	t.Logf("kernel speaks %d.%d, taken %#x", p.Major, p.Minor, p.Flags)
	if p.Major != 7 || p.MaxWrite != WriteMax {
		t.Errorf("%+v", p)
	}
	if _, err := unix.Openat(r.mount.Int(), "nothing", unix.O_RDONLY, 0); err != unix.ENOENT {
		t.Errorf("open of what is not there: %v", err)
	}
	dir := r.open(".", unix.O_RDONLY|unix.O_DIRECTORY)
	f := os.NewFile(uintptr(dir.Disown()), "dir")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if len(names) != 3 || err != nil {
		t.Errorf("names %q %v", names, err)
	}
}
