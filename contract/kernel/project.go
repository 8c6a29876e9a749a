package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/quota"
)

// A project's contracts lie in a directory of the project's, pID beside ct/, so that they are on the
// level of all contracts and the bounds of that directory hold for all of them. It is the host's, as
// ct/ is; it is there from the first contract of the project to the last. What is known of a project
// is in the kernel alone: its contracts by where they lie, its name and a contract's pool by an
// attribute of the directory that the zone can neither see nor change, its bounds by the
// controllers' files. So there is nothing for a successor to be told.

// Attributes of directories.
const (
	projectAttr = "trusted.zones.project"
	poolAttr    = "trusted.zones.pool"
)

// Limits of projects.
const (
	// ProjectsMax bounds the projects with processes: each costs the kernel some hundred kilobytes
	// on a large machine. A full system has a dozen.
	ProjectsMax = 256
	// dyingMax bounds directories that are removed and whose memory is not given back yet, so that a
	// zone which makes and leaves projects without end stops for a while.
	dyingMax = 4096
)

// projectName is the name of a project's directory.
func projectName(id uint32) string { return "p" + strconv.FormatUint(uint64(id), 10) }

// isProject says whether a name is that of a project's directory.
func isProject(name string) bool {
	digits, ok := strings.CutPrefix(name, "p")
	n, err := strconv.ParseUint(digits, 10, 31)
	return ok && err == nil && strconv.FormatUint(n, 10) == digits
}

// isAbove says whether contracts lie in a directory of gN's.
func isAbove(name string) bool { return name == contractsName || isProject(name) }

// firstOf is the first name of a path.
func firstOf(path string) string {
	name, _, _ := strings.Cut(path, "/")
	return name
}

// attr is an attribute of a directory below gN, empty when it has none.
func (t *tree) attr(name, attr string) string {
	var buf [contract.ProjectNameMax]byte
	n, err := unix.Lgetxattr(filepath.Join(t.root, name), attr, buf[:])
	if err != nil || n <= 0 {
		return ""
	}
	return string(buf[:n])
}

// loadProjects takes up the contracts of projects. Of one that has none the directory goes.
func (t *tree) loadProjects() error {
	entries, err := os.ReadDir(t.root)
	if err != nil {
		return fmt.Errorf("list projects: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !isProject(e.Name()) {
			continue
		}
		if err := t.loadFrom(e.Name()); err != nil {
			return err
		}
		t.leaveProject(e.Name())
	}
	return nil
}

// projects are the directories of projects in which contracts lie.
func (t *tree) projects() (names []string) {
	for name := range t.lie {
		if isProject(name) {
			names = append(names, name)
		}
	}
	return names
}

// controllers finds the host's, once they are needed. Hosts do not change them while zones run.
func (t *tree) controllers() (*quota.Host, error) {
	if t.quota == nil {
		h, err := quota.Look(t.mount, t.root)
		if err != nil {
			return nil, err
		}
		t.quota = h
	}
	return t.quota, nil
}

// enterProject makes a project's directory, unless it is there, and has its bounds hold.
func (t *tree) enterProject(p *contract.Project) (above string, err error) {
	above = projectName(p.ID)
	if t.lie[above] == 0 {
		if err := t.makeProject(above); err != nil {
			return "", err
		}
	}
	h, err := t.controllers()
	if err == nil {
		err = h.Hold(above, p)
	}
	if err == nil {
		err = t.setAttr(above, projectAttr, p.Name)
	}
	if err != nil {
		t.leaveProject(above)
		return "", err
	}
	return above, nil
}

func (t *tree) makeProject(above string) error {
	if len(t.projects()) >= ProjectsMax {
		return fmt.Errorf("projects of a zone, %d: %w", ProjectsMax, ErrProjects)
	}
	if n := t.dying(); n > dyingMax {
		return fmt.Errorf("projects that were left and whose memory is in use, %d: %w", n, ErrProjects)
	}
	if err := mkdirAt(t.fd, above); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// dying is how many removed directories the kernel still keeps.
func (t *tree) dying() int {
	text, err := os.ReadFile(filepath.Join(t.root, "cgroup.stat"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if word, ok := strings.CutPrefix(line, "nr_dying_descendants "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(word))
			return n
		}
	}
	return 0
}

func (t *tree) setAttr(name, attr, value string) error {
	if err := unix.Lsetxattr(filepath.Join(t.root, name), attr, []byte(value), 0); err != nil {
		return &os.PathError{Op: "mark", Path: filepath.Join(t.root, name), Err: err}
	}
	return nil
}

// leaveProject takes away a project's directory, and its twins in old hierarchies, when no contract
// lies in it any more.
func (t *tree) leaveProject(above string) {
	if !isProject(above) || t.lie[above] > 0 {
		return
	}
	if err := unix.Unlinkat(t.fd.Int(), above, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
		return // with the next contract that goes, or with the zone
	}
	if h, err := t.controllers(); err == nil {
		h.Drop(above)
	}
}

// bind has a contract's members run on the processors of a pool.
func (t *tree) bind(p *place, pool, cpus string) error {
	h, err := t.controllers()
	if err == nil {
		err = t.setAttr(t.name(p), poolAttr, pool) // first, so that a twin is never forgotten
	}
	if err == nil {
		p.pool = pool
		_, err = h.Bind(t.name(p), pool, cpus)
	}
	return err
}

// leavePool takes away what an old hierarchy has of a pool that no contract is in any more.
func (t *tree) leavePool(pool string) {
	for _, p := range t.places {
		if p.pool == pool {
			return
		}
	}
	if h, err := t.controllers(); err == nil {
		h.DropPool(pool)
	}
}

// twins are the directories of old hierarchies that a member of the contract has to be in.
func (t *tree) twins(p *place) []string {
	if !isProject(p.above) && p.pool == "" {
		return nil
	}
	h, err := t.controllers()
	if err != nil {
		return nil
	}
	var dirs []string
	if isProject(p.above) {
		dirs = h.Twins(p.above)
	}
	if p.pool != "" {
		if dir := h.PoolTwin(p.pool); dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// MakeWithin is Make for a contract that counts in a project, or runs on a pool's processors. What w
// does not say is as with the contract from, 0 for none. An error says that nothing of it is there:
// ErrPool, ErrProjects, quota's and what Make says.
func (z *Zone) MakeWithin(id contract.ID, w contract.Within, from contract.ID) (Dir, error) {
	above, pool := contractsName, w.Pool
	if p := z.tree.places[from]; p != nil && !p.taken {
		above = p.above
		if pool == "" {
			pool = p.pool
		}
	}
	cpus, known := z.c.Pools[pool]
	if pool != "" && !known {
		return Dir{}, fmt.Errorf("make contract %d in pool %s: %w", id, pool, ErrPool)
	}
	if w.Project != nil {
		var err error
		if above, err = z.tree.enterProject(w.Project); err != nil {
			return Dir{}, fmt.Errorf("make contract %d: %w", id, err)
		}
	}
	p, err := z.tree.make(id, above)
	used := errors.Is(err, ErrUsed)
	if used { // perhaps by a predecessor, who may have come no further
		p = z.tree.places[id]
	}
	if p != nil && pool != "" {
		if berr := z.tree.bind(p, pool, cpus); berr != nil {
			err = fmt.Errorf("make contract %d: %w", id, berr)
		}
	}
	if err != nil && !used {
		if p != nil {
			err = errors.Join(err, z.Remove(id))
		}
		z.tree.leaveProject(above)
	}
	if err != nil {
		return Dir{}, err
	}
	return p.Dir, nil
}

// Within is the project that a contract counts in, without its bounds, and its pool.
func (z *Zone) Within(id contract.ID) (w contract.Within) {
	p := z.tree.places[id]
	if p == nil {
		return w
	}
	w.Pool = p.pool
	if digits, ok := strings.CutPrefix(p.above, "p"); ok && isProject(p.above) {
		n, _ := strconv.ParseUint(digits, 10, 31)
		w.Project = &contract.Project{ID: uint32(n), Name: z.tree.attr(p.above, projectAttr)}
	}
	return w
}
