package svcprop

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

var (
	web    = repo.Entity{Service: "network/web"}
	webOne = repo.Entity{Service: "network/web", Instance: "one"}
	webTwo = repo.Entity{Service: "network/web", Instance: "two"}
	ssh    = repo.Entity{Service: "network/ssh", Instance: "default"}
)

// rig is a repository and a svcprop that looks at it.
type rig struct {
	t     testing.TB
	store door.Store
}

// kept stays open when svcprop closes it.
type kept struct{ door.Store }

func (kept) Close() error { return nil }

// withheld has a group whose values may not be read.
type withheld struct{ door.Store }

func hide(g *door.Group) {
	if g.Name != "secret" {
		return
	}
	g.Withheld = true
	for i := range g.Props {
		g.Props[i].Values = nil
	}
}

func (w withheld) Close() error { return nil }

func (w withheld) Group(e repo.Entity, v door.View, name string) (door.Group, error) {
	g, err := w.Store.Group(e, v, name)
	hide(&g)
	return g, err
}

func (w withheld) Groups(e repo.Entity, v door.View) ([]door.Group, error) {
	groups, err := w.Store.Groups(e, v)
	for i := range groups {
		hide(&groups[i])
	}
	return groups, err
}

func newRig(t testing.TB) *rig {
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
	return &rig{t, s}
}

func (r *rig) apply(fill func(*repo.Batch)) {
	r.t.Helper()
	var b repo.Batch
	fill(&b)
	if _, err := r.store.Apply(&b); err != nil {
		r.t.Fatal(err)
	}
}

func str(name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: prop.AString, Values: values}
}

func group(name string, props ...tree.Property) *tree.Group {
	return &tree.Group{Name: name, Type: "application", Props: props}
}

func volatileGroup(name string, props ...tree.Property) *tree.Group {
	g := group(name, props...)
	g.Flags = tree.NonPersistent
	return g
}

// full is a repository with what each view shows otherwise.
func full(t testing.TB) *rig {
	t.Helper()
	r := newRig(t)
	r.apply(func(b *repo.Batch) {
		b.Ensure(webOne)
		b.Ensure(webTwo)
		b.Ensure(ssh)
		b.Ensure(repo.Entity{Service: "bare"})
		b.PutGroup(repo.Entity{Service: "bare"}, group("config", str("word", "bare")))
		b.PutGroup(web, group("config", str("both", "service"), str("under", "service")))
		b.PutGroup(webOne, group("config", str("both", "instance"), str("empty", ""), str("list", "a b", "", `c"d\`), str("none"),
			tree.Property{Name: "port", Type: prop.Count, Values: []string{"80"}}))
		b.PutGroup(webOne, volatileGroup("restarter", str("state", "online")))
		b.PutGroup(webOne, group("secret", str("key", "hush")))
		b.PutGroup(ssh, volatileGroup("restarter", str("state", "offline")))
		b.TakeSnapshot(webOne, "running")
		b.TakeSnapshot(webOne, "initial")
	})
	r.apply(func(b *repo.Batch) {
		b.SetProperty(webOne, "config", str("both", "changed"))
		b.PutGroup(webOne, group("later", str("word", "new")))
	})
	return r
}

// run runs svcprop.
func (r *rig) run(args ...string) (out, errs string, code int) {
	return r.runOn(kept{r.store}, args...)
}

func (r *rig) runOn(s door.Store, args ...string) (out, errs string, code int) {
	r.t.Helper()
	var o, e bytes.Buffer
	env := &Env{Out: &o, Err: &e, Open: func() (door.Store, error) { return s, nil }}
	code = Main(context.Background(), env, args)
	return o.String(), e.String(), code
}
