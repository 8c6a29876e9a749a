package api

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/cgroup2"
)

// SupLeaf is the cgroup of keeper and supervisor below the zone's.
const SupLeaf = "sup"

// home makes and opens the cgroup that the zone's keeper and supervisor live in: who is born there
// need not be moved, which costs a grace period of the kernel's for each of them. It is nil where
// there is none to be had; the supervisor makes it then, and moves both.
func (s *Spawner) home(zone string) *os.File {
	dir := s.homeDir(zone)
	if dir == "" || cgroup2.Make(dir) != nil {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	return f
}

func (s *Spawner) homeDir(zone string) string {
	mount, err := cgroup2.Mount()
	if err != nil {
		return ""
	}
	return filepath.Join(mount, "zones"+s.Layout.Tag(), zone, SupLeaf)
}

// unmakeHome takes the empty directories away behind a supervisor that did not come. What another
// one lives in is not empty; one that is just to be born there is born elsewhere, and moves.
func (s *Spawner) unmakeHome(zone string) {
	dir := s.homeDir(zone)
	if dir == "" {
		return
	}
	for range 3 { // the instance's, the zone's, the leaf
		if unix.Rmdir(dir) != nil {
			return
		}
		dir = filepath.Dir(dir)
	}
}
