package api

import (
	"crypto/rand"
	"encoding/hex"
	"math"

	"github.com/linuxzones/zones/internal/sys"
	"golang.org/x/sys/unix"
)

// NewID gives a request's id. crypto/rand does not fail on Linux.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// dialSocket connects without waiting. sys.DialUnix would wait in the kernel, for ever, while
// the door's backlog is full, which is so when a supervisor is stopped and many ask.
// EAGAIN says so here, and the caller tries again as long as it has time.
func dialSocket(dir *sys.FD, name string) (*sys.FD, error) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	fd := sys.Own(n)
	err = sys.Retry(func() error {
		return unix.Connect(n, &unix.SockaddrUnix{Name: dir.Proc() + "/" + name})
	})
	if err != nil {
		_ = fd.Close()
		return nil, err
	}
	return fd, nil
}

// hideDescriptors marks everything above standard error close-on-exec. What the caller of
// this program left open (a shell's redirection, a build system's job server) must not
// live on in a daemon.
func hideDescriptors() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}
