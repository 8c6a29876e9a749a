package remains

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
)

// bases are the directories, below a hierarchy's mount, that may be a zone's: its own tree, and
// scopes of systemd's that were its keeper's.
func (h *Host) bases(root, zone string) []string {
	found := []string{filepath.Join(root, "zones"+h.lay.Tag(), zone)}
	entries, _ := readDir(filepath.Join(root, "zones.slice"))
	for _, e := range entries {
		if h.scopeZone(e.Name()) == zone {
			found = append(found, filepath.Join(root, "zones.slice", e.Name()))
		}
	}
	return found
}

// scopeZone is the zone of a scope zone-NAME.TAG-XXXXXXXX.scope, empty for what is none.
func (h *Host) scopeZone(name string) string {
	name, scope := strings.CutSuffix(name, ".scope")
	name, ours := strings.CutPrefix(name, "zone-")
	i := strings.LastIndexByte(name, '-')
	if !scope || !ours || i < 0 {
		return ""
	}
	zone, ok := strings.CutSuffix(name[:i], h.lay.Tag())
	if !ok || configs.CheckName(zone) != nil {
		return ""
	}
	return zone
}

// findCgroups are the zone's generations of which a directory is there, with the processes in
// it, and, where nobody keeps the zone, the directory around them.
func (h *Host) findCgroups(s Scope) ([]Item, error) {
	var all []Item
	for _, root := range h.roots() {
		for _, base := range h.bases(root, s.Zone) {
			here, err := h.generations(s, base)
			if err != nil {
				return nil, err
			}
			all = append(all, here...)
			if !s.Kept && !s.Building {
				all = append(all, h.around(s, base)...)
			}
		}
	}
	return all, nil
}

// generations are the directories of generations in one of a zone's: the marked, and those that
// are known by other ways.
func (h *Host) generations(s Scope, base string) ([]Item, error) {
	zone := s.Zone
	entries, err := readDir(base)
	if err != nil {
		return nil, err
	}
	var all []Item
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "g")
		id, err := strconv.Atoi(digits)
		if !ok || err != nil || !e.IsDir() {
			continue
		}
		dir, mark := filepath.Join(base, e.Name()), h.Mark(zone, id)
		remove := func() error { return removeCgroup(dir, mark) }
		if known := slices.Contains(s.Cgroups, strings.TrimPrefix(dir, h.mount)) && unmarked(dir); known {
			remove = func() error { return removeKnown(dir) }
		} else if !marked(dir, mark) {
			continue
		}
		all = append(all, Item{Kind: Cgroup, Zone: zone, ID: id, Name: dir, Remove: remove})
		all = append(all, members(zone, id, dir)...)
	}
	return all, nil
}

// namedMax is how many processes of a cgroup are named.
const namedMax = 16

func members(zone string, id int, dir string) []Item {
	var all []Item
	_, _ = cgroup2.Each(dir, 0, func(pid int) bool {
		comm, _ := sys.ReadFile("/proc/"+strconv.Itoa(pid)+"/comm", 64)
		name := fmt.Sprintf("%d (%s)", pid, strings.TrimSpace(string(comm)))
		all = append(all, Item{Kind: Process, Zone: zone, ID: id, Name: name})
		return len(all) < namedMax
	})
	return all
}

// around is the zone's own directory with the one of its dead keeper. What is in it beside them
// and is not marked is not ours, and keeps it. Who starts a keeper makes both, and they are marked
// once it runs: empty ones without a mark are of a start that was killed.
func (h *Host) around(s Scope, base string) []Item {
	zone := s.Zone
	mark, sup := h.Mark(zone, 0), filepath.Join(base, "sup")
	unborn := func() bool {
		populated, err := cgroup2.Populated(sup)
		return strings.HasPrefix(base, h.mount+"/") && unmarked(base) && err == nil && !populated
	}
	if !marked(base, mark) && !unborn() || filepath.Ext(base) == ".scope" || h.shared(s, base) {
		return nil
	}
	all := []Item{{Kind: Cgroup, Zone: zone, Name: base, Remove: func() error {
		if marked(base, mark) {
			if err := emptyCgroup(sup); err != nil {
				return err
			}
		} else if !unborn() {
			return errReplaced
		}
		for _, dir := range []string{sup, base} {
			if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
				return &os.PathError{Op: "remove cgroup", Path: dir, Err: err}
			}
		}
		_ = unix.Rmdir(filepath.Dir(base)) // unless other zones live there
		return nil
	}}}
	return append(all, members(zone, 0, sup)...)
}

// shared says whether somebody else has something in a zone's directory: then it stays.
func (h *Host) shared(s Scope, base string) bool {
	here, err := h.generations(s, base)
	if err != nil {
		return true
	}
	ours := map[string]bool{filepath.Join(base, "sup"): true}
	for _, i := range here {
		ours[i.Name] = true
	}
	entries, err := readDir(base)
	if err != nil {
		return true
	}
	for _, e := range entries {
		if e.IsDir() && !ours[filepath.Join(base, e.Name())] {
			return true
		}
	}
	return false
}

// Settle waits a moment for the last supervisor's process to end: it lets go of its lock first.
func Settle(lay layout.Layout, zone string) {
	mount, err := cgroup2.Mount()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	for _, base := range Naming(lay, "").bases(mount, zone) {
		_ = cgroup2.AwaitEmpty(ctx, filepath.Join(base, "sup")) // who stays is told
	}
}

// settleLimit is how long that may take: milliseconds, on a host that swaps more.
const settleLimit = 2 * time.Second

// marked says whether a directory carries this very mark.
func marked(dir string, want Mark) bool {
	fd, err := sys.OpenDir(dir)
	if err != nil {
		return false
	}
	defer fd.Close()
	m, ok := readMark(fd.Int())
	return ok && m == want
}

// unmarked says whether a directory carries no mark at all, not even another's.
func unmarked(dir string) bool {
	_, err := unix.Lgetxattr(dir, markAttr, nil)
	return err == unix.ENODATA || err == unix.ENOTSUP
}

// removeKnown is removeCgroup for one that is known by other ways.
func removeKnown(dir string) error {
	if !unmarked(dir) {
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return errReplaced
	}
	if err := emptyCgroup(dir); err != nil {
		return err
	}
	return cgroup2.Remove(dir)
}

// emptyLimit is how long killed processes may take to go.
const emptyLimit = 10 * time.Second

// removeCgroup kills who is left in a directory of a dead generation and removes it.
func removeCgroup(dir string, mark Mark) error {
	if !marked(dir, mark) {
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return errReplaced
	}
	if err := emptyCgroup(dir); err != nil {
		return err
	}
	return cgroup2.Remove(dir)
}

// emptyCgroup kills who lives in a directory and waits until they are gone. The old hierarchies
// know no kill; who lives there lives in the other one too, and has been killed there.
func emptyCgroup(dir string) error {
	populated, err := cgroup2.Populated(dir)
	if err != nil || !populated {
		return err
	}
	if err := cgroup2.Kill(dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), emptyLimit)
	defer cancel()
	return cgroup2.AwaitEmpty(ctx, dir)
}

// zonesOfCgroups adds the zones whose directories carry our mark.
func (h *Host) zonesOfCgroups(found map[string]bool) error {
	for _, root := range h.roots() {
		for _, parent := range []string{"zones" + h.lay.Tag(), "zones.slice"} {
			entries, err := readDir(filepath.Join(root, parent))
			if err != nil {
				return err
			}
			for _, e := range entries {
				zone := e.Name()
				if parent == "zones.slice" {
					zone = h.scopeZone(zone)
				}
				if e.IsDir() && configs.CheckName(zone) == nil {
					found[zone] = true
				}
			}
		}
	}
	return nil
}
