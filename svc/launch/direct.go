package launch

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/method"
)

// direct says whether package syscall can do all that the context needs, and makes what has to be
// there before. dir is the working directory; it is not valid when that stays.
func (l *Launcher) direct(m *Method) (dir *sys.FD, ok bool) {
	c := &m.Context
	if m.UtmpxPrefix != "" || !l.simple(c) || makeRuntime(runtimeRoot, m.RuntimeDirectories, c.UID, c.GID) != nil {
		return nil, false
	}
	if c.Dir == "" {
		return nil, true
	}
	return l.quick(c.Dir)
}

// simple says whether a context is nothing but user, groups and directory.
func (l *Launcher) simple(c *method.Context) bool {
	// Who is not root has no capabilities unless he is given some.
	p := c.Privileges
	nothing := p == nil || c.UID != 0 && !p.All && p.Caps == 0 && !l.heirs
	return nothing && c.Limit == nil && len(c.Limits) == 0 &&
		!c.NoASLR && c.Core == method.CoreKept && (l.plain || !c.ASLR && !c.NoExecStack)
}

// resolveCached has openat2(2) fail with EAGAIN where it would wait (Linux 5.12).
const resolveCached = 0x20

// quick opens a directory if it can be found and entered without waiting for anybody. While a child
// is born no other one can be, anywhere in this process: a directory of a server that does not
// answer would hold all of them up.
func (l *Launcher) quick(path string) (*sys.FD, bool) {
	n, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: resolveCached,
	})
	if err != nil {
		return nil, false
	}
	dir := sys.Own(n)
	if !l.near(n) {
		dir.Close()
		return nil, false
	}
	return dir, true
}

// near says whether a file is on a disk, or where the root or the shell is.
func (l *Launcher) near(file int) bool {
	dev, ok := deviceOf(file, "")
	return ok && (dev == l.root || dev == l.sh || unix.Major(dev) != 0)
}

// rootDevice is that of the root's file system, where the shell is too; 0 when it is not known.
func rootDevice() uint64 {
	dev, _ := deviceOf(unix.AT_FDCWD, "/")
	return dev
}

// deviceOf is the device of an open file, or of a path, without asking a server for it. Major
// number 0 is for file systems that are on no disk: some of them wait for somebody.
func deviceOf(dir int, path string) (uint64, bool) {
	var st unix.Statx_t
	flags := unix.AT_STATX_DONT_SYNC
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if err := sys.Retry(func() error { return unix.Statx(dir, path, flags, 0, &st) }); err != nil {
		return 0, false
	}
	return unix.Mkdev(st.Dev_major, st.Dev_minor), true
}
