package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Records of PAX headers that carry attributes and access control lists.
const (
	paxXattr = "SCHILY.xattr."
	paxACL   = "SCHILY.acl."
	// gnuVolumeLabel is the type of the entry that `tar --label` writes.
	gnuVolumeLabel = 'V'
)

// copyBufBytes of a file's contents at a time: a multiple of the block of holes.
const copyBufBytes = 256 << 10

// endMarkBytes of zeros end a tar archive.
const endMarkBytes = 2 * tarBlockBytes

// installArchive unpacks the archive src.Path.
func installArchive(t *tree, src Source, _ Options) error {
	n, err := unix.Open(src.Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	f := &desc{n}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(f.n, &st); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return ErrNotRegular
	}
	t.m.now.TotalBytes = st.Size
	return unpack(t, fdReader{f.n})
}

// fdReader reads a descriptor that somebody else owns.
type fdReader struct{ n int }

func (r fdReader) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(r.n, b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, fmt.Errorf("read: %w", err)
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// unpack fills the tree from an archive of any of the formats.
func unpack(t *tree, r io.Reader) error {
	in, err := openStream(&packed{r: r, m: t.m})
	if err != nil {
		return err
	}
	defer in.Done()
	x := &extractor{tree: t, in: in, buf: make([]byte, copyBufBytes), skipped: map[string]struct{}{}}
	if err := x.run(); err != nil {
		return err
	}
	return x.trailer()
}

// extractor turns the entries of one archive into files.
type extractor struct {
	*tree
	in  *stream
	tar *tar.Reader
	buf []byte
	// skipped devices, since further links to one are skipped too
	skipped map[string]struct{}
}

func (x *extractor) run() error {
	x.tar = tar.NewReader(x.in)
	for {
		start := x.in.n
		hdr, err := x.tar.Next()
		if errors.Is(err, io.EOF) {
			if x.in.n-start < endMarkBytes {
				return ErrTruncated
			}
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return x.explain(err)
		}
		if err := x.entry(hdr); err != nil {
			return fmt.Errorf("entry %s: %w", quote(hdr.Name), err)
		}
		if _, err := io.CopyBuffer(io.Discard, x.tar, x.buf); err != nil {
			return fmt.Errorf("entry %s: %w", quote(hdr.Name), x.explain(err))
		}
	}
}

// explain maps errors of reading the tar stream to ours.
func (x *extractor) explain(err error) error {
	switch {
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong), errors.Is(err, tar.ErrWriteTooLong):
		return fmt.Errorf("%w: %v", ErrCorrupt, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	}
	return err
}

// trailer makes sure that nothing but padding follows.
func (x *extractor) trailer() error {
	for {
		n, err := io.ReadFull(x.in, x.buf)
		for b := x.buf[:n]; len(b) > 0; b = b[min(len(b), len(zeroBlock)):] {
			if !isZero(b[:min(len(b), len(zeroBlock))]) {
				return ErrTrailing
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			// A decoder that fails here has decoded the whole archive: what fails is what follows.
			if errors.Is(err, ErrCorrupt) {
				return fmt.Errorf("%w (%w)", ErrTrailing, err)
			}
			return err
		}
	}
}

// entryMakers by type. A type that is nil is passed over.
var entryMakers = map[byte]func(x *extractor, name string, hdr *tar.Header, mt meta) error{
	tar.TypeDir: func(x *extractor, name string, _ *tar.Header, mt meta) error { return x.dir(name, mt) },
	tar.TypeSymlink: func(x *extractor, name string, hdr *tar.Header, mt meta) error {
		return x.symlink(name, hdr.Linkname, mt)
	},
	tar.TypeFifo:          func(x *extractor, name string, _ *tar.Header, mt meta) error { return x.fifo(name, mt) },
	tar.TypeReg:           (*extractor).regular,
	tar.TypeCont:          (*extractor).regular,
	tar.TypeGNUSparse:     (*extractor).regular,
	tar.TypeLink:          (*extractor).link,
	tar.TypeChar:          (*extractor).device,
	tar.TypeBlock:         (*extractor).device,
	tar.TypeXGlobalHeader: nil,
	gnuVolumeLabel:        nil,
}

func (x *extractor) entry(hdr *tar.Header) error {
	maker, known := entryMakers[hdr.Typeflag]
	if !known {
		return fmt.Errorf("%w: type %q", ErrType, hdr.Typeflag)
	}
	if maker == nil {
		return x.m.entry("")
	}
	name, err := cleanName(hdr.Name, x.m.lim)
	if err != nil {
		return err
	}
	if name == "" && hdr.Typeflag != tar.TypeDir {
		return ErrName
	}
	if err := x.m.entry(name); err != nil {
		return err
	}
	mt, err := x.metaOf(hdr)
	if err != nil {
		return err
	}
	return maker(x, name, hdr, mt)
}

// metaOf checks and translates an entry's attributes. Names of users and groups in the
// archive are not looked at: they would have to be looked up in the tree itself.
func (x *extractor) metaOf(hdr *tar.Header) (meta, error) {
	if hdr.Uid < 0 || hdr.Uid > idMax || hdr.Gid < 0 || hdr.Gid > idMax {
		return meta{}, fmt.Errorf("%w: %d:%d", ErrOwnerRange, hdr.Uid, hdr.Gid)
	}
	mt := meta{
		uid: hdr.Uid, gid: hdr.Gid, mode: uint32(hdr.Mode & 0o7777),
		mtime: unix.Timespec{Sec: hdr.ModTime.Unix(), Nsec: int64(hdr.ModTime.Nanosecond())},
	}
	for key, value := range hdr.PAXRecords {
		if strings.HasPrefix(key, paxACL) {
			x.report.XattrsSkipped++
		}
		name, ok := strings.CutPrefix(key, paxXattr)
		if !ok {
			continue
		}
		v, err := judgeXattr(name, []byte(value))
		if err != nil {
			return meta{}, err
		}
		// A default list would be inherited by entries that are made later.
		if v == skip || name == xattrACLDefault || name == xattrACLAccess {
			x.report.XattrsSkipped++
			continue
		}
		mt.xattrs = append(mt.xattrs, xattr{name, []byte(value)})
	}
	if len(mt.xattrs) > xattrsMax {
		return meta{}, fmt.Errorf("%w: more than %d of them", ErrXattr, xattrsMax)
	}
	slices.SortFunc(mt.xattrs, func(a, b xattr) int { return strings.Compare(a.name, b.name) })
	return mt, nil
}

// regular writes a file with its contents.
func (x *extractor) regular(name string, hdr *tar.Header, mt meta) error {
	if err := x.m.reserve(hdr.Size); err != nil {
		return err
	}
	f, err := x.create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := &holeWriter{fd: f.n}
	for {
		n, err := io.ReadFull(x.tar, x.buf)
		if n > 0 {
			if _, err := w.Write(x.buf[:n]); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		if w.off == hdr.Size && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
			break
		}
		if err != nil {
			return x.explain(err)
		}
		if err := x.m.cancelled(); err != nil {
			return err
		}
		x.m.show(name)
	}
	if err := w.finish(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return x.complete(f.n, mt, timeNow)
}

// link makes a hard link to an earlier entry. It has the attributes of the file that it
// names, so its own are not used.
func (x *extractor) link(name string, hdr *tar.Header, _ meta) error {
	old, err := cleanName(hdr.Linkname, x.m.lim)
	if err != nil {
		return fmt.Errorf("hard link to %s: %w", quote(hdr.Linkname), err)
	}
	if _, ok := x.skipped[old]; ok {
		x.remember(name)
		return nil
	}
	return x.hardlink(name, old)
}

// device counts a device node and does not make it.
func (x *extractor) device(name string, _ *tar.Header, _ meta) error {
	x.remember(name)
	x.report.DevicesSkipped++
	return nil
}

func (x *extractor) remember(name string) {
	if len(x.skipped) < skippedNamesMax {
		x.skipped[name] = struct{}{}
	}
}
