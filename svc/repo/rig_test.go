package repo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

var (
	web    = Entity{Service: "network/web"}
	webOne = Entity{"network/web", "default"}
	webTwo = Entity{"network/web", "second"}
)

// config is of a repository in a directory.
func config(dir string) Config {
	return Config{
		Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot",
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, cfg Config) *Repo {
	t.Helper()
	r, err := Open(cfg)
	must(t, err)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// fresh is a repository with network/web:default.
func fresh(t testing.TB) *Repo {
	t.Helper()
	r := open(t, config(t.TempDir()))
	apply(t, r, func(b *Batch) { b.Ensure(webOne) })
	return r
}

// apply does a batch that must succeed.
func apply(t testing.TB, r *Repo, fill func(*Batch)) uint64 {
	t.Helper()
	var b Batch
	fill(&b)
	generation, err := r.Apply(&b)
	must(t, err)
	return generation
}

// refuse does a batch that must fail with want, and change nothing.
func refuse(t testing.TB, r *Repo, want error, fill func(*Batch)) *OpError {
	t.Helper()
	before := dump(t, r)
	var b Batch
	fill(&b)
	_, err := r.Apply(&b)
	var op *OpError
	if !errors.Is(err, want) || !errors.As(err, &op) {
		t.Errorf("%+v: %v, want %v", b.Ops, err, want)
	}
	if after := dump(t, r); after != before {
		t.Errorf("a batch that failed left\n%s\nof\n%s", after, before)
	}
	return op
}

func view(t testing.TB, r *Repo, f func(*Reader)) {
	t.Helper()
	must(t, r.View(func(v *Reader) error { f(v); return nil }))
}

// dump is all that readers can see.
func dump(t testing.TB, r *Repo) string {
	t.Helper()
	var s string
	view(t, r, func(v *Reader) {
		s = fmt.Sprintf("generation %d\n", v.Generation())
		for name := range v.Services() {
			service, err := v.Service(name)
			must(t, err)
			s += fmt.Sprintf("%+v\n", *service)
			for _, i := range service.Instances {
				e := Entity{name, i.Name}
				for _, snapshot := range v.Snapshots(e) {
					f, err := v.Frozen(e, snapshot)
					must(t, err)
					s += fmt.Sprintf("%v %s: %+v\n", e, snapshot, f)
				}
			}
		}
	})
	return s
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

// get is the first value of a composed property; "-" where there is none.
func get(t testing.TB, r *Repo, e Entity, group, property string) (value string) {
	t.Helper()
	value = "-"
	view(t, r, func(v *Reader) {
		s, err := v.Composed(e)
		if err != nil {
			return
		}
		p, err := s.Property(group, property)
		if err == nil && len(p.Values) > 0 {
			value = p.Values[0]
		}
	})
	return value
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, b, 0o600))
}
