package contract

import (
	"errors"
	"io/fs"
	"os"
	"sort"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
)

// ZonePath is where a zone has its file system of contracts.
const ZonePath = "/system/contract"

// HostPath is where an instance of the zones software has the host's.
func HostPath(l layout.Layout) string { return l.Run + "/contract" }

// CollectorPath is where an instance has its collector of events: one for the host and all
// zones, so that each can tell senders from the others.
func CollectorPath(l layout.Layout) string { return l.Run + "/bpf" }

// FS is a file system of contracts. It keeps it mounted, and its server with it, until it is
// closed or forgotten.
type FS struct {
	dir  string
	root *os.File
	// cgroups is where the directories are that processes are born in.
	cgroups cgroupPlace

	// ctl is the ctl file of all contracts, open from its first use on; nil: the server, which an
	// older one is, has none.
	ctlOnce sync.Once
	ctl     *os.File
}

// Open finds the file system of contracts: the zone's, or on the host that of the instance,
// whose server is started when there is none yet and the caller is root.
func Open() (*FS, error) {
	f, err := Find()
	if !errors.Is(err, ErrNoFS) {
		return f, err
	}
	if err := serveHost(); err != nil {
		return nil, err
	}
	return Find()
}

// Find is Open without starting anything. ErrNoFS: there is none.
func Find() (*FS, error) {
	l := layout.FromEnv()
	places := []string{ZonePath, HostPath(l)}
	if l.Root != "" {
		// Who names an instance means that one.
		places[0], places[1] = places[1], places[0]
	}
	for _, dir := range places {
		if f, err := OpenAt(dir); err == nil || !errors.Is(err, ErrNoFS) {
			return f, err
		}
	}
	return nil, &sys.Error{Op: "look for contracts", What: "at " + places[0] + " and " + places[1], Errno: ErrNoFS}
}

// OpenAt is the file system of contracts that is mounted at dir. ErrNoFS: none is.
func OpenAt(dir string) (*FS, error) {
	var n int
	err := sys.Retry(func() (e error) {
		n, e = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return
	})
	if err == nil {
		f := &FS{dir: dir, root: os.NewFile(uintptr(n), dir)}
		if err = f.check(n); err == nil {
			return f, nil
		}
		f.Close()
	}
	switch err {
	case unix.ENOENT, unix.ENOTDIR, unix.ENOTCONN:
		// Not connected: its server has gone for good, and its mount will.
		err = ErrNoFS
	}
	return nil, &sys.Error{Op: "look for contracts", What: "at " + dir, Errno: err}
}

// check says whether the directory is what it should be.
func (f *FS) check(root int) error {
	var fs unix.Statfs_t
	if err := sys.Retry(func() error { return unix.Fstatfs(root, &fs) }); err != nil {
		return err
	}
	if fs.Type != unix.FUSE_SUPER_MAGIC {
		return ErrNoFS
	}
	var st unix.Stat_t
	return sys.Retry(func() error { return unix.Fstatat(root, process("template"), &st, 0) })
}

// Close lets go of it. Templates, readers and what else is open of it stay usable, contracts
// do not.
func (f *FS) Close() error {
	f.ctlOnce.Do(func() {})
	if f.ctl != nil {
		_ = f.ctl.Close()
	}
	return f.root.Close()
}

// control is the ctl file of all contracts; nil: there is none.
func (f *FS) control() *os.File {
	f.ctlOnce.Do(func() {
		if fd, err := f.open(process("ctl"), unix.O_WRONLY); err == nil {
			f.ctl = os.NewFile(uintptr(fd.Disown()), f.dir+"/"+process("ctl"))
		}
	})
	return f.ctl
}

// Path is where it is mounted.
func (f *FS) Path() string { return f.dir }

// process is the path of a file of the process contracts, and file that of one of a contract.
func process(name string) string { return "process/" + name }

func file(id ID, name string) string {
	return process(strconv.FormatUint(uint64(id), 10) + "/" + name)
}

// open opens one of its files.
func (f *FS) open(name string, flags int) (*sys.FD, error) {
	var n int
	c, err := f.root.SyscallConn()
	if err == nil {
		cerr := c.Control(func(root uintptr) {
			err = sys.Retry(func() (e error) { n, e = unix.Openat(int(root), name, flags|unix.O_CLOEXEC, 0); return })
		})
		if cerr != nil {
			err = cerr // closed
		}
	}
	if err != nil {
		return nil, &sys.Error{Op: "open", What: f.dir + "/" + name, Errno: err}
	}
	return sys.Own(n), nil
}

// Contract is the contract with this number, which need not exist.
func (f *FS) Contract(id ID) *Contract { return &Contract{ID: id, fs: f} }

// IDs lists the contracts that there are, the smallest first.
func (f *FS) IDs() ([]ID, error) {
	fd, err := f.open("all", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(fd.Disown()), f.dir+"/all")
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var ids []ID
	for _, name := range names {
		if n, err := strconv.ParseUint(name, 10, 31); err == nil {
			ids = append(ids, ID(n))
		}
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	return ids, nil
}

// Statuses are those of all contracts that there are, the smallest number first. One that
// goes meanwhile is left out.
func (f *FS) Statuses() ([]Status, error) {
	ids, err := f.IDs()
	if err != nil {
		return nil, err
	}
	var all []Status
	for _, id := range ids {
		st, err := f.Contract(id).Status()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return all, err
		}
		all = append(all, st)
	}
	return all, nil
}

// Latest is the status of the contract that this process made last. ESRCH: it has made none.
func (f *FS) Latest() (Status, error) { return f.status(process("latest")) }

// statusBytesMax bounds a status: members and inherited contracts are lists.
const statusBytesMax = 4 << 20

// staleTriesMax is how often a status is read again that went while it was read, which takes
// others who read a thousand of them at that moment.
const staleTriesMax = 16

func (f *FS) status(name string) (st Status, err error) {
	for range staleTriesMax {
		if st, err = f.readStatus(name); !errors.Is(err, unix.ESTALE) {
			break
		}
	}
	return st, err
}

func (f *FS) readStatus(name string) (Status, error) {
	fd, err := f.open(name, unix.O_RDONLY)
	if err != nil {
		return Status{}, err
	}
	defer fd.Close()
	b := make([]byte, 0, 2048)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		var n int
		err := sys.Retry(func() (e error) { n, e = unix.Read(fd.Int(), b[len(b):cap(b)]); return })
		if b = b[:len(b)+max(n, 0)]; err == nil && len(b) > statusBytesMax {
			err = unix.EFBIG
		}
		if err != nil {
			return Status{}, &sys.Error{Op: "read", What: f.dir + "/" + name, Errno: err}
		}
		if n == 0 {
			break
		}
	}
	st, err := ParseStatus(b)
	if err != nil {
		return Status{}, &sys.Error{Op: "read", What: f.dir + "/" + name, Errno: err}
	}
	return st, nil
}
