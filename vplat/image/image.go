package image

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Kind says where a root file system comes from.
type Kind int

// The kinds of sources.
const (
	Sparse    Kind = iota + 1 // from the host, by the tables of sparse_table.go
	Archive                   // a tar archive, plain or compressed
	Directory                 // a copy of a tree
)

func (k Kind) String() string {
	switch k {
	case Sparse:
		return "sparse"
	case Archive:
		return "archive"
	case Directory:
		return "directory"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Target is the place of a zone.
type Target struct {
	ZonePath string // absolute; made by MakeZonePath
}

// Source is what is installed.
type Source struct {
	Kind Kind
	Path string // of the archive or directory; unused for Sparse
}

// Options of an installation. The zero value is usable.
type Options struct {
	Limits   Limits
	Progress func(Progress) // called for every entry and piece of a file; the callee limits the rate
	Hostname string         // written to a sparse zone's /etc/hostname and /etc/hosts
	HostRoot string         // where a sparse zone's files come from; empty means /
	// EtcInclude are further patterns below the host's /etc for a sparse zone, for
	// software that needs its configuration there. What is never copied stays so.
	EtcInclude []string
}

// Report says what an installation did.
type Report struct {
	Kind  Kind
	Bytes int64 // of files' contents, holes included

	Directories, Files, Symlinks, Hardlinks, Fifos int64

	DevicesSkipped int64 // the platform makes /dev
	SocketsSkipped int64 // the program that listens makes them
	XattrsSkipped  int64 // attributes that mean nothing, or something else, in a zone
	MountsSkipped  int64 // left as empty directories
	Changed        int64 // files that changed while they were copied
	Withheld       int64 // files of the host's /etc that were listed, but may hold secrets

	// HostDirs are those of /bin, /sbin and /lib* that are directories of the host's
	// own rather than links into /usr: a sparse zone has an empty directory there, and
	// the platform must bind the host's over it.
	HostDirs []string
}

// installers by kind. Each fills the tree and leaves the common rest to Install.
var installers = map[Kind]func(*tree, Source, Options) error{
	Sparse:    installSparse,
	Archive:   installArchive,
	Directory: installDirectory,
}

// Install puts a root file system at ZONEPATH/root, which must not exist or be empty. It
// returns after the file system was synced. On an error the tree stays as it is, for
// Uninstall; the errors are those of errors.go and of the system.
func Install(ctx context.Context, target Target, src Source, opt Options) (Report, error) {
	install, ok := installers[src.Kind]
	if !ok {
		return Report{}, fmt.Errorf("install: unknown kind of source: %v", src.Kind)
	}
	zp, err := openZonePath(target.ZonePath)
	if err != nil {
		return Report{}, err
	}
	defer zp.Close()
	root, err := makeRoot(zp)
	if err != nil {
		return Report{}, fmt.Errorf("zonepath %s: %w", quote(target.ZonePath), err)
	}
	defer root.Close()

	t := newTree(root, newMeter(ctx, opt.Limits, opt.Progress))
	defer t.Close()
	t.report.Kind = src.Kind
	err = install(t, src, opt)
	if err == nil {
		err = t.finish()
	}
	if err == nil && src.Kind != Sparse {
		err = completeWhole(root)
	}
	if err == nil {
		err = unix.Syncfs(root.n)
	}
	t.report.Bytes = t.m.written
	if err != nil {
		return t.report, fmt.Errorf("install from %s: %w", describe(src), err)
	}
	return t.report, nil
}

func describe(src Source) string {
	if src.Path == "" {
		return "the host"
	}
	return fmt.Sprintf("%v %s", src.Kind, quote(src.Path))
}

// completeWhole checks a whole tree and gives it the places where the platform mounts.
func completeWhole(root *desc) error {
	if err := checkOS(root); err != nil {
		return err
	}
	return prepareMountpoints(root)
}

// makeRoot makes ZONEPATH/root and opens it.
func makeRoot(zp *desc) (*desc, error) {
	if err := checkForeign(zp); err != nil {
		return nil, err
	}
	if err := unix.Mkdirat(zp.n, rootName, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("make %s: %w", rootName, err)
	}
	root, err := openAt(zp.n, rootName, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, beneath)
	if errors.Is(err, unix.EXDEV) {
		return nil, mountedError(zp, rootName)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", rootName, err)
	}
	if err := makeRootOwn(root); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

func makeRootOwn(root *desc) error {
	names, err := readDirents(root.n, make([]byte, direntBufBytes))
	if err != nil {
		return fmt.Errorf("read %s: %w", rootName, err)
	}
	if len(names) > 0 {
		return fmt.Errorf("%w: it holds %s; remove it first", ErrNotEmpty, quote(names[0].name))
	}
	if err := unix.Fchown(root.n, 0, 0); err != nil {
		return fmt.Errorf("own %s: %w", rootName, err)
	}
	return unix.Fchmod(root.n, 0o755)
}
