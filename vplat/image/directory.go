package image

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// copyRangeBytes of a file are copied by the kernel at a time, between looks at the context.
const copyRangeBytes = 8 << 20

// copier copies one directory tree. The source may be changed by others while it is
// read: each name is looked up once, and what was opened is what is copied.
type copier struct {
	*tree
	target     fileID            // the zone's root
	links      map[fileID]string // where files with several links were copied to
	linksBytes int
	buf        []byte
	noRange    bool // the file systems cannot copy between one another
}

// installDirectory copies the tree src.Path.
func installDirectory(t *tree, src Source, _ Options) error {
	from, err := openAt(unix.AT_FDCWD, src.Path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, unix.RESOLVE_NO_MAGICLINKS)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%w, or a symbolic link", ErrNotDirectory)
	}
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer from.Close()
	if err := checkNested(from, t.root); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(t.root.n, &st); err != nil {
		return err
	}
	c := &copier{tree: t, target: idOf(&st), links: map[fileID]string{}, buf: make([]byte, copyBufBytes)}
	if err := c.contents(from, t.root, "", 0); err != nil {
		return err
	}
	mt, _, err := c.metaOf(from)
	if err != nil {
		return err
	}
	return setTime(t.root.n, mt.mtime)
}

// checkNested refuses a source above or below the zone: the copy would copy itself, or
// uninstalling the zone would remove its source. Bind mounts can hide this from a look
// at parents, so the walk also stops where it meets the zone's root.
func checkNested(a, b *desc) error {
	for _, pair := range [][2]*desc{{a, b}, {b, a}} {
		var want unix.Stat_t
		if err := unix.Fstat(pair[0].n, &want); err != nil {
			return err
		}
		found, err := isAbove(idOf(&want), pair[1])
		if err != nil {
			return err
		}
		if found {
			return ErrNested
		}
	}
	return nil
}

// isAbove tells whether id is the directory or one of its parents.
func isAbove(id fileID, dir *desc) (bool, error) {
	at, err := openAt(dir.n, ".", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return false, err
	}
	defer func() { at.Close() }()
	last := fileID{}
	for {
		var st unix.Stat_t
		if err := unix.Fstat(at.n, &st); err != nil {
			return false, err
		}
		if idOf(&st) == id {
			return true, nil
		}
		if idOf(&st) == last {
			return false, nil
		}
		last = idOf(&st)
		up, err := openAt(at.n, "..", unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return false, err
		}
		at.Close()
		at = up
	}
}

// contents copies what is in a directory. Names are for people and for hard links.
func (c *copier) contents(from, to *desc, name string, depth int) error {
	if depth > c.m.lim.DepthMax {
		return fmt.Errorf("%s: %w of %d", quote(name), ErrTooDeep, c.m.lim.DepthMax)
	}
	buf := make([]byte, direntBufBytes)
	for {
		list, err := readDirents(from.n, buf)
		if err != nil {
			return fmt.Errorf("read directory %s: %w", quote(name), err)
		}
		if len(list) == 0 {
			return nil
		}
		for _, e := range list {
			child := joinName(name, e.name)
			if err := c.m.entry(child); err != nil {
				return err
			}
			if err := c.one(from, to, e.name, child, depth); err != nil {
				return err
			}
		}
	}
}

// one copies a single name. An error names it, unless a directory below has done so.
func (c *copier) one(from, to *desc, base, child string, depth int) error {
	// O_PATH pins the inode without acting on it: it may be a device, or be swapped.
	d, err := openAt(from.n, base, unix.O_PATH|unix.O_NOFOLLOW, beneath)
	if errors.Is(err, unix.ENOENT) {
		c.report.Changed++
		return nil
	}
	if errors.Is(err, unix.EXDEV) {
		return named(child, c.mounted(from, to, base))
	}
	if err != nil {
		return named(child, err)
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return named(child, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return c.directory(d, to, &st, base, child, depth)
	case unix.S_IFREG:
		err = c.file(d, to, &st, base, child)
	case unix.S_IFLNK:
		err = c.link(d, to, &st, base)
	case unix.S_IFIFO:
		err = c.fifo(to, &st, base)
	case unix.S_IFSOCK:
		c.report.SocketsSkipped++
	default:
		c.report.DevicesSkipped++
	}
	return named(child, err)
}

func named(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("copy %s: %w", quote(name), err)
}

// mounted leaves an empty directory where another file system is mounted in the source.
// A file that is mounted over is left out.
func (c *copier) mounted(from, to *desc, base string) error {
	c.report.MountsSkipped++
	var st unix.Stat_t
	if err := unix.Fstatat(from.n, base, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT); err != nil ||
		st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	d, err := makeDir(to.n, base)
	if err != nil {
		return err
	}
	defer d.Close()
	c.report.Directories++
	return setMeta(d.n, meta{mode: 0o755}, timeLater)
}

func (c *copier) directory(d, to *desc, st *unix.Stat_t, base, child string, depth int) error {
	if idOf(st) == c.target {
		return named(child, ErrNested)
	}
	from, err := reopen(d, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return named(child, err)
	}
	defer from.Close()
	made, err := makeDir(to.n, base)
	if err != nil {
		return named(child, err)
	}
	defer made.Close()
	c.report.Directories++
	if err := c.contents(from, made, child, depth+1); err != nil {
		return err
	}
	// Last: a default access list would be inherited, and the time would change.
	mt, skipped, err := c.metaOf(from)
	if err != nil {
		return named(child, err)
	}
	c.report.XattrsSkipped += skipped
	return named(child, c.complete(made.n, mt, timeNow))
}

// metaOf reads what an open file or directory has.
func (c *copier) metaOf(d *desc) (meta, int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(d.n, &st); err != nil {
		return meta{}, 0, err
	}
	mt, err := metaOfStat(&st)
	if err != nil {
		return meta{}, 0, err
	}
	kept, skipped, err := readXattrs(d.n)
	mt.xattrs = kept
	return mt, skipped, err
}

func metaOfStat(st *unix.Stat_t) (meta, error) {
	if st.Uid > idMax || st.Gid > idMax {
		return meta{}, fmt.Errorf("%w: %d:%d", ErrOwnerRange, st.Uid, st.Gid)
	}
	return meta{uid: int(st.Uid), gid: int(st.Gid), mode: st.Mode & 0o7777, mtime: st.Mtim}, nil
}

func (c *copier) link(d, to *desc, st *unix.Stat_t, base string) error {
	text, err := readLinkAt(d.n, "")
	if err != nil {
		return fmt.Errorf("read link: %w", err)
	}
	mt, err := metaOfStat(st)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(text, to.n, base); err != nil {
		return err
	}
	c.report.Symlinks++
	return setMetaOfLink(to.n, base, mt)
}

func (c *copier) fifo(to *desc, st *unix.Stat_t, base string) error {
	mt, err := metaOfStat(st)
	if err != nil {
		return err
	}
	return c.makeFifo(to.n, base, mt)
}

// file copies a regular file, or links to the copy of another name of it.
func (c *copier) file(d, to *desc, st *unix.Stat_t, base, child string) error {
	if st.Nlink > 1 {
		if old, ok := c.links[idOf(st)]; ok {
			return c.linkTo(old, to, base)
		}
	}
	if err := c.m.reserve(st.Size); err != nil {
		return err
	}
	from, err := reopen(d, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer from.Close()
	made, err := createFile(to.n, base)
	if err != nil {
		return err
	}
	defer made.Close()
	c.report.Files++
	if err := c.data(from, made, st.Size); err != nil {
		return err
	}
	mt, skipped, err := c.metaOf(from)
	if err != nil {
		return err
	}
	c.report.XattrsSkipped += skipped
	if mt.mtime != st.Mtim {
		c.report.Changed++
	}
	if err := c.complete(made.n, mt, timeNow); err != nil {
		return err
	}
	if st.Nlink > 1 {
		return c.rememberLink(idOf(st), child)
	}
	return nil
}

func (c *copier) linkTo(old string, to *desc, base string) error {
	file, err := c.openRegular(old)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Linkat(file.n, "", to.n, base, unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	c.report.Hardlinks++
	return nil
}

func (c *copier) rememberLink(id fileID, child string) error {
	const structBytes = 64
	if c.linksBytes += len(child) + structBytes; c.linksBytes > hardlinkBytesMax {
		return ErrTooManyLinks
	}
	c.links[id] = child
	return nil
}

// data copies the first size bytes of a file, without its holes.
func (c *copier) data(from, to *desc, size int64) error {
	for off := int64(0); off < size; {
		start, err := unix.Seek(from.n, off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // only a hole is left
		}
		if err != nil {
			return fmt.Errorf("seek: %w", err)
		}
		end, err := unix.Seek(from.n, start, unix.SEEK_HOLE)
		if err != nil && !errors.Is(err, unix.ENXIO) {
			return fmt.Errorf("seek: %w", err)
		}
		if err != nil || end > size {
			end = size
		}
		if err := c.extent(from, to, start, end); err != nil {
			return err
		}
		off = max(end, start+1)
	}
	return unix.Ftruncate(to.n, size)
}

// extent copies the bytes from start to end. A file that has become shorter meanwhile
// ends in a hole.
func (c *copier) extent(from, to *desc, start, end int64) error {
	for start < end {
		n, err := c.piece(from, to, start, min(end-start, copyRangeBytes))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		start += int64(n)
		if err := c.m.copied(int64(n)); err != nil {
			return err
		}
	}
	return nil
}

// piece copies some bytes, in the kernel where it can: there, file systems share blocks.
func (c *copier) piece(from, to *desc, off, size int64) (int, error) {
	if !c.noRange {
		in, out := off, off
		n, err := unix.CopyFileRange(from.n, &in, to.n, &out, int(size), 0)
		if err == nil && n > 0 {
			return n, nil
		}
		if err != nil && !refusedByFS(err) {
			return 0, fmt.Errorf("copy: %w", err)
		}
		c.noRange = err != nil
	}
	n, err := unix.Pread(from.n, c.buf[:min(size, int64(len(c.buf)))], off)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return 0, fmt.Errorf("read: %w", err)
	}
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	if n <= 0 {
		return 0, nil
	}
	return n, pwriteAll(to.n, c.buf[:n], off)
}
