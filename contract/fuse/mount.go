package fuse

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Options of a new file system.
type Options struct {
	Source   string // what mountinfo shows as the source
	Subtype  string // the type is fuse.SUBTYPE
	RootMode uint32 // type and permissions of the root: a directory or a regular file
}

// Mount makes a file system with no server yet, readable by everybody whom its permissions
// allow. dev is the connection; mount is the file system, attached nowhere: who puts it
// somewhere with move_mount(2) may be another process. Requests are numbered as this
// process's user and pid namespaces count, so it is called on the host. The mount lives as
// long as it is attached or its descriptor open; the connection until then, and not longer
// than the last descriptor of dev.
func Mount(o Options) (dev, mount *sys.FD, err error) {
	n, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, sysError("open", "/dev/fuse", err)
	}
	dev = sys.Own(n)
	if mount, err = attach(dev, o); err != nil {
		dev.Close()
		return nil, nil, err
	}
	return dev, mount, nil
}

// attach makes the file system of dev.
func attach(dev *sys.FD, o Options) (*sys.FD, error) {
	n, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, sysError("fsopen", "fuse", err)
	}
	fs := sys.Own(n)
	defer fs.Close()
	for _, p := range [][2]string{
		{"source", o.Source},
		{"subtype", o.Subtype},
		{"fd", strconv.Itoa(dev.Int())},
		{"rootmode", strconv.FormatUint(uint64(o.RootMode), 8)},
		{"user_id", "0"},
		{"group_id", "0"},
		{"max_read", strconv.Itoa(ReadMax)},
	} {
		if err := unix.FsconfigSetString(n, p[0], p[1]); err != nil {
			return nil, sysError("fsconfig", p[0], err)
		}
	}
	for _, flag := range []string{"allow_other", "default_permissions"} {
		if err := unix.FsconfigSetFlag(n, flag); err != nil {
			return nil, sysError("fsconfig", flag, err)
		}
	}
	if err := unix.FsconfigCreate(n); err != nil {
		return nil, sysError("fsconfig", "create", err)
	}
	m, err := unix.Fsmount(n, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, sysError("fsmount", o.Source, err)
	}
	return sys.Own(m), nil
}

// Connection is the number of a mount's connection below /sys/fs/fuse/connections. It does
// not ask the server, so it cannot wait for it.
func Connection(mount *sys.FD) (uint32, error) {
	var st unix.Statx_t
	err := sys.Retry(func() error {
		return unix.Statx(mount.Int(), "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st)
	})
	if err != nil {
		return 0, sysError("statx", "mount", err)
	}
	return st.Dev_minor, nil // the major number of all file systems without a device is 0
}

// Abort ends a connection by its number, and with it every wait for its server, also of
// processes that were killed while they waited. ENOENT: there is none. It works without a
// server and without the descriptor of the device, on a mount of fusectl of its own.
func Abort(connection uint32) error {
	n, err := unix.Fsopen("fusectl", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return sysError("fsopen", "fusectl", err)
	}
	fs := sys.Own(n)
	defer fs.Close()
	if err := unix.FsconfigCreate(n); err != nil {
		return sysError("fsconfig", "fusectl", err)
	}
	m, err := unix.Fsmount(n, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return sysError("fsmount", "fusectl", err)
	}
	mount := sys.Own(m)
	defer mount.Close()
	name := strconv.FormatUint(uint64(connection), 10) + "/abort"
	a, err := unix.Openat(m, name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return sysError("open", "fusectl/"+name, err)
	}
	abort := sys.Own(a)
	defer abort.Close()
	return sys.WriteAll(a, []byte("1"))
}
