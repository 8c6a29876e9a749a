package notify

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// FD is the descriptor that svc.startd finds the socket at.
	FD = 4
	// Path is where services find it.
	Path = "/run/svc/notify"
	// queueMax is how many messages wait in the kernel, where the zone may say so; else it is the
	// kernel's own number, 10. Beyond it a sender waits.
	queueMax = "512"
	// QueueFile is the number for sockets that are made from now on.
	QueueFile = "/proc/sys/net/unix/max_dgram_qlen"

	socketMode = 0o666
	dirMode    = 0o755
)

var (
	// ErrKernel: the kernel does not tell who has sent a message.
	ErrKernel = errors.New("this kernel does not say who sends a message (SO_PASSPIDFD, Linux 6.5): services cannot say when they are ready")
	// ErrNone: the descriptor is not of such a socket.
	ErrNone = errors.New("not the socket at which services say that they are ready")
)

// Make makes the socket at a path, whose directory it makes too. The descriptor is closed by
// execve(2). queueFile is QueueFile, where nobody else makes sockets now, else "". ErrKernel.
func Make(path, queueFile string) (fd int, err error) {
	if fd, err = open(queueFile); err != nil {
		return -1, err
	}
	if err = bind(fd, path); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// open makes a socket that tells who sends, and has room for a while without anybody who listens.
func open(queueFile string) (fd int, err error) {
	before, err := os.ReadFile(queueFile)
	if err == nil && os.WriteFile(queueFile, []byte(queueMax), 0) == nil {
		defer os.WriteFile(queueFile, before, 0)
	}
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err == nil {
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSPIDFD, 1); err == unix.ENOPROTOOPT {
			unix.Close(fd)
			return -1, ErrKernel
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("setsockopt", err)
	}
	return fd, nil
}

// bind puts it in its place. What an earlier boot has left there goes, if it is a socket.
func bind(fd int, path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	if err := os.Chmod(dir, dirMode); err != nil { // whatever the umask is
		return err
	}
	if at, err := os.Lstat(path); err == nil && at.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	// The mode of the inode is the socket's at bind, less the umask, so it is never wider.
	if err := unix.Fchmod(fd, socketMode); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return &os.PathError{Op: "bind", Path: path, Err: err}
	}
	return os.Chmod(path, socketMode)
}

// check says whether a descriptor is of such a socket.
func check(fd int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_DGRAM {
		return ErrNone
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return ErrNone
	}
	if tells, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSPIDFD); err != nil || tells != 1 {
		return ErrNone
	}
	return nil
}
