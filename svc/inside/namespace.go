package inside

import (
	"os"

	"golang.org/x/sys/unix"
)

// pidfdGetPIDNamespace is PIDFD_GET_PID_NAMESPACE, _IO(0xFF, 5) of include/uapi/linux/pidfd.h.
const pidfdGetPIDNamespace = 0xFF05

// pidNamespace is the inode of this process's pid namespace.
func pidNamespace() (uint64, error) {
	fd, err := unix.Open("/proc/self/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err == nil {
		defer unix.Close(fd)
		if inode, err := namespaceInode(fd); err == nil {
			return inode, nil
		}
	}
	return pidNamespaceByPidfd()
}

// pidNamespaceByPidfd needs no /proc.
func pidNamespaceByPidfd() (uint64, error) {
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return 0, os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(pidfd)
	fd, err := unix.IoctlRetInt(pidfd, pidfdGetPIDNamespace)
	if err != nil {
		return 0, os.NewSyscallError("PIDFD_GET_PID_NAMESPACE", err)
	}
	defer unix.Close(fd)
	return namespaceInode(fd)
}

// namespaceInode refuses what only looks like a namespace: a file that somebody has put in
// the place of /proc.
func namespaceInode(fd int) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	if fs.Type != unix.NSFS_MAGIC {
		return 0, ErrUnknown
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	return st.Ino, nil
}
