package quota

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// poolPrefix begins the name of a pool's twin.
const poolPrefix = "pool."

// Bind has the members of the contract in gN/dir run on these processors alone. Where the controller
// is an old hierarchy's they have to be moved into twin, which all contracts of the pool share.
func (h *Host) Bind(dir, pool, cpus string) (twin string, err error) {
	if twin, err = h.bind(dir, pool, cpus); err != nil {
		return "", fmt.Errorf("pool %s: %w", pool, err)
	}
	return twin, nil
}

func (h *Host) bind(dir, pool, cpus string) (twin string, err error) {
	unified := h.unified(cpuset)
	var at, effective string
	switch {
	case unified:
		at, effective = filepath.Join(h.mount, h.rel, dir), "cpuset.cpus.effective"
		if err := h.enable(cpuset, filepath.Join(h.rel, filepath.Dir(dir))); err != nil {
			return "", err
		}
	case h.old[cpuset] == "":
		return "", fmt.Errorf("%w: %s", ErrController, cpuset)
	default:
		if at, err = h.makeOld(cpuset, poolPrefix+pool); err != nil {
			return "", err
		}
		twin, effective = at, "cpuset.effective_cpus"
	}
	file := filepath.Join(at, "cpuset.cpus")
	if err := write(file, cpus); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EOVERFLOW) {
		return "", fmt.Errorf("%w: %s", ErrProcessors, cpus)
	} else if err != nil {
		return "", &os.PathError{Op: "write " + cpus + " to", Path: file, Err: err}
	}
	// Of processors that all are away the kernel makes all that are above.
	has, err := words(filepath.Join(at, effective))
	if err != nil {
		return "", err
	}
	if !contains(cpus, strings.Join(has, ",")) {
		return "", fmt.Errorf("%w: %s", ErrProcessors, cpus)
	}
	return twin, nil
}

// PoolTwin is the directory of an old hierarchy into which the members of a pool are moved; empty:
// there is none.
func (h *Host) PoolTwin(pool string) string {
	if h.old[cpuset] == "" || h.unified(cpuset) {
		return ""
	}
	dir := h.oldDir(cpuset, poolPrefix+pool)
	if _, err := os.Lstat(dir); err != nil {
		return ""
	}
	return dir
}

// DropPool removes the twin of a pool that no contract is in any more.
func (h *Host) DropPool(pool string) { h.Drop(poolPrefix + pool) }

// contains says whether all processors of the list some are in the list all, and there are such.
func contains(all, some string) bool {
	in := set(all)
	is := set(some)
	for n := range is {
		if !in[n] {
			return false
		}
	}
	return len(is) > 0
}

// processorsMax is the most processors that a list is looked through for.
const processorsMax = 1 << 16

// set is the numbers of a list as the kernel writes it: numbers and ranges with commas between them.
func set(list string) map[int]bool {
	in := map[int]bool{}
	for word := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(word, "-")
		from, err := strconv.Atoi(first)
		to := from
		if isRange && err == nil {
			to, err = strconv.Atoi(last)
		}
		if err != nil || from < 0 || to >= processorsMax {
			continue
		}
		for n := from; n <= to; n++ {
			in[n] = true
		}
	}
	return in
}
