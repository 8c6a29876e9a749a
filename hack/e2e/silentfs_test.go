package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// fileSystem is a FUSE file system whose server answers its initialisation and nothing else.
type fileSystem struct {
	dir  string
	once sync.Once
	dev  *os.File
	done chan struct{}
}

// abort ends the connection: whoever waits for an answer gets an error.
func (f *fileSystem) abort() {
	f.once.Do(func() {
		_ = unix.Unmount(f.dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		_ = f.dev.Close()
		<-f.done
	})
}

// Of the kernel's fuse.h.
const (
	fuseInit          = 26
	fuseInHeaderBytes = 40
	fuseInitOutBytes  = 64
)

func silentFS(t *testing.T) *fileSystem {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := &fileSystem{dir: t.TempDir(), done: make(chan struct{})}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	if err := unix.Mount("e2e", f.dir, "fuse.silent", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		unix.Close(fd)
		t.Fatal(err)
	}
	f.dev = os.NewFile(uintptr(fd), "/dev/fuse") // not before: it can be polled from now on
	go f.serve()
	t.Cleanup(f.abort)
	return f
}

// serve takes every request; the kernel then waits for its answer whatever happens.
func (f *fileSystem) serve() {
	defer close(f.done)
	buf := make([]byte, 1<<20)
	for {
		n, err := f.dev.Read(buf)
		if err != nil {
			return
		}
		if n < fuseInHeaderBytes || binary.NativeEndian.Uint32(buf[4:]) != fuseInit {
			continue
		}
		out := make([]byte, 16+fuseInitOutBytes)
		binary.NativeEndian.PutUint32(out, uint32(len(out)))
		copy(out[8:16], buf[8:16])                        // unique
		copy(out[16:24], buf[fuseInHeaderBytes:])         // major, minor
		binary.NativeEndian.PutUint32(out[16+20:], 65536) // max_write
		if _, err := f.dev.Write(out); err != nil {
			return
		}
	}
}

// stuckIn starts a process and waits until it hangs in the file system, dead to signals.
func stuckIn(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("stat", dir+"/file")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", cmd.Process.Pid))
		return strings.Contains(string(b), "request_wait_answer")
	}, "a process to hang")
	return cmd
}
