package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// A process may be born into a cgroup by whoever may write both the cgroup.procs of that
// cgroup and that of the nearest directory above both. Closed, each cgroup.procs of the tree
// belongs to whom its directory belongs, so that for the zone at most the first is writable,
// in what was delegated to it. A window gives both to the zone's root.

// windowMark is an attribute of ct/ that names the contract whose window is open. It is
// written first and removed last, so that whoever comes after a dead supervisor need look at
// three files and not at those of all contracts. The zone can neither see nor change it.
const windowMark = "trusted.zones.window"

// window is one that is open.
type window struct {
	place  *place
	caller Caller
	mode   Mode
	above  string // the common directory's name below gN, "." for gN itself
	opened uint64 // clock ticks since boot
	chowns bool
}

// open opens a birth. The order is that of undo turned round.
func (t *tree) open(w *window) error {
	if !w.chowns {
		return nil
	}
	mark := []byte(strconv.FormatUint(uint64(w.place.CT), 10))
	if err := unix.Setxattr(filepath.Join(t.root, contractsName), windowMark, mark, 0); err != nil {
		return fmt.Errorf("mark the window of contract %d: %w", w.place.CT, err)
	}
	err := t.chown(filepath.Join(t.name(w.place), bornName, procsName), w.caller.UID)
	if err == nil {
		err = t.chown(filepath.Join(w.above, procsName), w.caller.UID)
	}
	if err != nil {
		return errors.Join(err, t.shut(w.place.CT))
	}
	return nil
}

// shut closes whatever window of the contract is open: the upper directories first, since
// without them the lowest is of no use.
func (t *tree) shut(id contract.ID) error {
	var errs []error
	dirs := []string{".", contractsName}
	if p := t.places[id]; p != nil && !p.taken {
		dirs = append(dirs, p.above, filepath.Join(t.name(p), bornName))
	} else { // it is gone, and where it lay is not known
		dirs = append(dirs, t.projects()...)
	}
	for _, dir := range dirs {
		if err := t.restore(dir); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("close the window of contract %d: %w", id, errors.Join(errs...))
	}
	err := unix.Removexattr(filepath.Join(t.root, contractsName), windowMark)
	if err != nil && err != unix.ENODATA {
		return fmt.Errorf("unmark the window of contract %d: %w", id, err)
	}
	return nil
}

// restore gives a directory's cgroup.procs to whom the directory belongs.
func (t *tree) restore(dir string) error {
	whose, err := t.owner(dir)
	if err != nil {
		return err
	}
	procs := filepath.Join(dir, procsName)
	now, err := t.owner(procs)
	if err != nil || now == whose {
		return err
	}
	return t.chown(procs, whose)
}

// shutAll closes the window that a dead supervisor has left open, if there is one.
func (t *tree) shutAll() error {
	var buf [16]byte
	n, err := unix.Getxattr(filepath.Join(t.root, contractsName), windowMark, buf[:])
	if err == unix.ENODATA {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for windows: %w", err)
	}
	id, ok := parseID(string(buf[:n]))
	if !ok {
		return fmt.Errorf("look for windows: the mark is %q", buf[:n])
	}
	return t.shut(id)
}

// commonAbove is the nearest directory below gN that is above both a caller's cgroup, as
// /proc/PID/cgroup names it, and the contract's. ok is false when it is above gN.
func (t *tree) commonAbove(cgroup string, p *place) (dir string, ok bool) {
	name, ok := t.within(cgroup)
	if !ok {
		return "", false
	}
	if firstOf(name) == p.above {
		return p.above, true
	}
	return ".", true
}

// plan decides how a birth goes: by clone where the caller is root of the zone in the zone's
// own cgroup namespace, or root on the host; by a move for everybody else.
func (t *tree) plan(p *place, c Caller, ns namespaces) (*window, Window, error) {
	cgroup, err := cgroupOf(c.Pid)
	if err != nil {
		return nil, Window{}, err
	}
	w := &window{place: p, caller: c, mode: Move}
	shown := Window{CT: p.CT, Mode: Move}
	above, inside := t.commonAbove(cgroup, p)
	switch {
	case len(t.twins(p)) > 0: // nobody is born in two hierarchies
	case c.UID == 0 && ns.caller == ns.host:
		w.mode, shown.Path = Clone, p.Born[len(t.root)-len(t.rel):]
	case c.UID == ns.root && inside && ns.caller != 0 && (ns.caller == ns.zone || ns.zone == 0 && ns.caller != ns.host):
		w.mode, w.above, w.chowns = Clone, above, true
		shown.Path = "/" + t.name(p) + "/" + bornName
	}
	shown.Mode = w.mode
	return w, shown, nil
}

// namespaces are inode numbers of cgroup namespaces, and the zone's root.
type namespaces struct {
	host, zone, caller uint64
	root               uint32
}

// OpenWindow opens a birth in the contract for the caller. ErrWindow: one is open. ErrUsed:
// the contract had members already.
func (z *Zone) OpenWindow(id contract.ID, c Caller) (Window, error) {
	p := z.tree.places[id]
	if p == nil || p.taken {
		return Window{}, fmt.Errorf("open contract %d for a birth: %w", id, ErrNone)
	}
	if z.window != nil {
		return Window{}, fmt.Errorf("open contract %d for a birth: %w", id, ErrWindow)
	}
	populated, _, err := cgroup2.Events(p.Path)
	if err == nil && (p.killed || populated || p.watch.populated) {
		err = ErrUsed
	}
	if err != nil {
		return Window{}, fmt.Errorf("open contract %d for a birth: %w", id, err)
	}
	ns := namespaces{host: z.hostNS, zone: z.c.CgroupNS, caller: namespace(c.Pid, "cgroup"), root: z.c.RootUID}
	w, shown, err := z.tree.plan(p, c, ns)
	if err == nil {
		w.opened = ticks()
		err = z.tree.open(w)
	}
	if err != nil {
		return Window{}, fmt.Errorf("open contract %d for a birth: %w", id, err)
	}
	z.window = w
	return shown, nil
}

// ticks is the time since boot in clock ticks, as start times of processes count.
func ticks() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return uint64(ts.Nano()) / (1e9 / userHZ)
}

// userHZ is what the kernel shows to programs, on every architecture that Go knows.
const userHZ = 100

// CloseWindow closes the window that is open, if one is. Processes that used it to come in
// from elsewhere are killed, and their number is told.
func (z *Zone) CloseWindow() (intruders int, err error) {
	w := z.window
	if w == nil {
		return 0, nil
	}
	if w.chowns {
		if err := z.tree.shut(w.place.CT); err != nil {
			return 0, err // it is still open, and the caller tries again
		}
	}
	z.window = nil
	if !w.chowns {
		return 0, nil
	}
	return z.evictIntruders(w), nil
}

// intrudersMax bounds how many processes are looked at when a window closes. Who brings more
// in is found by the collector.
const intrudersMax = 256

// evictIntruders kills who moved during a window: whoever lives in the directory above, where
// nobody does, and members that are older than the window. One that was born in the window's
// first clock tick is taken for a member: the collector alone knows better.
func (z *Zone) evictIntruders(w *window) int {
	z.tree.barrier()
	n := 0
	look := func(dir string, wrong func(table.Proc, status) bool) {
		pids, _ := ownProcs(filepath.Join(z.tree.root, dir, procsName), intrudersMax)
		for _, pid := range pids {
			n += z.evict(pid, filepath.Join(z.tree.rel, dir), wrong)
		}
	}
	look(w.above, func(_ table.Proc, s status) bool { return s.ruid >= z.c.RootUID })
	if n > 0 {
		z.hunt()
	}
	look(filepath.Join(z.tree.name(w.place), bornName), func(p table.Proc, _ status) bool { return p.Start < w.opened })
	return n
}

// barrier returns when every move and birth that was allowed before has been done: they are
// checked and done under one lock, which this takes for nothing.
func (t *tree) barrier() {
	n, err := unix.Openat(t.fd.Int(), contractsName+"/"+procsName, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(n, []byte("x"))
	unix.Close(n)
}

// ownProcs lists at most max processes of one directory, without those below.
func ownProcs(path string, max int) ([]int32, error) {
	n, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	fd := sys.Own(n)
	defer fd.Close()
	var pids []int32
	sc := bufio.NewScanner(reader(n))
	for len(pids) < max && sc.Scan() {
		if pid, err := strconv.ParseInt(sc.Text(), 10, 32); err == nil && pid > 0 {
			pids = append(pids, int32(pid))
		}
	}
	return pids, sc.Err()
}

// reader reads a descriptor that is never waited for.
type reader int

func (r reader) Read(b []byte) (n int, err error) {
	err = sys.Retry(func() (e error) { n, e = unix.Read(int(r), b); return })
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	return max(n, 0), err
}

// evict kills a process that is in a cgroup where it must not be, when wrong agrees once the
// process is held fast, and tells of it. It says how many that were.
func (z *Zone) evict(pid int32, cgroup string, wrong func(table.Proc, status) bool) int {
	p, fd, err := identify(pid)
	if err != nil {
		return 0
	}
	defer fd.Close()
	s, err := readStatus(pid)
	if err != nil || !wrong(p, s) {
		return 0
	}
	if at, err := cgroupOf(pid); err != nil || at != cgroup {
		return 0
	}
	if sys.PidfdSignal(fd.Int(), unix.SIGKILL) != nil {
		return 0
	}
	z.left(p)
	return 1
}
