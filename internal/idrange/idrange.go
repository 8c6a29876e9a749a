package idrange

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"

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
	etc  string // where subuid, subgid, passwd and group are
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
	r := &Registry{dir: dir, etc: etc, boot: boot}
	d, err := r.open()
	if err != nil {
		return nil, err
	}
	return r, d.Close()
}

func (r *Registry) owner(name string) string { return r.boot + " " + name }

// Lease gives the first id of a range to name: the instance's directory (empty for the host's
// own instance), a space, and the zone. Who has a lease already gets the same.
func (r *Registry) Lease(name string) (base uint32, err error) {
	used, err := r.used()
	if err != nil {
		return 0, err
	}
	d, err := r.lock()
	if err != nil {
		return 0, err
	}
	defer d.Close()
	taken, err := r.leases(d)
	if err != nil {
		return 0, err
	}
	for base, holder := range taken {
		if holder == r.owner(name) {
			return base, nil
		}
	}
	base, ok := free(slot(name), taken, used)
	if !ok && r.reclaim(d, taken) > 0 {
		base, ok = free(slot(name), taken, used)
	}
	if !ok {
		return 0, fmt.Errorf("%w: all %d are leased or used by %s", ErrFull, Ranges, r.etc)
	}
	return base, d.link(base, r.owner(name))
}

// free is the first range from start on that nobody has.
func free(start uint32, taken map[uint32]string, used spans) (base uint32, ok bool) {
	for i := range uint32(Ranges) {
		base := First + (start+i)%Ranges*Count
		if _, leased := taken[base]; !leased && !used.overlaps(base) {
			return base, true
		}
	}
	return 0, false
}

// leases are the ranges leased now, with their owners. Those of another boot are removed.
// What is there under a range's number and is no lease is not touched, and nobody's to lease.
func (r *Registry) leases(d *directory) (map[uint32]string, error) {
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	taken := map[uint32]string{}
	for _, name := range names {
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil || n < First || (n-First)%Count != 0 || n >= First+Ranges*Count {
			continue
		}
		holder := d.holder(name)
		boot, _, _ := strings.Cut(holder, " ")
		if holder != "" && boot != r.boot {
			if err := d.unlink(name); err != nil {
				return nil, err
			}
			continue
		}
		taken[uint32(n)] = holder
	}
	return taken, nil
}

// Release gives back every range that name has.
func (r *Registry) Release(name string) error {
	d, err := r.lock()
	if err != nil {
		return err
	}
	defer d.Close()
	taken, err := r.leases(d)
	if err != nil {
		return err
	}
	for base, holder := range taken {
		if holder != r.owner(name) {
			continue
		}
		if err := d.unlink(strconv.FormatUint(uint64(base), 10)); err != nil {
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
