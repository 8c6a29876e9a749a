package testenv

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Feature is something of the kernel or the host that a test may need. Probe tries it and
// returns nil when it is there; an error is the proof that it is not.
type Feature struct {
	Name  string
	Probe func() error
}

// Features that tests may need.
var (
	Cgroup2      = Feature{"a cgroup2 mount", probeCgroup2}
	PureCgroup2  = Feature{"cgroup2 with the memory controller", probePureCgroup2}
	CgroupKill   = Feature{"cgroup.kill (Linux 5.14)", probeCgroupKill}
	UserNS       = Feature{"user namespaces", probeUserNS}
	IdmappedRoot = Feature{"mount_setattr (Linux 5.12)", probeMountSetattr}
	Fuse         = Feature{"/dev/fuse", probePath("/dev/fuse")}
	FuseResend   = Feature{"FUSE_NOTIFY_RESEND (Linux 6.9)", probeRelease(6, 9)}
	PeerPidfd    = Feature{"SO_PEERPIDFD (Linux 6.5)", probePeerPidfd}
	PidfdInfo    = Feature{"PIDFD_GET_INFO with exit status (Linux 6.15)", probeRelease(6, 15)}
	BTF          = Feature{"kernel BTF", probePath("/sys/kernel/btf/vmlinux")}
	Seccomp      = Feature{"seccomp filters", probePath("/proc/sys/kernel/seccomp/actions_avail")}
	Systemd      = Feature{"systemd as pid 1", probePath("/run/systemd/system")}
)

// ci says whether everything that a test can need must be present.
func ci() bool { return os.Getenv("CI") == "true" }

// Need skips the test when a probe proves that the feature is missing; in CI it fails it.
// PureCgroup2 and Systemd are the exceptions: which of them a host has is its layout, not
// a lack, and the guest of the VM tests has the other; use them with Has.
func Need(t testing.TB, features ...Feature) {
	t.Helper()
	for _, f := range features {
		if err := f.Probe(); err != nil {
			absent(t, fmt.Sprintf("%s is missing: %v", f.Name, err))
		}
	}
}

// Has says whether the feature is there, for tests that go two ways.
func Has(f Feature) bool { return f.Probe() == nil }

// NeedRoot skips the test for ordinary users; in CI it fails it.
func NeedRoot(t testing.TB) {
	t.Helper()
	if uid := os.Geteuid(); uid != 0 {
		absent(t, fmt.Sprintf("the test needs root and runs as uid %d", uid))
	}
}

// NeedLong skips a test that takes minutes when -short is given, which CI never does.
func NeedLong(t testing.TB) {
	t.Helper()
	if testing.Short() {
		absent(t, "-short leaves out what takes minutes")
	}
}

// absent is the only place that skips.
func absent(t testing.TB, why string) {
	t.Helper()
	if ci() {
		t.Fatalf("%s (in CI nothing may be missing)", why)
	}
	t.Skip(why)
}

func probePath(path string) func() error {
	return func() error {
		_, err := os.Stat(path)
		return err
	}
}

// probeRelease is for what cannot be tried without a partner; the release that introduced
// it is then the best witness.
func probeRelease(major, minor int) func() error {
	return func() error {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return err
		}
		release := unix.ByteSliceToString(u.Release[:])
		var haveMajor, haveMinor int
		if _, err := fmt.Sscanf(release, "%d.%d", &haveMajor, &haveMinor); err != nil {
			return fmt.Errorf("parse release %q: %w", release, err)
		}
		if haveMajor > major || haveMajor == major && haveMinor >= minor {
			return nil
		}
		return fmt.Errorf("the kernel is %s", release)
	}
}

func probeCgroup2() error {
	_, err := Cgroup2Mount()
	return err
}

func probePureCgroup2() error {
	dir, err := Cgroup2Mount()
	if err != nil {
		return err
	}
	controllers, err := os.ReadFile(dir + "/cgroup.controllers")
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(controllers)) {
		if c == "memory" {
			return nil
		}
	}
	return fmt.Errorf("%s has only %q", dir, strings.TrimSpace(string(controllers)))
}

// probeCgroupKill makes a cgroup to look, since the root has no cgroup.kill.
func probeCgroupKill() error {
	root, err := Cgroup2Mount()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(root, "zones-probe")
	if err != nil {
		return err
	}
	defer unix.Rmdir(dir)
	_, err = os.Stat(dir + "/cgroup.kill")
	return err
}

func probeUserNS() error {
	if _, err := os.Stat("/proc/self/ns/user"); err != nil {
		return err
	}
	limit, err := os.ReadFile("/proc/sys/user/max_user_namespaces")
	if err == nil && strings.TrimSpace(string(limit)) == "0" {
		return fmt.Errorf("user.max_user_namespaces is 0")
	}
	return nil
}

// probeMountSetattr calls with nothing to do on no descriptor: ENOSYS is absence.
func probeMountSetattr() error {
	var attr unix.MountAttr
	_, _, errno := unix.Syscall6(unix.SYS_MOUNT_SETATTR, ^uintptr(0), 0, 0,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno == unix.ENOSYS {
		return errno
	}
	return nil
}

func probePeerPidfd() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	fd, err := unix.GetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
