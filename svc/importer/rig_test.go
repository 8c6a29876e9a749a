package importer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func config(dir string) repo.Config {
	return repo.Config{
		Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot",
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	}
}

func fresh(t testing.TB) *repo.Repo {
	t.Helper()
	return opened(t, t.TempDir())
}

func opened(t testing.TB, dir string) *repo.Repo {
	t.Helper()
	r, err := repo.Open(config(dir))
	must(t, err)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// document puts what stands within a bundle into one.
func document(kind, body string) string {
	if strings.HasPrefix(body, "<?xml") {
		return body
	}
	return "<?xml version='1.0'?>\n<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>\n" +
		"<service_bundle type='" + kind + "' name='test'>\n" + body + "\n</service_bundle>\n"
}

func bundle(t testing.TB, kind, body string) *manifest.Bundle {
	t.Helper()
	b, err := manifest.Parse("test.xml", []byte(document(kind, body)), manifest.Options{})
	must(t, err)
	return b
}

func importText(t testing.TB, r *repo.Repo, body string) []Event {
	t.Helper()
	events, err := Import(Local(r), bundle(t, "manifest", body), nil)
	must(t, err)
	return events
}

func applyText(t testing.TB, r *repo.Repo, body string) []Event {
	t.Helper()
	events, err := Apply(Local(r), bundle(t, "profile", body), nil, Do)
	must(t, err)
	return events
}

func change(t testing.TB, r *repo.Repo, fill func(*repo.Batch)) {
	t.Helper()
	var b repo.Batch
	fill(&b)
	_, err := r.Apply(&b)
	must(t, err)
}

func view(t testing.TB, r *repo.Repo, f func(*repo.Reader)) {
	t.Helper()
	must(t, r.View(func(v *repo.Reader) error { f(v); return nil }))
}

func texts(events []Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.Text)
	}
	return out
}

// loud are the events that are told without -v.
func loud(events []Event) []string {
	return texts(slices.DeleteFunc(slices.Clone(events), Event.Verbose))
}

// dump is all that a repository holds, without generations.
func dump(t testing.TB, r *repo.Repo) string {
	t.Helper()
	var b strings.Builder
	view(t, r, func(v *repo.Reader) {
		for name := range v.Services() {
			s, err := v.Service(name)
			must(t, err)
			b.WriteString(dumpService(s))
			for _, i := range s.Instances {
				e := repo.Entity{Service: name, Instance: i.Name}
				for _, snap := range v.Snapshots(e) {
					f, err := v.Frozen(e, snap)
					must(t, err)
					fmt.Fprintf(&b, "%v %s: %+v\n", e, snap, f)
				}
			}
		}
	})
	return b.String()
}

func dumpService(s *tree.Service) string {
	out := fmt.Sprintf("svc:/%s\n", s.Name)
	for _, g := range s.Groups {
		out += fmt.Sprintf("  %+v\n", g)
	}
	for _, i := range s.Instances {
		out += fmt.Sprintf("  :%s\n", i.Name)
		for _, g := range i.Groups {
			out += fmt.Sprintf("    %+v\n", g)
		}
	}
	return out
}

// service gives a service; nil when there is none.
func service(t testing.TB, r *repo.Repo, name string) (s *tree.Service) {
	t.Helper()
	view(t, r, func(v *repo.Reader) {
		var err error
		if s, err = v.Service(name); err != nil && !errors.Is(err, repo.ErrNotFound) {
			t.Fatal(err)
		}
	})
	return s
}

// entityText is the service or the instance of an FMRI.
func entityText(t testing.TB, text string) repo.Entity {
	t.Helper()
	e, ok := entityOf(text)
	if !ok {
		t.Fatalf("%q names no service and no instance", text)
	}
	return e
}

// value is GROUP/PROPERTY of an entity, with its type; of GROUP its type. "-" where there is none.
func value(t testing.TB, r *repo.Repo, e repo.Entity, path string) string {
	t.Helper()
	s := service(t, r, e.Service)
	if s == nil {
		return "-"
	}
	groups := s.Groups
	if e.Instance != "" {
		i := s.Instance(e.Instance)
		if i == nil {
			return "-"
		}
		groups = i.Groups
	}
	return valueIn(groups, path)
}

func valueIn(groups []tree.Group, path string) string {
	group, name, whole := strings.Cut(path, "/")
	g := groupIn(groups, group)
	switch {
	case g == nil:
		return "-"
	case !whole:
		return g.Type
	}
	p := g.Prop(name)
	if p == nil {
		return "-"
	}
	return p.Type.String() + " " + strings.Join(p.Values, " ")
}

// frozenValue is the same of a snapshot's own level of the entity.
func frozenValue(t testing.TB, r *repo.Repo, e repo.Entity, instance, snapshot, path string) (out string) {
	t.Helper()
	view(t, r, func(v *repo.Reader) {
		f, err := v.Frozen(repo.Entity{Service: e.Service, Instance: instance}, snapshot)
		switch {
		case errors.Is(err, repo.ErrNotFound):
			out = "no snapshot"
			return
		case err != nil:
			t.Fatal(err)
		}
		groups := f.Instance
		if e.Instance == "" {
			groups = f.Service
		}
		out = valueIn(groups, path)
	})
	return out
}

func propertyOf(t testing.TB, name, kind string, values ...string) tree.Property {
	t.Helper()
	k, ok := prop.ParseType(kind)
	if !ok {
		t.Fatalf("no type %s", kind)
	}
	return tree.Property{Name: name, Type: k, Values: values}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}
