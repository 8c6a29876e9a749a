package session

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/account"
)

// majorPTYSlave is the first of the eight majors of /dev/pts.
const majorPTYSlave = 136

// IsTerminal says whether fd is a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// OwnTerminal gives the terminal at fd to the user, as login(1) does: without it a program
// of the user's could not open its own tty's name. Others may write to it only as group tty,
// which is who write(1) runs as. A terminal that is no slave of a pty is left alone.
func OwnTerminal(fd int, u *account.User, files account.Files) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	major := unix.Major(st.Rdev)
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || major < majorPTYSlave || major >= majorPTYSlave+8 {
		return nil
	}
	gid, mode := u.GID, uint32(0o600)
	if tty, ok := files.GroupID("tty"); ok {
		gid, mode = tty, 0o620
	}
	if err := unix.Fchown(fd, int(u.UID), int(gid)); err != nil {
		return os.NewSyscallError("fchown", err)
	}
	return os.NewSyscallError("fchmod", unix.Fchmod(fd, mode))
}
