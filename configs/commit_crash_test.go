package configs

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/atomicfile"
	"github.com/linuxzones/zones/internal/layout"
)

// step is one thing that was done to the disk.
type step struct {
	what, path, to string
	data           []byte
}

// recorder does everything for real and writes it down.
type recorder struct {
	steps []step
	// killAt stops the writer before that step, as SIGKILL would; -1 never.
	killAt int
}

type killed struct{}

func (r *recorder) note(s step) {
	if r.killAt == len(r.steps) {
		panic(killed{})
	}
	r.steps = append(r.steps, s)
}

type recordedFile struct {
	atomicfile.File
	r    *recorder
	path string
}

func (f recordedFile) Write(p []byte) (int, error) {
	f.r.note(step{what: "write", path: f.path, data: slices.Clone(p)})
	return f.File.Write(p)
}

func (f recordedFile) Sync() error {
	f.r.note(step{what: "sync", path: f.path})
	return nil // the model decides what survives
}

func (r *recorder) disk() atomicfile.Disk {
	real := atomicfile.Real()
	return atomicfile.Disk{
		Create: func(p string, m fs.FileMode) (atomicfile.File, error) {
			r.note(step{what: "create", path: p})
			f, err := real.Create(p, m)
			return recordedFile{f, r, p}, err
		},
		Rename: func(a, b string) error {
			r.note(step{what: "rename", path: a, to: b})
			return real.Rename(a, b)
		},
		Remove: func(p string) error {
			r.note(step{what: "remove", path: p})
			return real.Remove(p)
		},
		SyncDir: func(p string) error {
			r.note(step{what: "syncdir", path: p})
			return nil
		},
	}
}

// content is a file's, as it is and as it certainly survives.
type content struct{ now, safe []byte }

// model is a directory on a disk that may lose what was not flushed.
type model struct {
	safe    map[string]*content
	pending []func(names map[string]*content)
	open    map[string]*content
}

func newModel(dir string, t *testing.T) *model {
	m := &model{safe: map[string]*content{}, open: map[string]*content{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		c := &content{data, data}
		m.safe[e.Name()], m.open[e.Name()] = c, c
	}
	return m
}

func (m *model) do(s step) {
	name := filepath.Base(s.path)
	switch s.what {
	case "create":
		c := &content{}
		m.open[name] = c
		m.pending = append(m.pending, func(n map[string]*content) { n[name] = c })
	case "write":
		m.open[name].now = append(slices.Clone(m.open[name].now), s.data...)
	case "sync":
		m.open[name].safe = m.open[name].now
	case "rename":
		c, to := m.open[name], filepath.Base(s.to)
		delete(m.open, name)
		m.open[to] = c
		m.pending = append(m.pending, func(n map[string]*content) { delete(n, name); n[to] = c })
	case "remove":
		delete(m.open, name)
		m.pending = append(m.pending, func(n map[string]*content) { delete(n, name) })
	case "syncdir":
		for _, f := range m.pending {
			f(m.safe)
		}
		m.pending = nil
	}
}

// outcomes gives every directory that can be found after a power cut now: with any of
// the unflushed changes of names, in their order but not without gaps, since no rule
// says that a file system keeps them in order; and with unflushed content lost, torn or
// whole.
func (m *model) outcomes() []map[string][]byte {
	var out []map[string][]byte
	for mask := range 1 << len(m.pending) {
		names := maps.Clone(m.safe)
		for i, f := range m.pending {
			if mask>>i&1 == 1 {
				f(names)
			}
		}
		for _, luck := range []string{"lost", "torn", "whole"} {
			dir := map[string][]byte{}
			for name, c := range names {
				dir[name] = c.safe
				if string(c.safe) != string(c.now) {
					dir[name] = map[string][]byte{"lost": c.safe, "torn": c.now[:len(c.now)/2], "whole": c.now}[luck]
				}
			}
			out = append(out, dir)
		}
	}
	return out
}

// describe is everything that a reader can see in a store.
func describe(s *Store) string {
	entries, err := s.Index()
	if err != nil {
		return "index: " + err.Error()
	}
	var b strings.Builder
	for _, e := range entries {
		uuid := e.UUID != ""
		fmt.Fprintf(&b, "%s %v %s %v\n", e.Name, e.State, e.Path, uuid)
		z, _, err := s.Load(e.Name)
		if err != nil {
			return "load: " + err.Error()
		}
		if z.Path != e.Path {
			return fmt.Sprintf("zone %s has zonepath %s and the index %s", e.Name, z.Path, e.Path)
		}
		b.WriteString(encodeXML(z))
	}
	return b.String()
}

// crashCases are changes to a store that holds the zones a and b.
var crashCases = map[string]func(s *Store) error{
	"create": func(s *Store) error { _, err := s.Create(testZone("c")); return err },
	"modify": func(s *Store) error {
		return edit(s, "a", func(z *Zone) { z.Autoboot = true })
	},
	"move": func(s *Store) error {
		return edit(s, "a", func(z *Zone) { z.Path = "/zones/elsewhere" })
	},
	"delete":   func(s *Store) error { return s.Delete("a", "") },
	"setstate": func(s *Store) error { return s.SetState("a", Incomplete) },
	"rename": func(s *Store) error {
		z, tag, err := s.Load("a")
		if err != nil {
			return err
		}
		z.Name = "z"
		_, err = s.Rename("a", z, tag)
		return err
	},
}

func testZone(name string) *Zone {
	z := New(name)
	z.Path = "/zones/" + name
	return z
}

func edit(s *Store, name string, change func(z *Zone)) error {
	z, tag, err := s.Load(name)
	if err != nil {
		return err
	}
	change(z)
	_, err = s.Commit(z, tag)
	return err
}

// storeAB gives a store with the zones a and b.
func storeAB(t *testing.T) *Store {
	t.Helper()
	s := Open(layout.At(t.TempDir()))
	for _, n := range []string{"a", "b"} {
		if _, err := s.Create(testZone(n)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestPowerCut(t *testing.T) {
	total := 0
	for _, name := range slices.Sorted(maps.Keys(crashCases)) {
		s := storeAB(t)
		before := describe(s)
		m := newModel(s.layout.Etc, t)
		r := &recorder{killAt: -1}
		s.disk = r.disk()
		if err := crashCases[name](s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after := describe(s)
		if before == after {
			t.Fatalf("%s changed nothing", name)
		}
		seen := map[string]bool{}
		for k := 0; k <= len(r.steps); k++ {
			for i, dir := range m.outcomes() {
				key := fmt.Sprintf("%t %q", k == len(r.steps), dir) // fmt sorts maps
				if seen[key] {
					continue
				}
				seen[key] = true
				total++
				got := afterPowerCut(t, dir)
				if got != before && got != after || k == len(r.steps) && got != after {
					t.Errorf("%s: power cut before step %d of %d, outcome %d:\n%s", name, k, len(r.steps), i, got)
				}
			}
			if k < len(r.steps) {
				m.do(r.steps[k])
			}
		}
	}
	t.Logf("%d power cuts", total)
}

// afterPowerCut lays out a directory, reads it as a user without privilege would, lets
// a writer clean up, and reads again.
func afterPowerCut(t *testing.T, dir map[string][]byte) string {
	t.Helper()
	root, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	s := Open(layout.At(root))
	if err := os.MkdirAll(s.layout.Etc, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range dir {
		if err := os.WriteFile(s.path(name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	seen := describe(s)
	if err := s.locked(func(view) error { return nil }); err != nil {
		return "recovery: " + err.Error()
	}
	if again := describe(s); again != seen {
		return "before recovery:\n" + seen + "\nafter it:\n" + again
	}
	entries, err := os.ReadDir(s.layout.Etc)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			return "recovery left " + e.Name()
		}
	}
	return seen
}

// TestKilledWriter stops a writer before each of its steps, on a disk that keeps its
// power: the kernel still has everything that was done.
func TestKilledWriter(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(crashCases)) {
		for k := 0; ; k++ {
			s := storeAB(t)
			before := describe(s)
			s.disk = (&recorder{killAt: k}).disk()
			died := func() (died bool) {
				defer func() {
					p := recover()
					if _, died = p.(killed); p != nil && !died {
						panic(p)
					}
				}()
				if err := crashCases[name](s); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				return false
			}()
			next := Open(s.layout)
			got := describe(next)
			if err := crashCases[name](next); got == before && err != nil {
				t.Errorf("%s, killed before step %d: cannot be repeated: %v", name, k, err)
			}
			after := describe(next)
			if got != before && got != after {
				t.Errorf("%s, killed before step %d: neither old nor new:\n%s", name, k, got)
			}
			if !died {
				break
			}
		}
	}
}

// TestFailingDisk lets each step fail, as a full disk does: an error says so, and the
// store is the old or the new one.
func TestFailingDisk(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(crashCases)) {
		count := &recorder{killAt: -1}
		s := storeAB(t)
		s.disk = count.disk()
		if err := crashCases[name](s); err != nil {
			t.Fatal(err)
		}
		after := describe(s)
		for k := range count.steps {
			s := storeAB(t)
			before := describe(s)
			s.disk = failAt(k)
			if err := crashCases[name](s); err == nil && describe(s) != after {
				t.Errorf("%s: step %d failed, and nobody said so", name, k)
			}
			s.disk = atomicfile.Real()
			if got := describe(s); got != before && got != after {
				t.Errorf("%s: after a failure of step %d:\n%s", name, k, got)
			}
		}
	}
}

func failAt(k int) atomicfile.Disk {
	d := atomicfile.Real()
	n := 0
	fail := func() error {
		if n++; n == k+1 {
			return fmt.Errorf("planned failure: %w", fs.ErrPermission)
		}
		return nil
	}
	inner := d
	d.Create = func(p string, m fs.FileMode) (atomicfile.File, error) {
		if err := fail(); err != nil {
			return nil, err
		}
		f, err := inner.Create(p, m)
		return failingFile{f, fail}, err
	}
	d.Rename = func(a, b string) error {
		if err := fail(); err != nil {
			return err
		}
		return inner.Rename(a, b)
	}
	d.Remove = func(p string) error {
		if err := fail(); err != nil {
			return err
		}
		return inner.Remove(p)
	}
	d.SyncDir = func(p string) error {
		if err := fail(); err != nil {
			return err
		}
		return inner.SyncDir(p)
	}
	return d
}

type failingFile struct {
	atomicfile.File
	fail func() error
}

func (f failingFile) Write(p []byte) (int, error) {
	if err := f.fail(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f failingFile) Sync() error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.File.Sync()
}
