package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// How names are resolved. Nothing in this package resolves a name of a zone or of an
// archive in any other way.
const (
	// beneath follows no link at all and stays on the mount of its directory.
	beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV
	// inRoot follows links as a process would that has the directory as its root.
	inRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
)

// resolvePieceBytesMax keeps each openat2 below PATH_MAX; longer names are resolved in pieces.
const resolvePieceBytesMax = 4000

// retriesMax of openat2, which says EAGAIN when a rename anywhere on the host made it
// unsure about a "..".
const retriesMax = 128

// desc owns one file descriptor. Close may be called more than once.
type desc struct{ n int }

func (d *desc) Close() {
	if d != nil && d.n >= 0 {
		_ = unix.Close(d.n)
		d.n = -1
	}
}

// fileID tells files apart while both are held or known to exist.
type fileID struct{ dev, ino uint64 }

func idOf(st *unix.Stat_t) fileID { return fileID{uint64(st.Dev), st.Ino} }

func isLink(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFLNK }
func isDir(st *unix.Stat_t) bool  { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

// openAt resolves name below dir as resolve says.
func openAt(dir int, name string, flags int, resolve uint64) (*desc, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve}
	for range retriesMax {
		n, err := unix.Openat2(dir, name, &how)
		if err == nil {
			return &desc{n}, nil
		}
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return nil, err
		}
	}
	return nil, unix.EAGAIN
}

// openDirBeneath opens the directory of a clean relative name of any length.
func openDirBeneath(root int, name string) (*desc, error) {
	var at *desc
	dir := root
	for {
		piece, rest := name, ""
		if len(piece) > resolvePieceBytesMax {
			cut := strings.LastIndexByte(piece[:resolvePieceBytesMax], '/')
			if cut <= 0 {
				at.Close()
				return nil, unix.ENAMETOOLONG
			}
			piece, rest = name[:cut], name[cut+1:]
		}
		next, err := openAt(dir, piece, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
		at.Close()
		if err != nil || rest == "" {
			return next, err
		}
		at, dir, name = next, next.n, rest
	}
}

// procFD is a verified handle of /proc/self/fd, for turning an O_PATH descriptor into
// one that can be read: by inode, so that no name is looked up twice.
var procFD = sync.OnceValues(func() (*desc, error) {
	n, err := unix.Open("/proc/self/fd", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc/self/fd: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(n, &fs); err != nil || fs.Type != unix.PROC_SUPER_MAGIC {
		_ = unix.Close(n)
		return nil, errors.New("/proc is not a proc file system")
	}
	return &desc{n}, nil
})

// reopen opens the file that an O_PATH descriptor names. The caller has made sure by
// fstat that it is a regular file or directory: opening a device may act.
func reopen(d *desc, flags int) (*desc, error) {
	proc, err := procFD()
	if err != nil {
		return nil, err
	}
	for {
		n, err := unix.Openat(proc.n, strconv.Itoa(d.n), flags|unix.O_CLOEXEC, 0)
		if err == nil {
			return &desc{n}, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, err
		}
	}
}

// dirent is one name of a directory with its type, which may be DT_UNKNOWN.
type dirent struct {
	name string
	kind uint8
}

// Offsets in struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
const (
	direntReclen = 16
	direntType   = 18
	direntName   = 19
)

// readDirents reads the next names of a directory, without "." and "..". It returns
// none at the end.
func readDirents(dir int, buf []byte) ([]dirent, error) {
	for {
		n, err := unix.Getdents(dir, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return nil, err
		}
		list := make([]dirent, 0, n/32)
		for b := buf[:n]; len(b) >= direntName; {
			size := int(binary.NativeEndian.Uint16(b[direntReclen:]))
			if size < direntName || size > len(b) {
				return nil, unix.EIO
			}
			name := b[direntName:size]
			if i := bytes.IndexByte(name, 0); i >= 0 {
				name = name[:i]
			}
			if s := string(name); s != "." && s != ".." {
				list = append(list, dirent{s, b[direntType]})
			}
			b = b[size:]
		}
		if len(list) > 0 {
			return list, nil
		}
	}
}

// FS_IMMUTABLE_FL and FS_APPEND_FL of linux/fs.h.
const (
	immutableFlag = 0x10
	appendFlag    = 0x20
)

// clearProtection takes the immutable and append-only flags off an open file. Files of
// file systems without such flags are left as they are.
func clearProtection(d *desc) error {
	flags, err := unix.IoctlGetUint32(d.n, unix.FS_IOC_GETFLAGS)
	if err != nil {
		return nil
	}
	if flags&(immutableFlag|appendFlag) == 0 {
		return nil
	}
	return unix.IoctlSetPointerInt(d.n, unix.FS_IOC_SETFLAGS, int(flags&^(immutableFlag|appendFlag)))
}

// readLinkAt reads a symbolic link of any length.
func readLinkAt(dir int, name string) (string, error) {
	buf := make([]byte, linkTextBytesMax+1)
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// readAll reads a file of at most max bytes; a larger one is ErrTooManyBytes.
func readAll(d *desc, max int) ([]byte, error) {
	var out []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(d.n, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return out, nil
		}
		if len(out)+n > max {
			return nil, ErrTooManyBytes
		}
		out = append(out, buf[:n]...)
	}
}

// pwriteAll writes all of b at off.
func pwriteAll(fd int, b []byte, off int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, off)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}
