package fuse

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
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
	must(t, unix.Fstatfs(int(f.Fd()), &unix.Statfs_t{}))
}

// TestTruncate: a shell's redirection opens with O_TRUNC, which is no write.
func TestTruncate(t *testing.T) {
	r := newRig(t)
	f := r.serve()
	sh := exec.Command("sh", "-c", "echo 5 > /dev/fd/3/tokens; : > /dev/fd/3/quiet")
	mount := dupFile(t, r.mount.Int())
	defer mount.Close()
	sh.ExtraFiles = append(sh.ExtraFiles, mount)
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	testenv.Eventually(t, func() bool { return f.state().Tokens == 5 }, "five tokens")
	fd := r.open("quiet", unix.O_RDWR)
	must(t, unix.Ftruncate(fd.Int(), 0))
	must(t, unix.Fsync(fd.Int()))
}

func TestIoctl(t *testing.T) {
	r := newRig(t)
	r.serve()
	fd := r.open("tokens", unix.O_RDWR)
	must(t, write(fd, "1"))
	if _, err := readRetried(fd); err != nil {
		t.Fatal(err)
	}
	ioctl := func(cmd uintptr, arg unsafe.Pointer) (uintptr, error) {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd.Int()), cmd, uintptr(arg))
		if errno != 0 {
			return n, errno
		}
		return n, nil
	}
	if n, err := ioctl(ioctlTaken, nil); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	number := uint64(41)
	if _, err := ioctl(ioctlAdd, unsafe.Pointer(&number)); number != 42 || err != nil {
		t.Errorf("%d %v", number, err)
	}
	if _, err := ioctl(ioctlTaken+1, nil); err != unix.ENOTTY {
		t.Errorf("unknown: %v", err)
	}
	// The most that a number can ask for is more than a slot holds: refused, nothing breaks.
	large := make([]byte, 1<<14)
	if _, err := ioctl(1<<30|0x3fff<<16|'t'<<8|9, unsafe.Pointer(&large[0])); err != unix.EIO && err != unix.ENOTTY {
		t.Errorf("large: %v", err)
	}
	if n, err := ioctl(ioctlTaken, nil); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

// TestRefusals: what the tree does not have is said in words that tell something.
func TestRefusals(t *testing.T) {
	r := newRig(t)
	r.serve()
	m := r.mount.Int()
	for name, got := range map[string]error{
		"mkdir":   unix.Mkdirat(m, "dir", 0o755),
		"unlink":  unix.Unlinkat(m, "seq", 0),
		"rmdir":   unix.Unlinkat(m, "seq2", unix.AT_REMOVEDIR),
		"symlink": unix.Symlinkat("a", m, "b"),
		"rename":  unix.Renameat(m, "seq", m, "b"),
		"link":    unix.Linkat(m, "seq", m, "b", 0),
	} {
		want := error(unix.EPERM)
		if name == "rmdir" {
			want = unix.ENOENT
		}
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if _, err := unix.Openat(m, "new", unix.O_RDWR|unix.O_CREAT, 0o600); err != unix.EPERM {
		t.Errorf("create: %v", err)
	}
	fd := r.open("quiet", unix.O_RDWR)
	if err := unix.Fsetxattr(fd.Int(), "user.a", []byte("b"), 0); err != unix.EOPNOTSUPP {
		t.Errorf("setxattr: %v", err)
	}
	if _, err := unix.Mmap(fd.Int(), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
		t.Error("a stream was mapped for sharing")
	}
	if _, err := unix.Seek(fd.Int(), 1, 0); err != unix.ESPIPE {
		t.Errorf("seek: %v", err)
	}
}

// TestHostile: long names, reads of every size, huge writes, thousands of open files.
func TestHostile(t *testing.T) {
	r := newRig(t)
	f := r.serve()
	for _, n := range []int{255, 256, 1024, 4095} {
		_, err := unix.Openat(r.mount.Int(), strings.Repeat("x", n), unix.O_RDONLY, 0)
		if err != unix.ENOENT && err != unix.ENAMETOOLONG {
			t.Errorf("a name of %d bytes: %v", n, err)
		}
	}
	seq := r.open("seq", unix.O_RDONLY)
	for _, n := range []int{0, 1, 2, 4096, ReadMax, ReadMax + 1, 1 << 20} {
		// A buffer smaller than the answer is the file system's mistake here, told as one.
		if _, err := read(seq, n); err != nil && n >= 20 {
			t.Errorf("a read of %d bytes: %v", n, err)
		}
	}
	quiet := r.open("quiet", unix.O_WRONLY)
	for _, n := range []int{0, 1, WriteMax - 1, WriteMax, WriteMax + 1, 1 << 20} {
		got, err := unix.Write(quiet.Int(), make([]byte, n))
		if got != n || err != nil {
			t.Errorf("a write of %d bytes: %d %v", n, got, err)
		}
	}
	tokens := r.open("tokens", unix.O_WRONLY)
	if err := write(tokens, strings.Repeat(" ", WriteMax)+"7"); err != unix.EINVAL {
		t.Errorf("a message in pieces: %v", err)
	}
	if f.state().Tokens != 0 {
		t.Errorf("%d tokens of half a message", f.state().Tokens)
	}
	before := f.state()
	for range 3000 {
		fd := r.open("quiet", unix.O_RDWR)
		if pollFor(t, fd.Int(), unix.POLLIN, 0) != 0 {
			t.Fatal("quiet is readable")
		}
		fd.Close()
	}
	testenv.Eventually(t, func() bool { return f.state().Releases >= before.Releases+3000 }, "the releases")
}

// TestAttached: the mount is put into the tree of files by move_mount.
func TestAttached(t *testing.T) {
	r := newRig(t)
	r.serve()
	dir := t.TempDir()
	must(t, unix.MoveMount(r.mount.Int(), "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH))
	defer func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
	got, err := exec.Command("head", "-c1", filepath.Join(dir, "seq")).Output()
	if string(got) != "1" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	shown := ""
	for line := range strings.Lines(string(info)) {
		if strings.Contains(line, dir+" ") {
			shown = line
		}
	}
	if !strings.Contains(shown, " rw,nosuid,nodev,noexec") || !strings.Contains(shown, " - fuse.test test rw") {
		t.Errorf("mountinfo shows %q", shown)
	}
}
