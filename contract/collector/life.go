package collector

import (
	"encoding/binary"
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// Ensure gives the collector of the instance whose bpffs is dir, and notes zone (its cgroup's
// id) as one of its users. When there is none, dir is made, a bpffs is mounted there and load
// is called, which is to pin a collector (room load, in a process of its own); its error is
// handed on. Several zones may do this at the same time; a lock file beside dir decides.
//
// A collector that was loaded here and that nobody could register with goes with the next
// Leave.
func Ensure(dir string, zone uint64, load func(dir string) error) (*Collector, error) {
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := mountAt(dir); err != nil {
		return nil, err
	}
	c, err := Open(dir)
	if err == ErrAbsent {
		if err := load(dir); err != nil {
			return nil, err
		}
		if c, err = Open(dir); err == ErrAbsent {
			err = ErrLoad
		}
	}
	if err != nil {
		return nil, err
	}
	if err := c.addUser(zone); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Leave takes a zone's contracts, ring and entry away. With the last zone the collector is
// unpinned, the bpffs unmounted and dir removed. Zones whose cgroup is gone left without a
// word, and do not count. Leaving twice, or where nothing is, does nothing.
func Leave(dir string, zone uint64) error {
	rest, err := Quit(dir, zone)
	if err != nil {
		return err
	}
	return rest()
}

// Quit is Leave without its waits for a grace period: those are in rest, which must be called once
// when there is no error, from wherever. Until then the lock is held; whoever dies before leaves
// rings that nobody uses, which the next one who leaves takes away.
func Quit(dir string, zone uint64) (rest func() error, err error) {
	nothing := func() error { return nil }
	if _, err := os.Lstat(dir); os.IsNotExist(err) {
		return nothing, nil
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	var unused []rings
	rest = func() error {
		defer lock.Close()
		var failed error
		for _, r := range unused {
			failed = errors.Join(failed, r.remove())
		}
		return failed
	}
	left, unused, err := leaveVersions(dir, zone)
	switch {
	case err != nil:
	case left:
		return rest, nil
	case mounted(dir):
		if err = unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			err = &sys.Error{Op: "unmount", What: dir, Errno: err}
			break
		}
		fallthrough
	default:
		err = lock.removeWith(dir)
	}
	if failed := rest(); err == nil {
		err = failed
	}
	return nothing, err
}

// leaveVersions removes a zone from the collectors of all versions in dir, and says whether others
// stay.
func leaveVersions(dir string, zone uint64) (left bool, unused []rings, err error) {
	if !mounted(dir) {
		return false, nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, nil, err
	}
	for _, e := range entries {
		if !e.IsDir() { // the kernel's own, such as maps.debug
			continue
		}
		stays, r, err := leaveVersion(path.Join(dir, e.Name()), zone)
		if r.zones.Valid() {
			unused = append(unused, r)
		}
		if err != nil {
			return left, unused, err
		}
		left = left || stays
	}
	return left, unused, nil
}

// rings are those of a collector that nobody uses any more.
type rings struct {
	zones *sys.FD
	keys  []uint64
}

// remove waits for a grace period with each.
func (r rings) remove() (err error) {
	defer r.zones.Close()
	for _, zone := range r.keys {
		if e := remove(r.zones, zone); e != nil && !is(e, unix.ENOENT) {
			err = e
		}
	}
	return err
}

// leaveVersion removes a zone from the collector of any version, and the collector when it
// has no user any more; but for the rings.
func leaveVersion(in string, zone uint64) (stays bool, unused rings, err error) {
	users, err := objGet(path.Join(in, PinUsers))
	if err != nil {
		return false, unused, unpin(in) // not whole
	}
	defer users.Close()
	list, err := keys(users)
	if err != nil {
		return true, unused, err
	}
	staying := map[uint64]bool{}
	var gone []uint64
	for _, user := range list {
		if user == zone || !alive(user) {
			gone = append(gone, user)
		} else {
			staying[user] = true
		}
	}
	if len(staying) == 0 {
		// What is in the maps goes with them, without a grace period for each ring.
		return false, unused, unpin(in)
	}
	if path.Base(in) == path.Base(VersionDir("")) {
		if err := removeContracts(in, gone); err != nil {
			return true, unused, err
		}
	}
	if unused.zones, err = objGet(path.Join(in, PinZones)); err != nil {
		return true, unused, err
	}
	have, err := keys(unused.zones)
	if err != nil {
		return true, unused, err
	}
	for _, zone := range have {
		if !staying[zone] { // a user comes before his ring
			unused.keys = append(unused.keys, zone)
		}
	}
	for _, user := range gone {
		if err := remove(users, user); err != nil && !is(err, unix.ENOENT) {
			return true, unused, err
		}
	}
	return true, unused, nil
}

// removeContracts removes the contracts of some zones from a collector of this version.
func removeContracts(in string, gone []uint64) error {
	contracts, err := objGet(path.Join(in, PinContracts))
	if err != nil {
		return err
	}
	c := &Collector{contracts: contracts}
	defer c.Close()
	for _, zone := range gone {
		if err := c.removeContractsOf(zone); err != nil {
			return err
		}
	}
	return nil
}

// unpin removes what is pinned in a version's directory, the mark of wholeness first.
func unpin(in string) error {
	if err := os.Remove(path.Join(in, PinReady)); err != nil && !os.IsNotExist(err) {
		return err
	}
	entries, err := os.ReadDir(in)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(path.Join(in, e.Name())); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return os.Remove(in)
}

// kernfsHandle is the type of a file handle that is the id of a cgroup (FILEID_KERNFS).
const kernfsHandle = 0xfe

// alive says whether there is a cgroup of that id. When it can not be known, there is.
func alive(cgroup uint64) bool {
	mount, err := cgroup2.Mount()
	if err != nil {
		return true
	}
	at, err := sys.OpenDir(mount)
	if err != nil {
		return true
	}
	defer at.Close()
	id := binary.NativeEndian.AppendUint64(nil, cgroup)
	n, err := unix.OpenByHandleAt(at.Int(), unix.NewFileHandle(kernfsHandle, id), unix.O_RDONLY|unix.O_CLOEXEC)
	if err == nil {
		unix.Close(n)
	}
	return err != unix.ESTALE
}

// mounted says whether dir is in a bpffs.
func mounted(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Type == unix.BPF_FS_MAGIC
}

// mountAt makes dir, for root alone, and mounts a bpffs there.
func mountAt(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	if mounted(dir) {
		return nil
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("bpf", dir, "bpf", flags, "mode=0700"); err != nil {
		return &sys.Error{Op: "mount bpffs", What: dir, Errno: err}
	}
	return nil
}

// dirLock is the lock on what is at dir: a file beside it.
type dirLock struct {
	*sys.FD
	path string
}

// lockDir waits for the lock. The file is removed by who removes dir, so the name must still
// mean the locked file.
func lockDir(dir string) (*dirLock, error) {
	name := strings.TrimRight(dir, "/") + ".lock"
	for range lockTries {
		fd, err := lockFile(name)
		if err != nil {
			return nil, err
		}
		var a, b unix.Stat_t
		if unix.Fstat(fd.Int(), &a) == nil && unix.Lstat(name, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino {
			return &dirLock{fd, name}, nil
		}
		fd.Close()
	}
	return nil, &sys.Error{Op: "lock", What: name, Errno: unix.ELOOP}
}

// lockTries bounds how often a lock is taken whose file somebody has removed meanwhile.
const lockTries = 1000

// removeWith removes the empty dir and the lock file.
func (l *dirLock) removeWith(dir string) error {
	if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Remove(l.path)
}
