package idrange

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// ErrInUse: a process has an id of the range, so that nobody else may be given it.
var ErrInUse = errors.New("a process still has a user or group id of the range")

// Held is a range and who has it.
type Held struct {
	Base  uint32
	Owner string // as Lease was given it
	Dead  bool   // it is of another boot of the host

	holder string
}

// Held lists the leases that there are, those of every instance, by their first ids. It takes
// nothing away and waits for nobody.
func (r *Registry) Held() ([]Held, error) {
	d, err := r.open()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	var all []Held
	for _, name := range names {
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil || n < First || (n-First)%Count != 0 || n >= First+Ranges*Count {
			continue
		}
		holder := d.holder(name)
		if boot, owner, ok := strings.Cut(holder, " "); ok {
			all = append(all, Held{Base: uint32(n), Owner: owner, Dead: boot != r.boot, holder: holder})
		}
	}
	sort.Slice(all, func(a, b int) bool { return all[a].Base < all[b].Base })
	return all, nil
}

// Reclaim takes a lease away from an owner who is known to be dead. ErrInUse: somebody lives
// with its ids. A lease that meanwhile is another's, or gone, is left alone.
func (r *Registry) Reclaim(l Held) error {
	d, err := r.lock()
	if err != nil {
		return err
	}
	defer d.Close()
	name := strconv.FormatUint(uint64(l.Base), 10)
	if d.holder(name) != l.holder {
		return nil
	}
	if l.Dead {
		return d.unlink(name)
	}
	used, err := rangesInUse()
	if err != nil {
		return err
	}
	if used[l.Base] {
		return fmt.Errorf("%w: %d to %d", ErrInUse, l.Base, uint64(l.Base)+Count-1)
	}
	return d.unlink(name)
}
