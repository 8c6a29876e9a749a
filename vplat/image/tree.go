package image

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// meta is what a file has besides its name and contents.
type meta struct {
	uid, gid int
	mode     uint32 // permission bits with setuid, setgid and sticky
	mtime    unix.Timespec
	xattrs   []xattr
}

// tree is a root file system being filled. Names are clean and relative (cleanName).
type tree struct {
	root   *desc
	m      *meter
	report Report

	// The directory of the last entry: entries of one directory come in a row.
	lastName string
	last     *desc

	times      []dirTime
	timesBytes int
}

// dirTime is set when nothing is added to the directory any more.
type dirTime struct {
	name  string
	mtime unix.Timespec
}

func newTree(root *desc, m *meter) *tree { return &tree{root: root, m: m} }

func (t *tree) Close() {
	t.last.Close()
	t.last = nil
}

// finish sets what had to wait for the tree to be complete.
func (t *tree) finish() error {
	for _, dt := range t.times {
		if err := t.m.cancelled(); err != nil {
			return err
		}
		if err := t.setDirTime(dt); err != nil {
			return fmt.Errorf("set the time of %s: %w", quote(dt.name), err)
		}
	}
	t.times, t.timesBytes = nil, 0
	return nil
}

func (t *tree) setDirTime(dt dirTime) error {
	if dt.name == "" {
		return setTime(t.root.n, dt.mtime)
	}
	d, err := openDirBeneath(t.root.n, dt.name)
	if err != nil {
		return err
	}
	defer d.Close()
	return setTime(d.n, dt.mtime)
}

// parent gives the directory of a name, valid until the next call, and the name's last
// component. Directories that are missing on the way are made, 0755 and root's.
func (t *tree) parent(name string) (int, string, error) {
	dir, base := splitName(name)
	if dir == "" {
		return t.root.n, base, nil
	}
	if t.last != nil && t.lastName == dir {
		return t.last.n, base, nil
	}
	d, err := openDirBeneath(t.root.n, dir)
	if err != nil {
		// Slow, but it makes what is missing, and can name what is in the way.
		d, err = t.makeParents(dir)
	}
	if err != nil {
		return -1, "", err
	}
	t.last.Close()
	t.last, t.lastName = d, dir
	return d.n, base, nil
}

// makeParents opens a directory one component at a time.
func (t *tree) makeParents(dir string) (*desc, error) {
	at, owned := t.root, false
	done := 0
	for part := range strings.SplitSeq(dir, "/") {
		done += len(part) + 1
		next, err := openAt(at.n, part, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
		if errors.Is(err, unix.ENOENT) {
			next, err = t.makeImplied(at.n, part, dir[:done-1])
		}
		if err != nil {
			err = explainParent(at.n, part, dir[:done-1], err)
		}
		if owned {
			at.Close()
		}
		if err != nil {
			return nil, err
		}
		at, owned = next, true
	}
	return at, nil
}

func (t *tree) makeImplied(dir int, base, name string) (*desc, error) {
	if err := t.m.entry(name); err != nil {
		return nil, err
	}
	d, err := makeDir(dir, base)
	if err != nil {
		return nil, err
	}
	t.report.Directories++
	if err := setMeta(d.n, meta{mode: 0o755}, timeLater); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// explainParent says what a name passes through that is no directory.
func explainParent(dir int, base, name string, err error) error {
	if !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR) {
		return err
	}
	var st unix.Stat_t
	if unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return fmt.Errorf("%w: %s", ErrThroughSymlink, quote(name))
	}
	return fmt.Errorf("%w: %s", ErrThroughFile, quote(name))
}

// dir makes a directory, or changes one that an earlier entry made or implied.
func (t *tree) dir(name string, mt meta) error {
	if name == "" {
		// The root's own owner and mode are ours to say: 0755 and root's.
		return t.laterTime(name, mt.mtime)
	}
	parent, base, err := t.parent(name)
	if err != nil {
		return err
	}
	d, err := makeDir(parent, base)
	if errors.Is(err, unix.EEXIST) {
		d, err = openAt(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			return ErrDuplicate
		}
	} else if err == nil {
		t.report.Directories++
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if err := t.complete(d.n, mt, timeLater); err != nil {
		return err
	}
	return t.laterTime(name, mt.mtime)
}

// laterTime remembers a directory's time, within bounds.
func (t *tree) laterTime(name string, mtime unix.Timespec) error {
	const structBytes = 48
	t.times = append(t.times, dirTime{name, mtime})
	t.timesBytes += len(name) + structBytes
	if t.timesBytes > dirTimesBytesMax {
		return t.finish()
	}
	return nil
}

// create opens a new regular file for writing. What stands there already is replaced
// when it is a regular file too, as tar does when an archive was appended to.
func (t *tree) create(name string) (*desc, error) {
	parent, base, err := t.parent(name)
	if err != nil {
		return nil, err
	}
	d, err := createFile(parent, base)
	if errors.Is(err, unix.EEXIST) {
		if err := makeRoom(parent, base, unix.S_IFREG); err != nil {
			return nil, err
		}
		d, err = createFile(parent, base)
	}
	if err == nil {
		t.report.Files++
	}
	return d, err
}

// symlink makes a symbolic link; the text is kept as it is, since nothing here follows it.
func (t *tree) symlink(name, text string, mt meta) error {
	if text == "" || len(text) > linkTextBytesMax || strings.IndexByte(text, 0) >= 0 {
		return ErrLinkTarget
	}
	parent, base, err := t.parent(name)
	if err != nil {
		return err
	}
	err = unix.Symlinkat(text, parent, base)
	if errors.Is(err, unix.EEXIST) {
		if err := makeRoom(parent, base, unix.S_IFLNK); err != nil {
			return err
		}
		err = unix.Symlinkat(text, parent, base)
	}
	if err != nil {
		return err
	}
	t.report.Symlinks++
	t.report.XattrsSkipped += int64(len(mt.xattrs))
	return setMetaOfLink(parent, base, mt)
}

// fifo makes a named pipe.
func (t *tree) fifo(name string, mt meta) error {
	parent, base, err := t.parent(name)
	if err != nil {
		return err
	}
	err = t.makeFifo(parent, base, mt)
	if errors.Is(err, unix.EEXIST) {
		if err := makeRoom(parent, base, unix.S_IFIFO); err != nil {
			return err
		}
		err = t.makeFifo(parent, base, mt)
	}
	return err
}

func (t *tree) makeFifo(parent int, base string, mt meta) error {
	if err := unix.Mknodat(parent, base, unix.S_IFIFO|0o600, 0); err != nil {
		return err
	}
	t.report.Fifos++
	t.report.XattrsSkipped += int64(len(mt.xattrs))
	d, err := openAt(parent, base, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, beneath)
	if err != nil {
		return err
	}
	defer d.Close()
	return setMeta(d.n, mt, timeNow)
}

// hardlink gives the regular file old a further name.
func (t *tree) hardlink(name, old string) error {
	file, err := t.openRegular(old)
	if err != nil {
		return err
	}
	defer file.Close()
	parent, base, err := t.parent(name)
	if err != nil {
		return err
	}
	err = unix.Linkat(file.n, "", parent, base, unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.EEXIST) {
		if sameFile(file.n, parent, base) {
			return nil
		}
		if err := makeRoom(parent, base, unix.S_IFREG); err != nil {
			return err
		}
		err = unix.Linkat(file.n, "", parent, base, unix.AT_EMPTY_PATH)
	}
	if err == nil {
		t.report.Hardlinks++
	}
	return err
}

// openRegular pins a regular file of the tree without opening it.
func (t *tree) openRegular(name string) (*desc, error) {
	parent, base, err := t.existingParent(name)
	if err != nil {
		return nil, fmt.Errorf("%w, and %s is none", ErrHardlink, quote(name))
	}
	if parent != t.root {
		defer parent.Close()
	}
	d, err := openAt(parent.n, base, unix.O_PATH|unix.O_NOFOLLOW, beneath)
	if err != nil {
		return nil, fmt.Errorf("%w, and %s is none", ErrHardlink, quote(name))
	}
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		d.Close()
		return nil, fmt.Errorf("%w, and %s is none", ErrHardlink, quote(name))
	}
	return d, nil
}

// existingParent is parent for names that must exist: it makes nothing.
func (t *tree) existingParent(name string) (*desc, string, error) {
	dir, base := splitName(name)
	if base == "" {
		return nil, "", unix.ENOENT
	}
	if dir == "" {
		return t.root, base, nil
	}
	d, err := openDirBeneath(t.root.n, dir)
	return d, base, err
}

// complete gives an open file owner, mode, time and attributes. Attributes that the file
// system has no room for are counted.
func (t *tree) complete(fd int, mt meta, when timing) error {
	if err := setMeta(fd, mt, when); err != nil {
		return err
	}
	for _, x := range mt.xattrs {
		err := unix.Fsetxattr(fd, x.name, x.value, 0)
		if errors.Is(err, unix.ENOTSUP) {
			t.report.XattrsSkipped++
			continue
		}
		if err != nil {
			return fmt.Errorf("set attribute %s: %w", quote(x.name), err)
		}
	}
	return nil
}
