package idrange

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Count is the number of ids of a range.
const Count = 65536

// The ranges there are: [First, First+Ranges*Count). They lie in the part that systemd
// leaves to containers (UIDS-GIDS), above what useradd hands out as subordinate ids by
// default, and below 2^31, which some programs take for a sign.
const (
	First  = 0x50000000
	Ranges = 4096
)

// Dir is where the leases of this host are.
const Dir = "/run/zones-ids"

// ErrFull: every range is leased or used by somebody else.
var ErrFull = errors.New("no range of ids is free")

// Registry leases from the directory it was opened with.
type Registry struct {
	dir  string
	etc  string // where subuid, subgid and passwd are
	boot string
}

// Open opens the host's registry.
func Open() (*Registry, error) { return OpenAt(Dir, "/etc") }

// OpenAt opens a registry in dir, with the host's own users in etc.
func OpenAt(dir, etc string) (*Registry, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("registry of id ranges: %w", err)
	}
	boot, err := sys.BootID()
	if err != nil {
		return nil, err
	}
	return &Registry{dir: dir, etc: etc, boot: boot}, nil
}

func (r *Registry) owner(name string) string { return r.boot + " " + name }

// Lease gives the first id of a range to name, which should say instance and zone. Who has a
// lease already gets the same.
func (r *Registry) Lease(name string) (base uint32, err error) {
	used, err := r.used()
	if err != nil {
		return 0, err
	}
	start := slot(name)
	for i := uint32(0); i < Ranges; i++ {
		n := (start + i) % Ranges
		base := First + n*Count
		if used.overlaps(base) {
			continue
		}
		link := filepath.Join(r.dir, strconv.FormatUint(uint64(base), 10))
		for {
			err := os.Symlink(r.owner(name), link)
			if err == nil {
				return base, nil
			}
			if !errors.Is(err, fs.ErrExist) {
				return 0, fmt.Errorf("lease ids: %w", err)
			}
			holder, err := os.Readlink(link)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return 0, err
			}
			if holder == r.owner(name) {
				return base, nil
			}
			boot, _, _ := strings.Cut(holder, " ")
			if boot == r.boot {
				break
			}
			// Of an earlier boot. Two that find it race for the new link, not for the old.
			if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return 0, err
			}
		}
	}
	return 0, fmt.Errorf("%w: %d are leased or used by %s", ErrFull, Ranges, r.etc)
}

// Release gives back every range that name has.
func (r *Registry) Release(name string) error {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		link := filepath.Join(r.dir, e.Name())
		if holder, err := os.Readlink(link); err != nil || holder != r.owner(name) {
			continue
		}
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// slot is where the search for a range of name begins, so that it usually is the one of the
// last boot.
func slot(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return h.Sum32() % Ranges
}

// spans are ids that the host uses itself.
type spans [][2]uint64 // first, one behind the last

func (s spans) overlaps(base uint32) bool {
	for _, x := range s {
		if uint64(base) < x[1] && x[0] < uint64(base)+Count {
			return true
		}
	}
	return false
}

func (r *Registry) used() (spans, error) {
	var all spans
	for _, f := range []struct {
		name         string
		first, count int // fields; count -1: one id
	}{{"subuid", 1, 2}, {"subgid", 1, 2}, {"passwd", 2, -1}, {"group", 2, -1}} {
		s, err := readSpans(filepath.Join(r.etc, f.name), f.first, f.count)
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
	return all, nil
}

func readSpans(path string, first, count int) (spans, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out spans
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		fields := strings.Split(sc.Text(), ":")
		if len(fields) <= max(first, count) {
			continue
		}
		a, err := strconv.ParseUint(fields[first], 10, 32)
		if err != nil {
			continue
		}
		n := uint64(1)
		if count >= 0 {
			if n, err = strconv.ParseUint(fields[count], 10, 32); err != nil {
				continue
			}
		}
		out = append(out, [2]uint64{a, a + n})
	}
	return out, sc.Err()
}
