package quota

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Forget removes what the zone has in old hierarchies, when its processes are gone: the directories
// of its projects and pools, and what is empty above them.
func (h *Host) Forget() error {
	var errs []error
	seen := map[string]bool{}
	for _, mount := range h.old {
		if seen[mount] {
			continue
		}
		seen[mount] = true
		dir := filepath.Join(mount, h.rel)
		entries, err := os.ReadDir(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, e := range entries {
			if !e.IsDir() || !strings.HasPrefix(e.Name(), "p") {
				continue
			}
			sub := filepath.Join(dir, e.Name())
			if err := unix.Rmdir(sub); err != nil && err != unix.ENOENT {
				errs = append(errs, &os.PathError{Op: "remove cgroup", Path: sub, Err: err})
			}
		}
		h.dropIn(mount, h.rel)
	}
	return errors.Join(errs...)
}
