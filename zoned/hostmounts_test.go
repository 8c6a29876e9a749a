package zoned

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// otherMounts starts a process in a mount namespace of its own, in which a tmpfs lies on dir,
// and names the namespace.
func otherMounts(t *testing.T, dir string) string {
	t.Helper()
	ready, started, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `mount --make-rprivate / && { [ -z "$1" ] || mount -t tmpfs x "$1"; } && echo >&3 && exec sleep 1000`, "sh", dir)
	cmd.ExtraFiles = []*os.File{started}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	started.Close()
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ready.Close()
	return fmt.Sprintf("/proc/%d/ns/mnt", cmd.Process.Pid)
}

// TestEnterMounts: f runs elsewhere, a program that it starts too, and nothing else ever does.
func TestEnterMounts(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	namespace := otherMounts(t, "")
	want, err := os.Readlink(namespace)
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	// Mounted in the other namespace alone, it must not be seen from here.
	mine := filepath.Join(dir, "mine")
	if err := os.Mkdir(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			err := enterMounts(namespace, dir, func() error {
				got, err := os.Readlink("/proc/thread-self/ns/mnt")
				if err != nil || got != want {
					return fmt.Errorf("in %s, %w", got, err)
				}
				out, err := exec.Command("readlink", "/proc/self/ns/mnt").Output()
				if err != nil || string(out) != want+"\n" {
					return fmt.Errorf("a program is in %s, %w", out, err)
				}
				return unix.Mount("x", mine, "tmpfs", 0, "")
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if got, err := os.Readlink("/proc/self/ns/mnt"); err != nil || got != own {
		t.Errorf("this process is in %s, %v", got, err)
	}
	var threads sync.WaitGroup
	for range 50 {
		threads.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if got, err := os.Readlink("/proc/thread-self/ns/mnt"); err != nil || got != own {
				t.Errorf("a thread is in %s, %v", got, err)
			}
		})
	}
	threads.Wait()
	var st unix.Statfs_t
	if err := unix.Statfs(mine, &st); err != nil || st.Type == unix.TMPFS_MAGIC {
		t.Errorf("the other namespace's mount is here: %v", err)
	}
}

// TestEnterMountsElsewhere: what lies in the place must be the same; the error of f comes back.
func TestEnterMountsElsewhere(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	namespace := otherMounts(t, dir)
	err := enterMounts(namespace, dir, func() error { t.Error("it ran"); return nil })
	if !errors.Is(err, errElsewhere) {
		t.Errorf("%v", err)
	}
	if err := enterMounts("/proc/self/nothing", dir, nil); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
	bad := errors.New("bad")
	if err := enterMounts(namespace, "/proc", func() error { return bad }); !errors.Is(err, bad) {
		t.Errorf("%v", err)
	}
}
