package quota

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// setting is one file of one controller, and what is to be in it. Unbounded says that it is what the
// file has in a new directory: it is written only where the file is there for another bound's sake.
type setting struct {
	controller, file, text string
	unbounded              bool
}

// periodUsec is in what time processor time is counted, the kernel's own default.
const periodUsec = 100_000

// settings are a project's bounds as files. old: of version 1.
func settings(p *contract.Project, controller string, old bool) []setting {
	one := func(file string, bound bool, text, otherwise string) setting {
		if !bound {
			text = otherwise
		}
		return setting{controller, file, text, !bound}
	}
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	quota := number(p.Percent * (periodUsec / 100))
	switch {
	case controller == pids:
		return []setting{one("pids.max", p.Processes != 0, number(p.Processes), "max")}
	case controller == memory && old:
		return []setting{one("memory.limit_in_bytes", p.Memory != 0, number(p.Memory), "-1")}
	case controller == memory:
		return []setting{one("memory.max", p.Memory != 0, number(p.Memory), "max")}
	case controller == cpu && old:
		// 100 of cpu.weight are 1,024 of cpu.shares, whose bounds are wider on both sides.
		return []setting{
			one("cpu.shares", p.Weight != 0, number(max(2, uint64(p.Weight)*1024/100)), "1024"),
			one("cpu.cfs_quota_us", p.Percent != 0, quota, "-1"),
		}
	case controller == cpu:
		period := " " + strconv.Itoa(periodUsec)
		return []setting{
			one("cpu.weight", p.Weight != 0, number(uint64(p.Weight)), "100"),
			one("cpu.max", p.Percent != 0, quota+period, "max"+period),
		}
	}
	return nil
}

// Hold has the kernel hold a project's bounds in the directory gN/name, which is there in the unified
// hierarchy. Those that the project does not have are taken away.
func (h *Host) Hold(name string, p *contract.Project) error {
	var undo []func() error
	for _, controller := range []string{pids, memory, cpu} {
		restore, err := h.hold(controller, name, p)
		undo = append(undo, restore)
		if err == nil {
			continue
		}
		for i := len(undo) - 1; i >= 0; i-- {
			err = errors.Join(err, undo[i]())
		}
		return fmt.Errorf("project %d (%s): %w", p.ID, p.Name, err)
	}
	return nil
}

// hold is Hold for one controller. restore takes back what it has written.
func (h *Host) hold(controller, name string, p *contract.Project) (restore func() error, err error) {
	var written []was
	restore = func() error { return putBack(written) }
	unified := h.unified(controller)
	list := settings(p, controller, !unified)
	dir, err := h.place(controller, name, unified, bounds(list))
	if err != nil || dir == "" {
		return restore, err
	}
	for _, s := range list {
		path := filepath.Join(dir, s.file)
		before, err := words(path)
		if errors.Is(err, unix.ENOENT) && s.unbounded {
			continue // it is not enabled, or this kernel was built without
		}
		if errors.Is(err, unix.ENOENT) {
			return restore, fmt.Errorf("%w: there is no %s", ErrController, path)
		}
		text := strings.Join(before, " ")
		if err != nil || text == s.text {
			continue
		}
		if err := write(path, s.text); err != nil {
			return restore, writeError(path, s.text, err)
		}
		written = append(written, was{path, text})
	}
	return restore, nil
}

// bounds says whether there is a bound among settings.
func bounds(list []setting) bool {
	for _, s := range list {
		if !s.unbounded {
			return true
		}
	}
	return false
}

// place is the directory in which a controller's settings are made; empty: nothing need be said there.
func (h *Host) place(controller, name string, unified, needed bool) (string, error) {
	switch {
	case unified && needed:
		if err := h.enable(controller, h.rel); err != nil {
			return "", err
		}
		return filepath.Join(h.mount, h.rel, name), nil
	case unified:
		return filepath.Join(h.mount, h.rel, name), nil
	case h.old[controller] == "" && needed:
		return "", fmt.Errorf("%w: %s", ErrController, controller)
	case h.old[controller] == "":
		return "", nil
	case needed:
		return h.makeOld(controller, name)
	}
	if _, err := os.Lstat(h.oldDir(controller, name)); err != nil {
		return "", nil
	}
	return h.oldDir(controller, name), nil
}

// was is what stood in a file.
type was struct{ path, text string }

func putBack(written []was) error {
	var errs []error
	for i := len(written) - 1; i >= 0; i-- {
		if err := write(written[i].path, written[i].text); err != nil {
			errs = append(errs, writeError(written[i].path, written[i].text, err))
		}
	}
	return errors.Join(errs...)
}

// writeError says why a file did not take a text.
func writeError(path, text string, err error) error {
	if errors.Is(err, unix.EBUSY) && strings.HasPrefix(filepath.Base(path), "memory.") {
		return fmt.Errorf("%w: %s does not take %s", ErrInUse, path, text)
	}
	return &os.PathError{Op: "write " + text + " to", Path: path, Err: err}
}

// Twins are the directories of old hierarchies into which who comes into gN/name is to be moved.
func (h *Host) Twins(name string) (dirs []string) {
	for _, controller := range []string{pids, memory, cpu} {
		if h.old[controller] == "" || h.unified(controller) {
			continue
		}
		dir := h.oldDir(controller, name)
		if _, err := os.Lstat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// Drop removes the twins of a directory that is gone, and what is empty above them. Who still dies in
// one keeps it until Forget.
func (h *Host) Drop(name string) {
	for _, mount := range h.old {
		h.dropIn(mount, filepath.Join(h.rel, name))
	}
}

// dropIn removes a directory below a mount and those above it, as far as they are empty.
func (h *Host) dropIn(mount, rel string) {
	for ; rel != "/" && rel != "."; rel = filepath.Dir(rel) {
		if err := unix.Rmdir(filepath.Join(mount, rel)); err != nil && err != unix.ENOENT {
			return
		}
	}
}
