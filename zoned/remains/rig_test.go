package remains

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is an instance on a host whose leases are its own.
type rig struct {
	t    testing.TB
	lay  layout.Layout
	boot string
	ids  string
	etc  string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2)
	boot, err := sys.BootID()
	check(t, err)
	r := &rig{t: t, lay: layout.At(t.TempDir()), boot: boot, ids: filepath.Join(t.TempDir(), "ids"), etc: t.TempDir()}
	for _, d := range []string{r.lay.Run, r.lay.State(), r.lay.Status()} {
		check(t, os.MkdirAll(d, 0o700))
	}
	return r
}

// open looks at the host, with the rig's leases.
func (r *rig) open() *Host {
	r.t.Helper()
	h, err := Open(r.lay)
	check(r.t, err)
	h.leases, h.etc = r.ids, r.etc
	return h
}

func (r *rig) find(s Scope) []Item {
	r.t.Helper()
	items, err := r.open().Find(s)
	check(r.t, err)
	return items
}

// names are the kinds and names of what is left of a zone.
func names(items []Item) []string {
	var out []string
	for _, i := range items {
		out = append(out, i.Kind.String()+" "+i.Name)
	}
	return out
}

func (r *rig) wants(s Scope, want ...string) []Item {
	r.t.Helper()
	items := r.find(s)
	got := names(items)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Errorf("found\n%q\nwant\n%q", got, want)
	}
	return items
}

func mount(t testing.TB) string {
	t.Helper()
	m, err := cgroup2.Mount()
	check(t, err)
	return m
}

// cgroup makes a directory of the instance's, below one of the hierarchies, with a mark or
// without.
func (r *rig) cgroup(root, path, mark string) string {
	r.t.Helper()
	top := filepath.Join(root, "zones"+r.lay.Tag())
	dir := filepath.Join(top, path)
	check(r.t, os.MkdirAll(dir, 0o755))
	r.t.Cleanup(func() {
		_ = cgroup2.Kill(top)
		_ = cgroup2.Remove(top)
	})
	if mark != "" {
		check(r.t, unix.Setxattr(dir, markAttr, []byte(mark), 0))
	}
	return dir
}

func (r *rig) mark(zone string, id int) string {
	return Naming(r.lay, r.boot).Mark(zone, id).String()
}

// file makes a file of a zone's.
func (r *rig) file(zone, name, text string) {
	r.t.Helper()
	check(r.t, os.MkdirAll(r.lay.ZoneState(zone), 0o700))
	check(r.t, os.WriteFile(filepath.Join(r.lay.ZoneState(zone), name), []byte(text), 0o600))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// inNetwork runs the test in a network namespace of its own: the host's devices are everybody's.
// The thread is never given back, so the namespace goes with the test.
func inNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// removeAll takes away what was found and looks that nothing is found any more.
func (r *rig) removeAll(s Scope, items []Item) {
	r.t.Helper()
	for _, i := range items {
		if i.Remove == nil {
			continue
		}
		if err := i.Remove(); err != nil {
			r.t.Errorf("%s: %v", i, err)
		}
	}
	r.wants(s)
}
