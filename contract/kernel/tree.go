package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/quota"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// Names in the zone's directory.
const (
	contractsName = "ct"
	bornName      = "d"
	procsName     = "cgroup.procs"
)

// DirsMax bounds the contracts of a zone: each costs the kernel about 20 kB and an inotify
// watch. The limit that users meet (zone.max-contracts) is the table's and lower.
const DirsMax = 20000

// place is what is known of a contract's directory.
type place struct {
	Dir
	above  string // the directory of Path below gN: ct, or a project's; empty for a login's
	bornID uint64 // the kernel's id of Born
	taken  bool   // a login's: its directory is not ours
	pool   string // the set of processors that it is bound to
	want   contract.Events
	watch  watch
	// killed: everybody was killed there, so that nobody may be born there (KillSeqBug).
	killed bool
	// lost is what the collector has counted as lost, once counted says that it was asked.
	lost    uint64
	counted bool
}

// tree is the directories below gN.
type tree struct {
	mount string // of cgroup2
	root  string // gN
	rel   string // gN below the mount, as /proc/PID/cgroup names it
	level int    // gN's depth below the hierarchy's root
	fd    *sys.FD

	places map[contract.ID]*place
	byID   map[uint64]contract.ID // by the kernel's ids of Path and Born
	logins map[string]contract.ID // by path below gN

	lie   map[string]int // how many contracts lie in ct/ and in each project's directory
	quota *quota.Host    // nil as long as it is not needed
}

// openTree takes up what is there, and completes a contract of which only the upper directory
// was made.
func openTree(root string) (*tree, error) {
	mount, err := cgroup2.Mount()
	if err != nil {
		return nil, err
	}
	rel, below := strings.CutPrefix(root, mount)
	if !below || !strings.HasPrefix(rel, "/") || filepath.Clean(rel) != rel || rel == "/" {
		return nil, fmt.Errorf("open contracts %s: %w", root, ErrElsewhere)
	}
	fd, err := sys.OpenDir(root)
	if err != nil {
		return nil, fmt.Errorf("open contracts: %w", err)
	}
	t := &tree{
		mount: mount, root: root, rel: rel, level: levelOf(rel), fd: fd,
		places: map[contract.ID]*place{}, byID: map[uint64]contract.ID{}, logins: map[string]contract.ID{},
		lie: map[string]int{},
	}
	if err := t.load(); err != nil {
		fd.Close()
		return nil, err
	}
	return t, nil
}

// levelOf is how deep a cgroup is below the root, as its path says.
func levelOf(path string) int { return strings.Count(strings.TrimSuffix(path, "/"), "/") }

func (t *tree) load() error {
	if err := mkdirAt(t.fd, contractsName); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := t.loadFrom(contractsName); err != nil {
		return err
	}
	return t.loadProjects()
}

// loadFrom takes up the contracts in one directory.
func (t *tree) loadFrom(above string) error {
	entries, err := os.ReadDir(filepath.Join(t.root, above))
	if err != nil {
		return fmt.Errorf("list contracts: %w", err)
	}
	for _, e := range entries {
		id, ok := parseID(e.Name())
		if !e.IsDir() || !ok {
			continue
		}
		name := contractName(above, id)
		if err := mkdirAt(t.fd, name+"/"+bornName); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		p, err := t.add(id, name, bornName)
		if err != nil {
			return err
		}
		p.pool = t.attr(name, poolAttr)
	}
	return nil
}

// parseID reads a directory's name; a name that no ID is written as is none.
func parseID(name string) (contract.ID, bool) {
	n, err := strconv.ParseUint(name, 10, 32)
	return contract.ID(n), err == nil && n > 0 && strconv.FormatUint(n, 10) == name
}

func contractName(above string, id contract.ID) string {
	return above + "/" + strconv.FormatUint(uint64(id), 10)
}

// name is the place's directory below gN.
func (t *tree) name(p *place) string { return strings.TrimPrefix(p.Path, t.root+"/") }

func mkdirAt(at *sys.FD, name string) error {
	if err := unix.Mkdirat(at.Int(), name, 0o755); err != nil {
		return &os.PathError{Op: "make contract", Path: name, Err: err}
	}
	return nil
}

// add knows a directory from here on.
func (t *tree) add(id contract.ID, name, born string) (*place, error) {
	if len(t.places) >= DirsMax {
		return nil, fmt.Errorf("contracts of a zone: %w", ErrLimit)
	}
	p := &place{Dir: Dir{CT: id, Path: filepath.Join(t.root, name), Born: filepath.Join(t.root, name, born)}}
	var err error
	if p.Cgroup, err = t.inode(name); err != nil {
		return nil, err
	}
	if p.bornID, err = t.inode(filepath.Join(name, born)); err != nil {
		return nil, err
	}
	p.watch.wd = -1
	t.places[id] = p
	t.byID[p.Cgroup], t.byID[p.bornID] = id, id
	if first := firstOf(name); isAbove(first) {
		p.above = first
		t.lie[first]++
	}
	return p, nil
}

func (t *tree) inode(name string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(t.fd.Int(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, &os.PathError{Op: "stat contract", Path: filepath.Join(t.root, name), Err: err}
	}
	return st.Ino, nil
}

// make makes a contract's directories in the one above, ct or a project's.
func (t *tree) make(id contract.ID, above string) (*place, error) {
	if id == 0 {
		return nil, fmt.Errorf("make contract %d: %w", id, ErrNone)
	}
	if t.places[id] != nil {
		return nil, fmt.Errorf("make contract %d: %w", id, ErrUsed)
	}
	name := contractName(above, id)
	if err := mkdirAt(t.fd, name); err != nil {
		if errors.Is(err, unix.EEXIST) {
			err = fmt.Errorf("make contract %d: %w", id, ErrUsed)
		}
		return nil, err
	}
	err := mkdirAt(t.fd, name+"/"+bornName)
	var p *place
	if err == nil {
		p, err = t.add(id, name, bornName)
	}
	if err != nil {
		_ = unix.Unlinkat(t.fd.Int(), name+"/"+bornName, unix.AT_REMOVEDIR)
		_ = unix.Unlinkat(t.fd.Int(), name, unix.AT_REMOVEDIR)
		return nil, err
	}
	return p, nil
}

// take makes a login's directory a contract's. It lies below gN and outside of where contracts do.
func (t *tree) take(id contract.ID, path string) (*place, error) {
	name, below := strings.CutPrefix(path, t.root+"/")
	if !below || filepath.Clean(name) != name || isAbove(firstOf(name)) || strings.HasPrefix(name, "..") {
		return nil, fmt.Errorf("take contract %s: %w", path, ErrElsewhere)
	}
	if id == 0 || t.places[id] != nil || t.logins[name] != 0 {
		return nil, fmt.Errorf("take contract %d: %w", id, ErrUsed)
	}
	p, err := t.add(id, name, "")
	if err != nil {
		return nil, err
	}
	p.taken = true
	t.logins[name] = id
	return p, nil
}

// forget knows the directory no more.
func (t *tree) forget(p *place) {
	delete(t.places, p.CT)
	delete(t.byID, p.Cgroup)
	delete(t.byID, p.bornID)
	if t.lie[p.above]--; t.lie[p.above] <= 0 {
		delete(t.lie, p.above)
	}
	if p.taken {
		delete(t.logins, strings.TrimPrefix(p.Path, t.root+"/"))
	}
}

func (t *tree) remove(p *place) error {
	if p.taken {
		t.forget(p)
		return nil
	}
	busy, err := cgroup2.Populated(p.Path)
	if err == nil && !busy {
		err = t.unmake(p)
	}
	if busy || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
		err = fmt.Errorf("remove contract %d: %w", p.CT, ErrBusy)
	}
	if err == nil {
		t.forget(p)
		t.leaveProject(p.above)
		if p.pool != "" {
			t.leavePool(p.pool)
		}
	}
	return err
}

// unmake removes the directories. Few have others below, which the zone made where it may.
func (t *tree) unmake(p *place) error {
	name := t.name(p)
	_ = unix.Unlinkat(t.fd.Int(), name+"/"+bornName, unix.AT_REMOVEDIR)
	if err := unix.Unlinkat(t.fd.Int(), name, unix.AT_REMOVEDIR); err == nil || err == unix.ENOENT {
		return nil
	}
	return cgroup2.Remove(p.Path)
}

func (t *tree) list() []Dir {
	var out []Dir
	for _, p := range t.places {
		out = append(out, p.Dir)
	}
	slices.SortFunc(out, func(a, b Dir) int { return int(int64(a.CT) - int64(b.CT)) })
	return out
}

// within is path, as /proc/PID/cgroup names it, below gN, without the slash.
func (t *tree) within(path string) (string, bool) {
	if path == t.rel {
		return "", true
	}
	return strings.CutPrefix(path, t.rel+"/")
}

// contractOf is the contract whose directory a path is or lies below; 0: of none.
func (t *tree) contractOf(path string) contract.ID {
	name, ok := t.within(path)
	if !ok {
		return 0
	}
	if above, rest, _ := strings.Cut(name, "/"); isAbove(above) {
		word, _, _ := strings.Cut(rest, "/")
		if id, ok := parseID(word); ok && t.places[id] != nil && t.places[id].above == above {
			return id
		}
		return 0
	}
	for name != "." && name != "" {
		if id := t.logins[name]; id != 0 {
			return id
		}
		name = filepath.Dir(name)
	}
	return 0
}

// relOf is the contract's directory as /proc/PID/cgroup names it.
func (t *tree) relOf(p *place) string { return t.rel + strings.TrimPrefix(p.Path, t.root) }

// owner is the user that a file of the tree belongs to.
func (t *tree) owner(name string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(t.fd.Int(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, &os.PathError{Op: "stat", Path: filepath.Join(t.root, name), Err: err}
	}
	return st.Uid, nil
}

func (t *tree) chown(name string, uid uint32) error {
	err := unix.Fchownat(t.fd.Int(), name, int(uid), -1, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &os.PathError{Op: "chown", Path: filepath.Join(t.root, name), Err: err}
	}
	return nil
}

// descendantsMax is how many directories a zone may make below a contract that was delegated to
// it: looking through them takes some 15 us each.
const descendantsMax = 4096

// confine bounds what the zone makes below a contract, where it may make anything.
func (t *tree) confine(p *place) {
	var st unix.Stat_t
	if unix.Stat(p.Born, &st) != nil || st.Uid == 0 || p.taken {
		return
	}
	_ = os.WriteFile(filepath.Join(p.Path, "cgroup.max.descendants"), strconv.AppendInt(nil, descendantsMax, 10), 0)
}

// dirsLooked bounds the directories that are looked through for members while the caller
// waits: a zone may make thousands, at 60 us each.
const dirsLooked = 256

// members lists at most max of the processes of a contract, those where members are born
// first; more says that there are, or may be, others.
func members(d Dir, max int) (pids []int32, more bool, err error) {
	born, _ := ownProcs(filepath.Join(d.Born, procsName), max+1)
	seen := make(map[int32]bool, len(born))
	add := func(pid int32) bool {
		if seen[pid] || pid <= 0 {
			return true
		}
		if len(pids) >= max {
			more = true
			return false
		}
		seen[pid] = true
		pids = append(pids, pid)
		return true
	}
	for _, pid := range born {
		if !add(pid) {
			return pids, true, nil
		}
	}
	all, err := cgroup2.Each(d.Path, dirsLooked, func(pid int) bool { return add(int32(pid)) })
	return pids, more || !all, err
}

// namespace is the inode number of a namespace of a process, 0 when it can not be read.
func namespace(pid int32, kind string) uint64 {
	info, err := os.Stat("/proc/" + strconv.Itoa(int(pid)) + "/ns/" + kind)
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Ino
}
