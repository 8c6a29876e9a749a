package testenv

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
)

// lockName is a file in the private directory that its process keeps locked, so that a later
// run knows the directory of a process that was killed, by a time limit for example.
const lockName = ".lock"

// keepLocked takes the lock of a private directory for the life of this process. The file has its
// name when it is locked: one that is not is a dead run's, and whoever starts just then sweeps it.
func keepLocked(dir string) (fd int, err error) {
	making := filepath.Join(dir, lockName+".new")
	fd, err = unix.Open(making, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fd, err
	}
	return fd, os.Rename(making, filepath.Join(dir, lockName))
}

// sweepStale removes what killed test runs have left below base: their zones' processes,
// cgroups and mounts, and then their directories. A directory without a lock file is one
// that is being made, or not ours.
func sweepStale(base string) {
	dirs, _ := filepath.Glob(filepath.Join(base, dirPrefix+"*"))
	for _, dir := range dirs {
		fd, err := unix.Open(filepath.Join(dir, lockName), unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			sweepRun(dir)
		}
		unix.Close(fd)
	}
}

// sweepRun removes all of one dead run. What resists is left for the next one.
func sweepRun(dir string) {
	tags := []string{layout.At(dir).Tag()}
	instances, _ := filepath.Glob(filepath.Join(dir, "z*"))
	for _, i := range instances {
		tags = append(tags, layout.At(i).Tag())
	}
	// Supervisors restart what they lose, so once is not enough.
	for range 3 {
		for _, p := range processesOf(dir, []string{dir, filepath.Base(dir)}, tags) {
			p.kill()
		}
	}
	for _, cgroup := range taggedCgroups(tags) {
		_ = removeCgroup(cgroup)
	}
	if removeTree(dir) != nil {
		// It keeps its lock file, which RemoveAll may have taken first.
		_ = os.WriteFile(filepath.Join(dir, lockName), nil, 0o600)
	}
}
