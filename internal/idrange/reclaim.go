package idrange

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// reclaim takes away leases whose instance is gone for good and says how many. It is made
// only when ranges have run out: it looks at every process.
func (r *Registry) reclaim(d *directory, taken map[uint32]string) (n int) {
	var alive map[uint32]bool
	for base, holder := range taken {
		if !instanceGone(strings.TrimPrefix(holder, r.boot+" ")) {
			continue
		}
		if alive == nil {
			var err error
			if alive, err = rangesInUse(); err != nil {
				return n
			}
		}
		if alive[base] || d.unlink(strconv.FormatUint(uint64(base), 10)) != nil {
			continue
		}
		delete(taken, base)
		n++
	}
	return n
}

// instanceGone says whether an owner's directory was removed. The host's own instance has
// none, and what was not written by Lease is not judged.
func instanceGone(name string) bool {
	i := strings.LastIndexByte(name, ' ')
	if i <= 0 || !filepath.IsAbs(name[:i]) {
		return false
	}
	_, err := os.Lstat(name[:i])
	return errors.Is(err, fs.ErrNotExist)
}

// rangesInUse are the ranges of which some process has a user or group id.
func rangesInUse() (map[uint32]bool, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	used := map[uint32]bool{}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/status")
		if err != nil {
			continue // it has ended
		}
		if ended(string(b)) {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && (f[0] == "Uid:" || f[0] == "Gid:" || f[0] == "Groups:") {
				noteRanges(used, f[1:])
			}
		}
	}
	return used, nil
}

// ended says whether a process's status is that of one that only waits to be reaped: nothing is
// done with its ids any more.
func ended(status string) bool {
	return strings.Contains(status, "\nState:\tZ") || strings.Contains(status, "\nState:\tX")
}

func noteRanges(used map[uint32]bool, ids []string) {
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err == nil && n >= First && n < First+Ranges*Count {
			used[uint32(n-(n-First)%Count)] = true
		}
	}
}
