package mnttab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/internal/testenv"
)

// decode undoes the four escapes of the table.
var decode = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// TestTenThousand: as many mounts as a busy host has, of names with every byte that a name may
// have and of paths as long as they can be.
func TestTenThousand(t *testing.T) {
	r := newRig(t)
	r.serve()
	base := t.TempDir()
	mounts := 10_000
	if testing.Short() {
		mounts = 1000
	}
	inNamespace(t, func() {
		check := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		check(unix.Mount("base", base, "tmpfs", 0, ""))
		var points []string
		for i := range mounts {
			dir := base + "/" + oddName(i)
			if i%500 == 0 { // PATH_MAX less what /proc adds when it is used
				for len(dir) < 4000-100 {
					dir += "/" + strings.Repeat(" \\\n\t", 24)
				}
			}
			check(os.MkdirAll(dir, 0o755))
			check(unix.Mount("s p\n#", dir, "tmpfs", 0, ""))
			points = append(points, dir)
			if t.Failed() {
				return
			}
		}
		start := time.Now()
		text := r.readTable()
		took := time.Since(start)
		lines := fields(t, text)
		lines = lines[len(lines)-mounts:]
		for i, l := range lines {
			if decode(l[1]) != points[i] || l[0] != `s\040p\012#` || l[2] != "tmpfs" || strings.ContainsAny(l[1], " \n") {
				t.Fatalf("mount %d: %.200q", i, l)
			}
		}
		t.Logf("%d mounts, %d bytes: opened and read in %v", mounts, len(text), took)
	})
}

// oddName holds a seventh of all bytes that a name may have.
func oddName(i int) string {
	name := []byte(fmt.Sprint("m", i, "-"))
	for c := byte(1); c != 0; c++ {
		if c != '/' && int(c)%7 == i%7 {
			name = append(name, c)
		}
	}
	return string(name)
}

// TestChroot: paths begin at the reader's root, and what it does not reach is not told,
// not by a file either that was opened before.
func TestChroot(t *testing.T) {
	r := newRig(t)
	r.serve()
	base := t.TempDir()
	inNamespace(t, func() {
		for _, d := range []string{"jail", "jail/in", "out", "jail/proc"} {
			if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
				t.Error(err)
			}
			if d != "jail/proc" {
				if err := unix.Mount(d, filepath.Join(base, d), "tmpfs", 0, ""); err != nil {
					t.Error(err)
				}
			}
		}
		if err := unix.Mount("proc", filepath.Join(base, "jail/proc"), "proc", 0, ""); err != nil {
			t.Error(err)
		}
		outside := r.openTable()
		defer unix.Close(outside)
		_, _ = unix.Pread(outside, make([]byte, 100), 0)
		if err := unix.Chroot(filepath.Join(base, "jail")); err != nil {
			t.Error(err)
		}
		if _, err := unix.Pread(outside, make([]byte, 100), 0); err != unix.ESTALE {
			t.Errorf("a file opened outside, from the beginning: %v", err)
		}
		lines := fields(t, r.readTable())
		if len(lines) != 3 || at(lines, "/") == nil || at(lines, "/in") == nil || at(lines, "/proc") == nil {
			t.Errorf("in its root: %q", lines)
		}
	})
}

// TestForeignDescriptor: an open file that was passed on shows the mounts of who opened it, and
// never those of who reads it.
func TestForeignDescriptor(t *testing.T) {
	r := newRig(t)
	r.serve()
	s := r.shell()
	s.do("mkdir $PWD/nothing 2>/dev/null; mount -t tmpfs secret " + s.dir)
	s.do("exec 5</dev/fd/3; read line <&5")
	theirs := s.do("cat /dev/fd/3")
	// The shell's descriptor 5, fetched from outside: the same open file.
	pidfd, err := unix.PidfdOpen(s.cmd.Process.Pid, 0)
	must(t, err)
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, 5, 0)
	must(t, err)
	defer unix.Close(fd)
	b := make([]byte, 1<<20)
	n, err := unix.Pread(fd, b, 0)
	if err != nil || string(b[:max(n, 0)]) != theirs {
		t.Errorf("%v: %.100q, want %.100q", err, b[:max(n, 0)], theirs)
	}
	s.end()
	// Nobody is there any more whose mounts they are; the snapshot's rest still is.
	if _, err := unix.Pread(fd, b, 0); err != unix.ESTALE {
		t.Errorf("from the beginning, after the end of its namespace: %v", err)
	}
	if n, err := unix.Pread(fd, b, 10); err != nil || string(b[:max(n, 0)]) != theirs[10:] {
		t.Errorf("%v: %.100q, want %.100q", err, b[:max(n, 0)], theirs[10:])
	}
}

// TestIdentity: a number that is another thread's by now is not the reader.
func TestIdentity(t *testing.T) {
	me, err := identify(os.Getpid())
	must(t, err)
	if !me.same(me) || me.pid != int32(os.Getpid()) {
		t.Errorf("%+v", me)
	}
	later, elsewhere, jailed, child := me, me, me, me
	later.start++
	elsewhere.ns++
	jailed.root++
	child.pid, child.start = me.pid+1, me.start+5
	for i, other := range []reader{later, elsewhere, jailed} {
		if me.same(other) {
			t.Errorf("%d: %+v", i, other)
		}
	}
	if !me.same(child) {
		t.Error("another thread with the same view")
	}
	for _, pid := range []int{-1, 0, 1 << 30} {
		if r, err := identify(pid); err == nil {
			t.Errorf("%d: %+v", pid, r)
		}
	}
}

// TestPidNamespace: the readers of a zone have other numbers than they know of.
func TestPidNamespace(t *testing.T) {
	r := newRig(t)
	r.serve()
	s := r.shell(unix.CLONE_NEWPID)
	if lines := s.table(); at(lines, s.dir) == nil {
		t.Errorf("%q", lines)
	}
}

// TestHandleLimits: one user cannot have them all, and what is closed can be opened again.
func TestHandleLimits(t *testing.T) {
	r := newRig(t)
	sv, _ := r.serve()
	s := r.shell()
	path := "/proc/self/fd/" + fmt.Sprint(r.mount.Int())
	var fds []int
	var last error
	for range HandlesPerUserMax + 5 {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			last = err
			continue
		}
		fds = append(fds, fd)
	}
	if len(fds) != HandlesPerUserMax || last != unix.EMFILE {
		t.Errorf("%d opened, then %v", len(fds), last)
	}
	if got := s.do("setpriv --reuid 1000 --regid 1000 --clear-groups cat /dev/fd/3 | wc -l"); got == "0\n" {
		t.Error("nothing is left for another user")
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	testenv.Eventually(t, func() bool { return open(sv) == 0 }, "all files to be closed")
	r.readTable()
}

// TestWatch: mounts are dated when they are made, although nobody reads, and the zone's
// namespace is let go when its init ends.
func TestWatch(t *testing.T) {
	r := newRig(t)
	r.clock.at = time.Unix(1000, 0)
	sv, _ := r.serve()
	s := r.shell()
	s.do("mkdir " + s.path("x") + " " + s.path("y"))
	sv.Watch(s.cmd.Process.Pid)
	m, err := fuse.OpenMemory(r.mem.Int()) // a second view of the store
	must(t, err)
	defer m.Close()
	store, err := openStore(m.Extra(), 0)
	must(t, err)
	known := func() (n int) {
		for i := range store.seen {
			if store.seen[i].key.Load() != 0 {
				n++
			}
		}
		return n
	}
	before := strings.Count(s.do("cat /proc/self/mountinfo"), "\n")
	testenv.Eventually(t, func() bool { return known() == before }, "the first look")
	s.do("mount -t tmpfs x " + s.path("x"))
	testenv.Eventually(t, func() bool { return known() == before+1 }, "the mount to be seen")
	s.do("umount " + s.path("x"))
	testenv.Eventually(t, func() bool { return known() == before }, "the unmount to be seen")
	s.end()
	testenv.Eventually(t, func() bool { return sv.watchPid.Load() == 0 }, "the end of init to be seen")
}
