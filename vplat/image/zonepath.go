package image

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// rootName is the zone's root file system below its zonepath.
const rootName = "root"

// ownNames are what a zonepath may hold: the root; from the platform, the upper layer of
// a zone whose /usr is copy-on-write, with its /usr/local; and names of the original's.
// The original's zoneadm likewise removes what is a zone's and leaves, and names, what
// else it finds: a zonepath set to /root by mistake must not cost the host's administrator
// his files.
var ownNames = []string{rootName, "usr-upper", "usr-local", "logs", "dev", "lu", "SUNWdetached.xml"}

// keptNames may be there before an installation. Anything else of the zone's is left over
// from an earlier one, whose files must not turn up in the next.
var keptNames = []string{rootName, "logs"}

// lostFound is there when a zonepath is a file system of its own.
const lostFound = "lost+found"

// Bits of a directory's mode by which others could exchange what is in it.
const othersWrite = 0o022

// remoteFS by magic number. Their servers decide about owners and setuid bits, and
// idmapped mounts of them are not to be had.
var remoteFS = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC: "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.CODA_SUPER_MAGIC: "Coda",
	unix.V9FS_MAGIC:       "9P",
	unix.CEPH_SUPER_MAGIC: "Ceph",
}

// whenMissing says what to do about a directory that does not exist.
type whenMissing int

const (
	missingFails whenMissing = iota
	missingEnds              // the rest of the path can be made later
	missingMade
)

// VerifyZonePath tells whether a zone can live at path: absolute, without symbolic
// links, 0700 and root's if it exists, below directories that only root can change, on a
// local file system, with nothing mounted below. A path that can be made is fine.
func VerifyZonePath(path string) error {
	d, err := walkZonePath(path, missingEnds)
	d.Close()
	return err
}

// MakeZonePath makes the zonepath, 0700, and its parents, 0755, and verifies it.
func MakeZonePath(path string) error {
	d, err := walkZonePath(path, missingMade)
	d.Close()
	return err
}

// openZonePath opens one that exists and is in order.
func openZonePath(path string) (*desc, error) { return walkZonePath(path, missingFails) }

// walkZonePath goes down from / one component at a time, so that what is checked is
// what is opened. The result is nil if the path ends early.
func walkZonePath(path string, missing whenMissing) (*desc, error) {
	d, err := walkParents(path, missing)
	if d == nil || err != nil {
		return nil, zonePathError(path, err)
	}
	if err := checkZonePath(d, path); err != nil {
		d.Close()
		return nil, zonePathError(path, err)
	}
	return d, nil
}

func zonePathError(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("zonepath %s: %w", quote(path), err)
}

func walkParents(path string, missing whenMissing) (*desc, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" || strings.IndexByte(path, 0) >= 0 {
		return nil, ErrNotAbsolute
	}
	at, err := openAt(unix.AT_FDCWD, "/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		last := i == len(parts)-1
		shown := "/" + strings.Join(parts[:i], "/")
		next, err := stepDown(at, part, shown, last, missing)
		if next == nil && err == nil {
			err = checkFS(at)
		}
		at.Close()
		if next == nil || err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// stepDown checks a parent and opens the next component below it.
func stepDown(parent *desc, part, shown string, last bool, missing whenMissing) (*desc, error) {
	if err := checkParent(parent, shown, last); err != nil {
		return nil, err
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
	d, err := openAt(parent.n, part, flags, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ENOENT) && missing == missingEnds {
		return nil, nil
	}
	if errors.Is(err, unix.ENOENT) && missing == missingMade {
		return makeStep(parent, part, last)
	}
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return nil, explainStep(parent, part, shown)
	}
	return d, err
}

func makeStep(parent *desc, part string, last bool) (*desc, error) {
	mode := uint32(0o755)
	if last {
		mode = 0o700
	}
	if err := checkFS(parent); err != nil {
		return nil, err
	}
	d, err := makeDir(parent.n, part)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", quote(part), err)
	}
	if err := setMeta(d.n, meta{mode: mode}, timeLater); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func explainStep(parent *desc, part, shown string) error {
	name := filepath.Join(shown, part)
	if text, err := readLinkAt(parent.n, part); err == nil {
		return fmt.Errorf("%w: %s leads to %s; name the real directory", ErrSymlink, quote(name), quote(text))
	}
	return fmt.Errorf("%s is %w", quote(name), ErrNotDirectory)
}

// checkParent makes sure that nobody but root can exchange what is below a directory. A
// sticky directory such as /tmp is fine further up, where each user can only exchange
// what is his own.
func checkParent(d *desc, shown string, immediate bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return err
	}
	if st.Uid != 0 {
		return fmt.Errorf("%w: %s belongs to user %d", ErrParent, quote(shown), st.Uid)
	}
	if st.Mode&othersWrite != 0 && (immediate || st.Mode&unix.S_ISVTX == 0) {
		return fmt.Errorf("%w: %s has mode %04o", ErrParent, quote(shown), st.Mode&0o7777)
	}
	return nil
}

// checkZonePath checks the zonepath itself.
func checkZonePath(d *desc, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return err
	}
	if st.Uid != 0 {
		return fmt.Errorf("%w but by user %d; chown root it", ErrOwner, st.Uid)
	}
	if mode := st.Mode & 0o7777; mode != 0o700 {
		return fmt.Errorf("%w but %04o; chmod 700 it", ErrMode, mode)
	}
	if err := checkFS(d); err != nil {
		return err
	}
	return checkMounts(path)
}

// checkFS refuses file systems that a zone cannot live on.
func checkFS(d *desc) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(d.n, &fs); err != nil {
		return err
	}
	if name, ok := remoteFS[int64(fs.Type)]; ok {
		return fmt.Errorf("%w: %s", ErrRemote, name)
	}
	for _, o := range []struct {
		bit  int64
		name string
	}{{unix.ST_RDONLY, "ro"}, {unix.ST_NOEXEC, "noexec"}} {
		if int64(fs.Flags)&o.bit != 0 {
			return fmt.Errorf("%w: %s", ErrMountOption, o.name)
		}
	}
	return nil
}

// checkForeign makes sure before an installation that removing the zone again will not
// have to leave anything behind.
func checkForeign(zp *desc) error {
	foreign, err := namesBeyond(zp, ownNames)
	if err != nil {
		return err
	}
	if len(foreign) > 0 {
		return fmt.Errorf("%w: %s; choose a directory of its own", ErrForeign, quote(foreign[0]))
	}
	old, err := namesBeyond(zp, keptNames)
	if err != nil {
		return err
	}
	if len(old) > 0 {
		return fmt.Errorf("%w: %s is left of an earlier zone; remove it first", ErrNotEmpty, quote(old[0]))
	}
	return nil
}

// namesBeyond gives the names in a zonepath that are not among those.
func namesBeyond(zp *desc, those []string) ([]string, error) {
	names, err := topNames(zp)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(n string) bool {
		return n == lostFound || slices.Contains(those, n)
	}), nil
}
