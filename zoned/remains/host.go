package remains

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
)

// Limits of what is looked through.
const (
	// itemsMax is how many remains of one zone are told; a host with more needs another look
	// behind the first.
	itemsMax = 4096
	// mountinfoMax bounds a table of mounts: some hundred bytes a mount.
	mountinfoMax = 64 << 20
)

// ErrMany: there is more than the limits of this package allow to look at.
var ErrMany = errors.New("there is more than can be looked at")

// Kind is what sort of thing was left.
type Kind int

// The kinds, in the order in which they are told and taken away: a lease last of all, so that
// its ids are given to nobody while something of theirs is there.
const (
	Mount Kind = iota
	Cgroup
	Device
	BPF
	Socket
	Process
	Descriptor
	File
	Lease
	kinds
)

// words are the kinds' names, one and many.
var words = [kinds][2]string{
	Mount: {"mount", "mounts"}, Cgroup: {"cgroup", "cgroups"}, Device: {"network device", "network devices"},
	BPF: {"BPF entry", "BPF entries"}, Socket: {"socket", "sockets"}, Process: {"process", "processes"},
	Descriptor: {"descriptor", "descriptors"}, File: {"file", "files"}, Lease: {"lease", "leases"},
}

// String is the kind's name.
func (k Kind) String() string { return words[k][0] }

// Item is one thing that is left.
type Item struct {
	Kind Kind
	Zone string // empty: the instance's
	ID   int    // the generation, 0 where it is not known
	Name string // what a person finds it by
	// Remove takes it away. Nil: it is not for this package to do so.
	Remove func() error
}

// String tells a person.
func (i Item) String() string {
	s := i.Kind.String() + " " + i.Name
	if i.ID != 0 {
		s += fmt.Sprintf(" of generation %d", i.ID)
	}
	return s
}

// Count says how many there are of each kind, in one line.
func Count(items []Item) string {
	var n [kinds]int
	for _, i := range items {
		n[i.Kind]++
	}
	parts := make([]string, kinds)
	for k := range kinds {
		word := words[k][1]
		if n[k] == 1 {
			word = words[k][0]
		}
		parts[k] = fmt.Sprintf("%d %s", n[k], word)
	}
	return strings.Join(parts, ", ") + " left"
}

// Host is an instance on a host.
type Host struct {
	lay   layout.Layout
	boot  string
	mount string   // of the unified hierarchy
	old   []string // of those of version 1

	// Found once.
	mounts  []string
	devices []device
	leases  string // directory of leases, tests have their own
	etc     string
}

// Open looks at the host as it is now. Whoever wants to know what has changed opens it again.
func Open(lay layout.Layout) (*Host, error) {
	h := &Host{lay: lay, leases: leaseDir, etc: "/etc"}
	var err error
	if h.boot, err = sys.BootID(); err != nil {
		return nil, err
	}
	if h.mount, err = cgroup2.Mount(); err != nil {
		return nil, err
	}
	if err := h.readMounts("/proc/self/mountinfo"); err != nil {
		return nil, err
	}
	h.devices, err = listDevices()
	return h, err
}

// Naming is an instance of which nothing is looked at: it gives marks.
func Naming(lay layout.Layout, boot string) *Host { return &Host{lay: lay, boot: boot} }

// roots are the mount points of all hierarchies of cgroups.
func (h *Host) roots() []string { return append([]string{h.mount}, h.old...) }

// readMounts takes the table of mounts: mount points of ours, and the old hierarchies.
func (h *Host) readMounts(path string) error {
	b, err := sys.ReadFile(path, mountinfoMax)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 7 {
			continue
		}
		at := unescape(f[4])
		h.mounts = append(h.mounts, at)
		for i := 6; i+1 < len(f); i++ {
			if f[i] == "-" && f[i+1] == "cgroup" && !seen[at] && f[3] == "/" {
				seen[at] = true
				h.old = append(h.old, at)
			}
		}
	}
	return nil
}

// unescape undoes what the kernel does to a space, tab, newline and backslash in a table.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1:i+4]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isOctal(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '7' }) < 0
}

// Scope says which part of a zone may be left, and what lives.
type Scope struct {
	Zone string
	// Kept: a keeper or supervisor has the zone. Its own files, sockets and cgroup are not left.
	Kept bool
	// Building: a generation may live, or begin to: files, lease and mounts may be its own, and
	// only what carries the mark of a generation that is not in the journal is left.
	Building bool
	// Forgotten: the zone has no configuration, so nothing of it is for the next boot.
	Forgotten bool
	// Cgroups are directories of generations, below the mount of the unified hierarchy, that are
	// known to be the zone's though they may carry no mark. Those of a dead zone's journal are
	// found by Find.
	Cgroups []string
}

// Find lists what is left of a zone, in the order in which it is to be taken away.
func (h *Host) Find(s Scope) ([]Item, error) {
	var all []Item
	var live map[int]bool
	if s.Dead() {
		s.Cgroups = append(slices.Clone(s.Cgroups), h.journaled(s.Zone)...)
	}
	marked, err := h.marked(s)
	if err != nil {
		return nil, err
	}
	if s.Building && len(marked) > 0 {
		if live, err = Living(h.lay.ZoneState(s.Zone), h.boot); err != nil {
			return nil, err
		}
		// A generation that was halted meanwhile took its things away before it left the journal.
		if marked, err = h.stillMarked(s, marked); err != nil {
			return nil, err
		}
	}
	for _, i := range marked {
		if !live[i.ID] {
			all = append(all, i)
		}
	}
	if !s.Building {
		for _, find := range []func(Scope) ([]Item, error){h.findMounts, h.findFiles, h.findLeases} {
			more, err := find(s)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
	}
	if len(all) > itemsMax {
		return nil, fmt.Errorf("what is left of zone '%s': %w", s.Zone, ErrMany)
	}
	sort.SliceStable(all, func(a, b int) bool { return all[a].Kind < all[b].Kind })
	return all, nil
}

// marked finds what carries a mark: cgroups, their processes, and network devices.
func (h *Host) marked(s Scope) ([]Item, error) {
	all, err := h.findCgroups(s)
	if err != nil {
		return nil, err
	}
	return append(all, h.findDevices(s.Zone)...), nil
}

// stillMarked gives those of what was found that are there now.
func (h *Host) stillMarked(s Scope, found []Item) ([]Item, error) {
	var err error
	if h.devices, err = listDevices(); err != nil {
		return nil, err
	}
	now, err := h.marked(s)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(i Item) bool {
		return !slices.ContainsFunc(now, func(n Item) bool { return n.Kind == i.Kind && n.ID == i.ID && n.Name == i.Name })
	}), nil
}

// Zones names every zone of which something may be left, configured or not. Who holds no
// marked thing and no file is not among them.
func (h *Host) Zones() ([]string, error) {
	found := map[string]bool{}
	for _, d := range h.devices {
		if h.ours(d.mark) {
			found[d.mark.Zone] = true
		}
	}
	for _, list := range []func(map[string]bool) error{h.zonesOfFiles, h.zonesOfLeases, h.zonesOfCgroups} {
		if err := list(found); err != nil {
			return nil, err
		}
	}
	names := make([]string, 0, len(found))
	for n := range found {
		names = append(names, n)
	}
	sort.Strings(names)
	return names, nil
}

// findMounts are mounts below the zone's run-time directory, deepest first. Those below its
// zonepath are the administrator's: the zone's own live in a mount namespace of its own.
func (h *Host) findMounts(s Scope) ([]Item, error) {
	var all []Item
	dir := h.lay.ZoneState(s.Zone)
	for i := len(h.mounts) - 1; i >= 0; i-- {
		at := h.mounts[i]
		if at != dir && !strings.HasPrefix(at, dir+"/") {
			continue
		}
		all = append(all, Item{Kind: Mount, Zone: s.Zone, Name: at, Remove: func() error { return unmount(at) }})
	}
	return all, nil
}

// readDir lists a directory of ours; one that is not there is empty.
func readDir(dir string) ([]os.DirEntry, error) {
	e, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return e, err
}

// rel is a path for people: below the instance's run-time directory.
func (h *Host) rel(path string) string {
	if r, err := filepath.Rel(h.lay.Run, path); err == nil {
		return r
	}
	return path
}
