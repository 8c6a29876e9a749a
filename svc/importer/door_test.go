package importer

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/repo/door/server"
	"github.com/linuxzones/zones/svc/tree"
)

// served is a repository with a server, and a client of it.
func served(t *testing.T) (*repo.Repo, *client.Client) {
	t.Helper()
	r := fresh(t)
	path := filepath.Join(t.TempDir(), "door")
	l, err := server.Listen(path)
	must(t, err)
	s, err := server.New(server.Config{Repo: r, Listener: l})
	must(t, err)
	c := client.New(client.Config{Path: path})
	t.Cleanup(func() { must(t, errors.Join(c.Close(), s.Close(), l.Close())) })
	return r, c
}

// What is imported at a door is what is imported into a file.
func TestAtADoor(t *testing.T) {
	local := fresh(t)
	r, c := served(t)
	for _, text := range []string{small, small, `<service name='site/web' type='service' version='1'><create_default_instance enabled='true'/></service>`,
		`<service name='site/small' type='service' version='1'><create_default_instance enabled='false'/><exec_method type='method' name='stop' exec=':kill' timeout_seconds='3'/></service>`} {
		there, err := Import(At(c), bundle(t, "manifest", text), NewSource("/lib/svc/manifest/a.xml", []byte(text)))
		must(t, err)
		here, err := Import(Local(local), bundle(t, "manifest", text), NewSource("/lib/svc/manifest/a.xml", []byte(text)))
		must(t, err)
		if len(there) != len(here) || r.Generation() != local.Generation() {
			t.Errorf("told %q there and %q here, generations %d and %d", texts(there), texts(here), r.Generation(), local.Generation())
		}
		if got, want := dump(t, r), dump(t, local); got != want {
			t.Errorf("there is\n%s\nof\n%s", got, want)
		}
	}
	system := newSystem(t)
	for _, name := range []string{"a", "b"} {
		system.write("/lib/svc/manifest/"+name+".xml", named(name, "1"))
	}
	b := &Boot{Store: At(c), Root: system.root}
	counts, err := b.Manifests(LateDirs...)
	must(t, err)
	system.remove("/lib/svc/manifest/a.xml")
	cleaned, err := b.Cleanup(LateDirs...)
	must(t, err)
	// The one that was imported by hand is missed as well.
	if counts[Done] != 2 || cleaned[Gone] != 1 || service(t, r, "site/a") != nil || service(t, r, "site/b") == nil {
		t.Errorf("%v, %v", counts, cleaned)
	}
}

// moving is a door at which others write while one reads, and servers die.
type moving struct {
	door.Store
	reads int
	write func()
	apply func(*repo.Batch) (uint64, error)
}

func (m *moving) Service(name string) (door.Whole, error) {
	m.reads++
	if m.write != nil {
		m.write()
	}
	return m.Store.Service(name)
}

func (m *moving) Apply(b *repo.Batch) (uint64, error) {
	if m.apply != nil {
		return m.apply(b)
	}
	return m.Store.Apply(b)
}

// Who reads while others write reads again, and gives up when that never ends.
func TestDoorMoves(t *testing.T) {
	r, c := served(t)
	n := 0
	other := repo.Entity{Service: "other"}
	m := &moving{Store: c}
	m.write = func() {
		n++
		change(t, r, func(b *repo.Batch) {
			b.Ensure(other)
			b.PutGroup(other, &tree.Group{Name: "n", Type: "application", Props: []tree.Property{{Name: "n", Type: prop.AString, Values: make([]string, n%5)}}})
		})
		if n == 3 {
			m.write = nil
		}
	}
	_, err := Import(At(m), bundle(t, "manifest", small), nil)
	if err != nil || value(t, r, smallService, "config/port") != "count 80" || n != 3 {
		t.Errorf("%v after %d", err, n)
	}
	n = 100
	m.write = func() {
		n++
		change(t, r, func(b *repo.Batch) {
			b.PutGroup(other, &tree.Group{Name: "n", Type: "application", Props: []tree.Property{{Name: "n", Type: prop.AString, Values: make([]string, n%5)}}})
		})
	}
	if _, err := Import(At(m), bundle(t, "manifest", small), nil); !errors.Is(err, ErrContention) {
		t.Errorf("others never stop: %v", err)
	}
}

// Whether a server that was killed did a batch, the next plan finds out.
func TestDoorUnknown(t *testing.T) {
	for _, done := range []bool{false, true} {
		r, c := served(t)
		m := &moving{Store: c}
		asked := 0
		m.apply = func(b *repo.Batch) (uint64, error) {
			asked++
			if done {
				_, err := c.Apply(b)
				must(t, err)
			}
			m.apply = nil
			return 0, door.ErrUnknown
		}
		_, err := Import(At(m), bundle(t, "manifest", small), nil)
		if err != nil || asked != 1 || frozenValue(t, r, smallService, "default", repo.Running, "config/port") != "count 80" {
			t.Errorf("done %v: %v, asked %d times", done, err, asked)
		}
	}
}

// withheld is a door at which values are protected.
type withheld struct{ door.Store }

func (w withheld) Service(name string) (door.Whole, error) {
	s, err := w.Store.Service(name)
	s.Withheld = []string{name}
	return s, err
}

func (w withheld) Group(e repo.Entity, v door.View, name string) (door.Group, error) {
	g, err := w.Store.Group(e, v, name)
	g.Withheld = true
	return g, err
}

func (w withheld) Frozen(e repo.Entity, name string) (door.Frozen, error) {
	f, err := w.Store.Frozen(e, name)
	for i := range f.Service {
		f.Service[i].Withheld = true
	}
	return f, err
}

// Who does not see all cannot say what is to change.
func TestDoorWithheld(t *testing.T) {
	r := fresh(t)
	importText(t, r, small)
	before := dump(t, r)
	s := At(withheld{door.NewLocal(r)})
	for what, f := range map[string]func(Reader) error{
		"service": func(v Reader) error { _, err := v.Service("site/small"); return err },
		"group":   func(v Reader) error { _, _, err := v.Group(smallService, "config"); return err },
		"frozen":  func(v Reader) error { _, err := v.Frozen(smallDefault, repo.LastImport); return err },
	} {
		if err := s.View(f); !errors.Is(err, door.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := Import(s, bundle(t, "manifest", small), nil)
	if !errors.Is(err, door.ErrDenied) || dump(t, r) != before {
		t.Errorf("%v", err)
	}
}
