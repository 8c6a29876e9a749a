package contract

import (
	"errors"
	"io/fs"
	"os"
	"sort"
	"strconv"

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

// FS is a file system of contracts. It holds no descriptor.
type FS struct{ dir string }

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

// fuseMagic is FUSE's, of statfs(2).
const fuseMagic = 0x65735546

// OpenAt is the file system of contracts that is mounted at dir. ErrNoFS: none is.
func OpenAt(dir string) (*FS, error) {
	f := &FS{dir: dir}
	var st unix.Statfs_t
	err := sys.Retry(func() error { return unix.Statfs(f.path("template"), &st) })
	switch {
	case err == nil && st.Type == fuseMagic:
		return f, nil
	case err == nil, err == unix.ENOENT, err == unix.ENOTDIR, err == unix.ENOTCONN:
		// Not connected: its server has gone for good, and its mount will.
		return nil, &sys.Error{Op: "look for contracts", What: "at " + dir, Errno: ErrNoFS}
	}
	return nil, &sys.Error{Op: "look for contracts", What: "at " + dir, Errno: err}
}

// Path is where it is mounted.
func (f *FS) Path() string { return f.dir }

// path is that of a file of the process contracts.
func (f *FS) path(name string) string { return f.dir + "/process/" + name }

func (f *FS) file(id ID, name string) string {
	return f.path(strconv.FormatUint(uint64(id), 10) + "/" + name)
}

// Contract is the contract with this number, which need not exist.
func (f *FS) Contract(id ID) *Contract { return &Contract{ID: id, fs: f} }

// IDs lists the contracts that there are, the smallest first.
func (f *FS) IDs() ([]ID, error) {
	dir, err := os.Open(f.dir + "/all")
	if err != nil {
		return nil, err
	}
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
func (f *FS) Latest() (Status, error) { return readStatus(f.path("latest")) }

// statusBytesMax bounds a status: members and inherited contracts are lists.
const statusBytesMax = 4 << 20

func readStatus(path string) (Status, error) {
	b, err := sys.ReadFile(path, statusBytesMax)
	if err != nil {
		return Status{}, err
	}
	st, err := ParseStatus(b)
	if err != nil {
		return Status{}, &sys.Error{Op: "read", What: path, Errno: err}
	}
	return st, nil
}
