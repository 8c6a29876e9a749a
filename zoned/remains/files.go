package remains

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/sys"
)

// rule says when a file of a zone's run-time directory is left.
type rule int

const (
	ofGeneration rule = iota // whenever the zone is halted
	ofKeeper                 // when neither keeper nor supervisor has the zone
	ofJournal                // as those of the keeper, unless it has nothing to say but results
	ofZone                   // when the zone has no configuration
)

// known are the names in a zone's run-time directory. What has none of them is not ours.
var known = map[string]rule{
	"snapshot.xml": ofGeneration, "plan.json": ofGeneration, "oci": ofGeneration,
	"door": ofKeeper, "console": ofKeeper, "zsched.pid": ofKeeper, "zoned.pid": ofKeeper,
	"journal": ofJournal,
	"op.lock": ofZone, "console.ring": ofZone, "zsched.log": ofZone, "zsched.log.0": ofZone, "build": ofZone,
	// Of the host's own contracts (contract/global), whose zone is never forgotten.
	"generation": ofZone, "contractd.pid": ofKeeper,
}

// temporary says whether a name is of a file that was being written. There is one writer of
// each, who lives no longer than the supervisor or the keeper.
func temporary(name string) bool {
	whole, tmp := strings.CutSuffix(name, ".tmp")
	if _, ok := known[whole]; tmp && ok {
		return true
	}
	return strings.HasPrefix(name, ".tmp-") && strings.HasSuffix(name, "~")
}

// left says whether a file is left.
func (s Scope) left(name string) bool {
	r, ok := known[name]
	if !ok {
		return temporary(name) && !s.Kept
	}
	switch {
	case r == ofGeneration:
		return true
	case r == ofKeeper:
		return !s.Kept
	case r == ofJournal:
		return !s.Kept
	}
	return s.Forgotten && !s.Kept
}

// Dead: nobody keeps the zone and nothing of it lives: steps that its journal speaks of are
// what is being taken away.
func (s Scope) Dead() bool { return !s.Kept && !s.Building }

// findFiles are the files of the zone below the run-time directory, and its status.
func (h *Host) findFiles(s Scope) ([]Item, error) {
	var all []Item
	dir := h.lay.ZoneState(s.Zone)
	entries, err := readOwnDir(dir)
	if err != nil {
		return nil, err
	}
	foreign := false
	for _, e := range entries {
		if !s.left(e.Name()) {
			_, ours := known[e.Name()]
			foreign = foreign || !ours && !temporary(e.Name())
			continue
		}
		path, kind := filepath.Join(dir, e.Name()), File
		if e.Type()&os.ModeSocket != 0 {
			kind = Socket
		}
		if e.Name() == "journal" && !h.eventful(dir) && !s.Forgotten {
			continue
		}
		remove := func() error { return removeFile(path) }
		if e.Name() == "oci" {
			remove = func() error { return os.RemoveAll(path) }
		}
		all = append(all, Item{Kind: kind, Zone: s.Zone, Name: h.rel(path), Remove: remove})
	}
	if s.Forgotten && s.Dead() && !foreign && s.Zone != configs.GlobalName {
		if st, err := os.Lstat(dir); err == nil && st.IsDir() {
			all = append(all, Item{Kind: File, Zone: s.Zone, Name: h.rel(dir), Remove: func() error { return removeOwnDir(dir) }})
		}
	}
	if s.Dead() {
		status := h.lay.StatusFile(s.Zone)
		for _, path := range []string{status, status + ".tmp"} {
			if _, err := os.Lstat(path); err == nil {
				all = append(all, Item{Kind: File, Zone: s.Zone, Name: h.rel(path), Remove: func() error { return removeFile(path) }})
			}
		}
	}
	return all, nil
}

// readOwnDir lists a zone's run-time directory. A link in its place is nobody's.
func readOwnDir(dir string) ([]os.DirEntry, error) {
	if st, err := os.Lstat(dir); err != nil || !st.IsDir() {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	return os.ReadDir(dir)
}

// eventful says whether the journal is of another boot, or speaks of steps that were not
// undone. One that speaks of results alone is for callers that come back.
func (h *Host) eventful(dir string) bool {
	l, err := readLedger(dir)
	return err != nil || l.boot != h.boot || l.steps > 0 || l.open
}

// removeFile unlinks a file, or removes an empty directory.
func removeFile(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// removeOwnDir removes a zone's run-time directory that holds nothing any more but the locks by
// which the caller keeps others out.
func removeOwnDir(dir string) error {
	for name, r := range known {
		if r == ofKeeper && strings.HasSuffix(name, ".pid") {
			if err := removeFile(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return removeFile(dir)
}

func unmount(at string) error {
	if err := unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return &sys.Error{Op: "unmount", What: at, Errno: err}
	}
	return nil
}

// zonesOfFiles adds the zones that have a run-time directory or a status.
func (h *Host) zonesOfFiles(found map[string]bool) error {
	states, err := readDir(h.lay.State())
	if err != nil {
		return err
	}
	for _, e := range states {
		if e.IsDir() && configs.CheckName(e.Name()) == nil {
			found[e.Name()] = true
		}
	}
	statuses, err := readDir(h.lay.Status())
	if err != nil {
		return err
	}
	for _, e := range statuses {
		name, ok := strings.CutSuffix(strings.TrimSuffix(e.Name(), ".tmp"), ".json")
		if ok && configs.CheckName(name) == nil {
			found[name] = true
		}
	}
	return nil
}
