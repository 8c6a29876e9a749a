package mnttab

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestOwnNamespace: each reader is told of its own mounts, in their order, with the last
// options where they belong.
func TestOwnNamespace(t *testing.T) {
	r := newRig(t)
	r.clock.at = time.Unix(1_700_000_000, 0)
	r.serve()
	a, b := r.shell(), r.shell()
	a.do("mkdir " + a.path("x") + " && mount -t tmpfs -o nosuid,size=64k one " + a.path("x"))
	lines := a.table()
	x := at(lines, a.path("x"))
	if x == nil {
		t.Fatalf("no line of %s in %q", a.path("x"), lines)
	}
	if x[0] != "one" || x[2] != "tmpfs" || !strings.HasPrefix(x[3], "rw,nosuid,relatime,size=64k,") || x[4] != "1700000000" {
		t.Errorf("%q", x)
	}
	if last := x[3][strings.LastIndex(x[3], ",zone="):]; !strings.HasPrefix(last, ",zone=web,dev=") {
		t.Errorf("last options %q", last)
	}
	if lines[len(lines)-1][1] != a.path("x") || lines[0][1] != "/" {
		t.Errorf("not oldest first: %q", lines)
	}
	if at(b.table(), a.path("x")) != nil {
		t.Error("another namespace is told of the mount")
	}
}

// TestHost: a reader on the host is told the host's, without a zone's name.
func TestHost(t *testing.T) {
	r := newRig(t)
	r.serve()
	text, err := os.ReadFile("/proc/self/fd/" + strconv.Itoa(r.mount.Int()))
	must(t, err)
	for _, l := range fields(t, string(text)) {
		if strings.Contains(l[3], "zone=") {
			t.Errorf("%q", l)
		}
	}
	// Others mount on this host too.
	testenv.Eventually(t, func() bool {
		info, err := os.ReadFile("/proc/self/mountinfo")
		must(t, err)
		return len(fields(t, r.readTable())) == strings.Count(string(info), "\n")
	}, "as many lines as there are mounts")
}

func TestAttributes(t *testing.T) {
	r := newRig(t)
	r.serve()
	s := r.shell()
	if got := s.do("stat -L -c '%F %a %u %g %h' /dev/fd/3"); got != "regular file 444 100000 100000 1\n" {
		t.Errorf("%q", got)
	}
	if size, count := s.do("stat -L -c %s /dev/fd/3"), s.do("cat /dev/fd/3 | wc -c"); size != count {
		t.Errorf("size %q, read %q", size, count)
	}
	// Not to be written: root passes the permissions and is told why all the same.
	for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_RDONLY | unix.O_TRUNC} {
		fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(r.mount.Int()), flags|unix.O_CLOEXEC, 0)
		if err != unix.EROFS {
			t.Errorf("flags %#x: %d %v", flags, fd, err)
		}
	}
	if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(r.mount.Int()), 0o666); err != unix.EROFS {
		t.Errorf("chmod: %v", err)
	}
	if got := s.do("setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'cat /dev/fd/3 | wc -l; echo >>/dev/fd/3' 2>&1 || true"); !strings.Contains(got, "ermission denied") {
		t.Errorf("an ordinary user: %q", got)
	}
}

// TestMtime: the time of modification changes when the reader's table does, and not otherwise.
func TestMtime(t *testing.T) {
	r := newRig(t)
	r.serve()
	s, other := r.shell(), r.shell()
	mtime := func() string { return s.do("stat -L -c %y /dev/fd/3") }
	first := mtime()
	s.do("cat /dev/fd/3 >/dev/null")
	other.do("mkdir " + other.path("x") + " && mount -t tmpfs x " + other.path("x"))
	other.do("cat /dev/fd/3 >/dev/null")
	if again := mtime(); again != first {
		t.Errorf("%s, then %s without a change", first, again)
	}
	s.do("mkdir " + s.path("x") + " && mount -t tmpfs x " + s.path("x"))
	changed := mtime()
	if changed <= first {
		t.Errorf("%s, then %s after a mount", first, changed)
	}
	s.do("umount " + s.path("x"))
	if again := mtime(); again <= changed {
		t.Errorf("%s, then %s after an unmount", changed, again)
	}
}

// TestSnapshot: an open file shows one state; read from the beginning again, the next.
func TestSnapshot(t *testing.T) {
	r := newRig(t)
	r.serve()
	s := r.shell()
	s.do("mkdir " + s.path("x"))
	s.do("exec 4</dev/fd/3")
	s.do("mount -t tmpfs x " + s.path("x"))
	first := s.do("cat <&4")
	if strings.Contains(first, s.path("x")) {
		t.Error("the snapshot was not made at open")
	}
	if again := s.do("cat <&4"); again != "" {
		t.Errorf("after the end: %q", again)
	}
	if next := s.do("cat /dev/fd/4"); !strings.Contains(next, s.path("x")) {
		t.Error("another open shows the old table")
	}
}
