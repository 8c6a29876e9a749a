package svccfg

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

var web = repo.Entity{Service: "web"}

// kept stays open when svccfg closes it.
type kept struct{ door.Store }

func (kept) Close() error { return nil }

// newStore is a repository with web, its group config, and web:one.
func newStore(t testing.TB) door.Store {
	t.Helper()
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot"})
	if err != nil {
		t.Fatal(err)
	}
	s := door.NewLocal(r)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	put(t, s, func(b *repo.Batch) {
		b.Ensure(repo.Entity{Service: "web", Instance: "one"})
		b.CreateGroup(web, "config", "application", 0)
	})
	return s
}

func put(t testing.TB, s door.Store, fill func(*repo.Batch)) {
	t.Helper()
	var b repo.Batch
	fill(&b)
	if _, err := s.Apply(&b); err != nil {
		t.Fatal(err)
	}
}

// svccfg runs commands on a store.
func svccfg(s door.Store, text string, args ...string) (out, errs string, code int) {
	var o, e bytes.Buffer
	env := &Env{In: strings.NewReader(text), Out: &o, Err: &e, Open: func() (door.Store, error) { return kept{s}, nil }, Bundles: echo{}}
	code = Main(env, append(args, "-f", "-"))
	return o.String(), e.String(), code
}

func values(t testing.TB, s door.Store, name string) []string {
	t.Helper()
	p, err := s.Property(web, door.Direct, "config", name)
	if err != nil {
		t.Fatal(err)
	}
	return p.Values
}

func counts(name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: prop.Count, Values: values}
}

// secret is a repository whose values may not be read.
type secret struct{ door.Store }

func (secret) Close() error { return nil }

func (s secret) Group(e repo.Entity, v door.View, name string) (door.Group, error) {
	g, err := s.Store.Group(e, v, name)
	hide(&g)
	return g, err
}

func (s secret) Groups(e repo.Entity, v door.View) ([]door.Group, error) {
	groups, err := s.Store.Groups(e, v)
	for i := range groups {
		hide(&groups[i])
	}
	return groups, err
}

func (s secret) Service(name string) (door.Whole, error) {
	w, err := s.Store.Service(name)
	w.Withheld = []string{"svc:/web/:properties/config"}
	return w, err
}

func (s secret) Scan(q door.Query) (door.Result, error) {
	r, err := s.Store.Scan(q)
	for i := range r.Entries {
		for j := range r.Entries[i].Groups {
			hide(&r.Entries[i].Groups[j])
		}
	}
	return r, err
}

func hide(g *door.Group) {
	g.Withheld = true
	for i := range g.Props {
		g.Props[i].Values = nil
	}
}

// bytewise gives a text byte by byte.
type bytewise struct{ text string }

func (b *bytewise) Read(p []byte) (int, error) {
	if b.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:1], b.text)
	b.text = b.text[n:]
	return n, nil
}
