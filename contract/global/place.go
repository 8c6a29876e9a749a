package global

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/atomicfile"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
)

// leaf is where the keeper and this process live, below the base.
const leaf = "sup"

// generationFile names the generation whose contracts are served, and the boot of the host
// that it is of: a run-time directory may be on a disk.
const generationFile = "generation"

// place is where the host's contracts have their cgroups.
type place struct {
	mount string // of the unified hierarchy
	base  string // of the keeper's scope, or of the instance's zone "global"
	n     int    // the generation
	scope bool   // the base is systemd's
}

// findPlace moves the keeper and this process into a leaf beside the generations. With
// systemd the keeper's own scope is delegated to us; elsewhere there is a tree of our own.
func findPlace(lay layout.Layout) (p place, err error) {
	if p.mount, err = cgroup2.Mount(); err != nil {
		return p, err
	}
	parent, err := keeper.Parent(keeper.SocketFD)
	if err != nil {
		return p, err
	}
	own, err := cgroup2.Of(parent)
	if err != nil {
		return p, err
	}
	p.base = filepath.Join("/zones"+lay.Tag(), Name)
	// A keeper that was started from another one is in that one's leaf, which is not ours.
	if above := filepath.Dir(own); filepath.Base(own) == leaf && (above == p.base || cgroup2.IsScope(above)) {
		p.base, p.scope = above, cgroup2.IsScope(above)
		return p, nil
	}
	if cgroup2.IsScope(own) {
		p.base, p.scope = own, true
	}
	dir := filepath.Join(p.mount, p.base, leaf)
	if err := cgroup2.Make(dir); err != nil {
		return p, err
	}
	for _, pid := range []int{parent, os.Getpid()} {
		if err := cgroup2.Enter(dir, pid); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *place) dir(n int) string { return filepath.Join(p.mount, p.base, "g"+strconv.Itoa(n)) }

// generation is the absolute path of the directory whose contracts are served.
func (p *place) generation() string { return p.dir(p.n) }

// load finds the generation of a predecessor.
func (p *place) load(lay layout.Layout) error {
	n, err := readGeneration(lay)
	if err != nil {
		return err
	}
	if _, err := os.Stat(p.dir(n)); err != nil {
		return err
	}
	p.n = n
	return nil
}

// errGeneration: the file is not of this boot, or not ours.
var errGeneration = errors.New("no generation of this boot is noted")

func readGeneration(lay layout.Layout) (int, error) {
	text, err := os.ReadFile(filepath.Join(lay.ZoneState(Name), generationFile))
	if err != nil {
		return 0, err
	}
	boot, err := sys.BootID()
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(text))
	if len(f) != 2 || f[0] != boot {
		return 0, errGeneration
	}
	n, err := strconv.Atoi(f[1])
	if err != nil || n < 1 {
		return 0, errGeneration
	}
	return n, nil
}

// begin makes a fresh generation. Those before it go if they are empty: what lives in them
// outlived its server and its keeper, and is nobody's.
func (p *place) begin(lay layout.Layout) error {
	last, err := readGeneration(lay)
	if err != nil && !os.IsNotExist(err) && !errors.Is(err, errGeneration) {
		return err
	}
	old, _ := filepath.Glob(filepath.Join(p.mount, p.base, "g[0-9]*"))
	for _, dir := range old {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), "g")); err == nil {
			last = max(last, n)
			removeEmpty(dir)
		}
	}
	p.n = last + 1
	boot, err := sys.BootID()
	if err != nil {
		return err
	}
	text := []byte(boot + " " + strconv.Itoa(p.n) + "\n")
	if err := atomicfile.Write(filepath.Join(lay.ZoneState(Name), generationFile), text, 0o600); err != nil {
		return err
	}
	if err := cgroup2.Make(p.generation()); err != nil {
		return fmt.Errorf("make a generation: %w", err)
	}
	return nil
}

func removeEmpty(dir string) {
	if populated, err := cgroup2.Populated(dir); err == nil && !populated {
		_ = cgroup2.Remove(dir)
	}
}

// end removes the generation.
func (p *place) end(lay layout.Layout) error {
	return cgroup2.Remove(p.generation())
}

// leave removes the leaf when the keeper, who would, is dead.
func (p *place) leave() {
	if p.scope {
		return
	}
	if cgroup2.Enter(p.mount, os.Getpid()) == nil {
		_ = unix.Rmdir(filepath.Join(p.mount, p.base, leaf))
		_ = unix.Rmdir(filepath.Join(p.mount, p.base))
		_ = unix.Rmdir(filepath.Join(p.mount, filepath.Dir(p.base)))
	}
}
