package quota

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
)

// The controllers that bounds need.
const (
	cpu    = "cpu"
	cpuset = "cpuset"
	memory = "memory"
	pids   = "pids"
)

// mountinfoBytesMax bounds the table of mounts, as package remains does.
const mountinfoBytesMax = 64 << 20

// markName is the attribute by which a cgroup is known as a zone's: package remains writes it.
const markName = "trusted.zones"

// Host is where a host has its controllers, and a zone its directory below each.
type Host struct {
	mount string            // of the unified hierarchy
	rel   string            // gN below every mount
	old   map[string]string // mount points by controller
}

// Look finds the controllers. mount is the unified hierarchy's and root the zone's directory there.
func Look(mount, root string) (*Host, error) {
	rel, below := strings.CutPrefix(root, mount)
	if !below || !strings.HasPrefix(rel, "/") || rel == "/" || filepath.Clean(rel) != rel {
		return nil, fmt.Errorf("look for controllers: %s is not below %s", root, mount)
	}
	text, err := sys.ReadFile("/proc/self/mountinfo", mountinfoBytesMax)
	if err != nil {
		return nil, fmt.Errorf("look for controllers: %w", err)
	}
	return &Host{mount: mount, rel: rel, old: oldMounts(string(text))}, nil
}

// oldMounts are the hierarchies of version 1, by controller, of which the host's root is seen.
func oldMounts(text string) map[string]string {
	old := map[string]string{}
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(line, " - ")
		f, t := strings.Fields(head), strings.Fields(tail)
		if !ok || len(f) < 6 || len(t) < 3 || t[0] != "cgroup" || f[3] != "/" || strings.Contains(f[4], `\`) {
			continue
		}
		for option := range strings.SplitSeq(t[2], ",") {
			if slices.Contains([]string{cpu, cpuset, memory, pids}, option) && old[option] == "" {
				old[option] = f[4]
			}
		}
	}
	return old
}

// words reads a file of a cgroup as its words.
func words(path string) ([]string, error) {
	b, err := sys.ReadFile(path, fileBytesMax)
	return strings.Fields(string(b)), err
}

// fileBytesMax is far beyond what the files have that are read here: a few words, and the list of a
// machine's processors.
const fileBytesMax = 64 << 10

// unified says whether the unified hierarchy has a controller.
func (h *Host) unified(controller string) bool {
	has, err := words(filepath.Join(h.mount, "cgroup.controllers"))
	return err == nil && slices.Contains(has, controller)
}

// enable has a controller be there in the children of dir, a path below the mount, and of all above.
func (h *Host) enable(controller, dir string) error {
	at := h.mount
	for _, name := range append([]string{""}, strings.Split(strings.Trim(dir, "/"), "/")...) {
		at = filepath.Join(at, name)
		if err := enableIn(at, controller); err != nil {
			return fmt.Errorf("%w: %s cannot be used in %s: %w", ErrController, controller, at, err)
		}
	}
	return nil
}

func enableIn(dir, controller string) error {
	on, err := words(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil || slices.Contains(on, controller) {
		return err
	}
	has, err := words(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	if !slices.Contains(has, controller) {
		return errors.New("it is not among cgroup.controllers")
	}
	return write(filepath.Join(dir, "cgroup.subtree_control"), "+"+controller)
}

// write writes a file of a cgroup, which takes all or nothing.
func write(path, text string) error {
	n, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(n)
	return sys.Retry(func() error { _, e := unix.Write(n, []byte(text)); return e })
}

// oldDir is where a directory has its twin.
func (h *Host) oldDir(controller, name string) string {
	return filepath.Join(h.old[controller], h.rel, name)
}

// makeOld makes a twin with what is missing above it. A cpuset's directory is of no use before it has
// processors and memory, which are those of the one above.
func (h *Host) makeOld(controller, name string) (string, error) {
	dir := h.oldDir(controller, name)
	if err := cgroup2.Make(dir); err != nil {
		return "", err
	}
	at, twin := h.old[controller], h.mount
	for _, part := range strings.Split(strings.Trim(h.rel+"/"+name, "/"), "/") {
		above := at
		at, twin = filepath.Join(at, part), filepath.Join(twin, part)
		copyMark(twin, at)
		if controller != cpuset {
			continue
		}
		for _, file := range []string{"cpuset.mems", "cpuset.cpus"} {
			if has, err := words(filepath.Join(at, file)); err != nil || len(has) > 0 {
				continue
			}
			from, err := words(filepath.Join(above, file))
			if err != nil || len(from) == 0 {
				return "", fmt.Errorf("%w: %s has no %s", ErrController, above, file)
			}
			if err := write(filepath.Join(at, file), from[0]); err != nil {
				return "", &os.PathError{Op: "write", Path: filepath.Join(at, file), Err: err}
			}
		}
	}
	return dir, nil
}

// copyMark has a twin carry the zone's mark. Without one it is found by nobody but Forget.
func copyMark(from, to string) {
	var buf [255]byte
	if n, err := unix.Lgetxattr(from, markName, buf[:]); err == nil && n > 0 {
		_ = unix.Lsetxattr(to, markName, buf[:n], 0)
	}
}
