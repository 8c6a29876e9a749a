package crash

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// A point of a traced program is a system call that changes something, or waits for somebody: it is
// killed as it enters the call, which then is not made. Killed before one is killed after the one
// before it, since nothing in between can be seen from outside.
//
// A point's name is the call, what it is about, and which time it is. Of calls that are repeated
// the first eight count, and then those whose number is a power of two: an installation makes a
// thousand links, each like the one before. Of what a call is about the first twelve have their
// names, and the rest is one.

// about says which argument of a call tells what it is about.
type about int

const (
	nothing about = iota
	path1         // the first argument is a path
	path2         // the second is a path
	path3
	path4
	fd1 // the first is a descriptor
)

type call struct {
	name string
	what about
}

var calls = map[uint64]call{
	unix.SYS_WRITE: {"write", fd1}, unix.SYS_WRITEV: {"writev", fd1}, unix.SYS_PWRITE64: {"pwrite", fd1},
	unix.SYS_SENDTO: {"sendto", fd1}, unix.SYS_SENDMSG: {"sendmsg", fd1}, unix.SYS_RECVMSG: {"recvmsg", fd1},
	unix.SYS_CONNECT: {"connect", nothing}, unix.SYS_BIND: {"bind", nothing}, unix.SYS_LISTEN: {"listen", nothing},
	unix.SYS_MKDIR: {"mkdir", path1}, unix.SYS_MKDIRAT: {"mkdirat", path2}, unix.SYS_MKNODAT: {"mknodat", path2},
	unix.SYS_RMDIR: {"rmdir", path1}, unix.SYS_UNLINK: {"unlink", path1}, unix.SYS_UNLINKAT: {"unlinkat", nothing},
	unix.SYS_RENAME: {"rename", path2}, unix.SYS_RENAMEAT: {"renameat", path4}, unix.SYS_RENAMEAT2: {"renameat2", path4},
	unix.SYS_LINK: {"link", path2}, unix.SYS_LINKAT: {"linkat", path4},
	unix.SYS_SYMLINK: {"symlink", path2}, unix.SYS_SYMLINKAT: {"symlinkat", nothing},
	unix.SYS_CHMOD: {"chmod", path1}, unix.SYS_FCHMOD: {"fchmod", nothing}, unix.SYS_FCHMODAT: {"fchmodat", nothing},
	unix.SYS_CHOWN: {"chown", path1}, unix.SYS_FCHOWN: {"fchown", nothing}, unix.SYS_FCHOWNAT: {"fchownat", nothing},
	unix.SYS_UTIMENSAT: {"utimensat", nothing}, unix.SYS_FTRUNCATE: {"ftruncate", fd1}, unix.SYS_FALLOCATE: {"fallocate", fd1},
	unix.SYS_FSYNC: {"fsync", fd1}, unix.SYS_FDATASYNC: {"fdatasync", fd1}, unix.SYS_SYNCFS: {"syncfs", nothing},
	unix.SYS_MOUNT: {"mount", path2}, unix.SYS_UMOUNT2: {"umount", path1}, unix.SYS_MOVE_MOUNT: {"move_mount", path4},
	unix.SYS_OPEN_TREE: {"open_tree", path2}, unix.SYS_FSOPEN: {"fsopen", path1}, unix.SYS_FSMOUNT: {"fsmount", nothing},
	unix.SYS_MOUNT_SETATTR: {"mount_setattr", nothing}, unix.SYS_PIVOT_ROOT: {"pivot_root", nothing},
	unix.SYS_CLONE: {"clone", nothing}, unix.SYS_CLONE3: {"clone3", nothing}, unix.SYS_FORK: {"fork", nothing}, unix.SYS_VFORK: {"vfork", nothing},
	unix.SYS_EXECVE: {"execve", path1}, unix.SYS_SETNS: {"setns", nothing}, unix.SYS_UNSHARE: {"unshare", nothing},
	unix.SYS_KILL: {"kill", nothing}, unix.SYS_PIDFD_SEND_SIGNAL: {"pidfd_send_signal", nothing},
	unix.SYS_WAITID: {"waitid", nothing}, unix.SYS_WAIT4: {"wait4", nothing},
	unix.SYS_MEMFD_CREATE: {"memfd_create", nothing}, unix.SYS_FLOCK: {"flock", fd1},
	unix.SYS_SETXATTR: {"setxattr", nothing}, unix.SYS_FSETXATTR: {"fsetxattr", nothing}, unix.SYS_KEYCTL: {"keyctl", nothing},
	unix.SYS_EXIT_GROUP: {"exit_group", nothing},
	unix.SYS_OPENAT:     {"create", path2}, unix.SYS_OPENAT2: {"create", path2}, unix.SYS_FCNTL: {"lock", fd1},
}

// Numbers of calls' flags that are looked at.
const cloneThread = 0x10000

// changes says whether this use of the call changes anything.
func changes(pid int, nr uint64, args [6]uint64) bool {
	const makes = unix.O_CREAT | unix.O_TRUNC
	switch nr {
	case unix.SYS_OPENAT:
		return args[2]&makes != 0
	case unix.SYS_OPENAT2:
		b := memory(pid, args[2], 8)
		return len(b) == 8 && binary.LittleEndian.Uint64(b)&makes != 0
	case unix.SYS_CLONE:
		return args[0]&cloneThread == 0
	case unix.SYS_CLONE3:
		b := memory(pid, args[0], 8)
		return len(b) == 8 && binary.LittleEndian.Uint64(b)&cloneThread == 0
	case unix.SYS_FCNTL:
		return args[1] == unix.F_OFD_SETLK || args[1] == unix.F_OFD_SETLKW
	case unix.SYS_WAITID: // P_PIDFD on nobody is how the library asks whether the kernel knows it
		return args[1] != ^uint64(0)
	case unix.SYS_WRITE: // the runtime wakes itself
		return descriptor(pid, args[0]) != "eventfd"
	}
	return true
}

// digits are numbers, and ids of requests.
var digits = regexp.MustCompile(`[0-9a-f]{16,}|[0-9]+`)

// plain is a name without what differs between two runs.
func plain(s string) string { return digits.ReplaceAllString(s, "N") }

func descriptor(pid int, fd uint64) string {
	to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	switch {
	case err != nil:
		return "?"
	case strings.HasPrefix(to, "anon_inode:"):
		return strings.Trim(strings.TrimPrefix(to, "anon_inode:"), "[]")
	case !strings.HasPrefix(to, "/"):
		kind, _, _ := strings.Cut(to, ":")
		return kind
	}
	return base(strings.TrimSuffix(to, " (deleted)"))
}

// base is the end of a path; temporary names are all one.
func base(path string) string {
	name := filepath.Base(path)
	if strings.HasPrefix(name, ".") && len(name) > 8 {
		return ".temporary"
	}
	return plain(name)
}

// memory reads a tracee's.
func memory(pid int, at uint64, length int) []byte {
	b := make([]byte, length)
	local := []unix.Iovec{{Base: &b[0], Len: uint64(length)}}
	n, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(at), Len: length}}, 0)
	if err != nil {
		return nil
	}
	return b[:n]
}

// text reads a string of a tracee; what it reads at a time does not cross a page's end.
func text(pid int, at uint64) string {
	const page, most = 4096, 1024
	var all []byte
	for at != 0 && len(all) < most {
		b := memory(pid, at, int(min(256, page-at%page)))
		if len(b) == 0 {
			break
		}
		if end := bytes.IndexByte(b, 0); end >= 0 {
			return string(append(all, b[:end]...))
		}
		all, at = append(all, b...), at+uint64(len(b))
	}
	return string(all)
}

// namesMax is how many things a call is about by name.
const namesMax = 12

// counter numbers the points of one run.
type counter map[string]int

// at names the point that a call is; empty when it is none.
func (c counter) at(pid int, nr uint64, args [6]uint64) string {
	k, known := calls[nr]
	if !known || !changes(pid, nr, args) {
		return ""
	}
	name, of := k.name, ""
	switch k.what {
	case fd1:
		of = " " + descriptor(pid, args[0])
	case path1, path2, path3, path4:
		of = " " + base(text(pid, args[k.what-path1]))
	}
	if c[name+of] == 0 && of != "" {
		if c[name] >= namesMax {
			of = " others"
		}
		c[name]++ // of names; a call that has none is not counted here
	}
	name += of
	c[name]++
	// How often one waits for somebody, and how many answers one gives to who asks again and again,
	// is chance.
	chance := nr == unix.SYS_RECVMSG || nr == unix.SYS_WAITID || nr == unix.SYS_WAIT4 || nr == unix.SYS_WRITE && of == " socket"
	if chance && c[name] > 2 {
		return ""
	}
	if n := c[name]; n <= 8 || bits.OnesCount(uint(n)) == 1 {
		return fmt.Sprintf("%s #%d", name, n)
	}
	return ""
}
