package graphcfg

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

func p(name string, t prop.Type, values ...string) tree.Property {
	return tree.Property{Name: name, Type: t, Values: values}
}

func str(name string, values ...string) tree.Property { return p(name, prop.AString, values...) }

// group has its properties in the order of names, as every group that was read.
func group(name, kind string, props ...tree.Property) tree.Group {
	g := []tree.Group{{Name: name, Type: kind, Props: props}}
	tree.SortGroups(g)
	return g[0]
}

func general(props ...tree.Property) tree.Group { return group(General, "framework", props...) }

func enabled(values ...string) tree.Property { return p("enabled", prop.Boolean, values...) }

// good is a dependency that nothing is wrong with, changed: a property of no type is left out.
func good(name string, changes ...tree.Property) tree.Group {
	props := []tree.Property{
		str("grouping", "require_all"), str("restart_on", "none"), str("type", "service"), p("entities", prop.FMRI, "svc:/a", "svc:/b:c"),
	}
	for _, c := range changes {
		for i := range props {
			if props[i].Name == c.Name {
				props[i] = c
			}
		}
	}
	kept := props[:0]
	for _, x := range props {
		if x.Type != prop.Invalid {
			kept = append(kept, x)
		}
	}
	return group(name, Dependency, kept...)
}

func TestWish(t *testing.T) {
	yes := general(enabled("true"))
	over := func(props ...tree.Property) tree.Group { return group(Override, "framework", props...) }
	for _, c := range []struct {
		name string
		now  []tree.Group
		want graph.Config
		err  error
	}{
		{"nothing", nil, graph.Config{}, ErrNotConfigured},
		{"no enabled", []tree.Group{general(str("restarter", "svc:/r:r"))}, graph.Config{}, ErrNotConfigured},
		{"enabled of no value", []tree.Group{general(enabled())}, graph.Config{}, ErrNotConfigured},
		{"enabled of two", []tree.Group{general(enabled("true", "true"))}, graph.Config{}, ErrNotConfigured},
		{"enabled of a wrong type", []tree.Group{general(str("enabled", "true"))}, graph.Config{}, ErrNotConfigured},
		{"only for this boot", []tree.Group{over(enabled("true"))}, graph.Config{}, ErrNotConfigured},
		{"enabled", []tree.Group{yes}, graph.Config{Enabled: true}, nil},
		{"disabled", []tree.Group{general(enabled("false"))}, graph.Config{}, nil},
		{"on for this boot", []tree.Group{general(enabled("false")), over(enabled("true"))}, graph.Config{Override: graph.OverrideEnabled}, nil},
		{"off for this boot", []tree.Group{over(enabled("false")), yes}, graph.Config{Enabled: true, Override: graph.OverrideDisabled}, nil},
		{"an override without a value", []tree.Group{yes, over(enabled())}, graph.Config{Enabled: true}, nil},
		{"an override of a wrong type", []tree.Group{yes, over(p("enabled", prop.Count, "0"))}, graph.Config{Enabled: true}, nil},
		{"an override with a comment alone", []tree.Group{yes, over(str("comment", "x"))}, graph.Config{Enabled: true}, nil},
		{"a restarter", []tree.Group{general(enabled("true"), p("restarter", prop.FMRI, "svc:/network/inetd:default"))}, graph.Config{Enabled: true, Restarter: "svc:/network/inetd:default"}, nil},
		{"a restarter that is a word", []tree.Group{general(enabled("true"), str("restarter", "inetd"))}, graph.Config{Enabled: true, Restarter: "inetd"}, nil},
		{"two restarters", []tree.Group{general(enabled("true"), str("restarter", "a", "b"))}, graph.Config{Enabled: true}, nil},
		{"a restarter that is a number", []tree.Group{general(enabled("true"), p("restarter", prop.Count, "1"))}, graph.Config{Enabled: true}, nil},
		{"deathrow", []tree.Group{yes, group(Deathrow, "framework", p("deathrow", prop.Boolean, "true"))}, graph.Config{Enabled: true, Deathrow: true}, nil},
		{"deathrow of what is not configured", []tree.Group{group(Deathrow, "framework", p("deathrow", prop.Boolean, "true"))}, graph.Config{Deathrow: true}, nil},
		{"not deathrow", []tree.Group{yes, group(Deathrow, "framework", p("deathrow", prop.Boolean, "false"))}, graph.Config{Enabled: true}, nil},
		{"others", []tree.Group{yes, group("restarter", "framework", enabled("false"))}, graph.Config{Enabled: true}, nil},
	} {
		got, err := Config(c.now, nil)
		if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// TestDependencies is the table of what is a bad dependency, and of what stays of it.
func TestDependencies(t *testing.T) {
	both := []string{"svc:/a", "svc:/b:c"}
	gone := func(name string) tree.Property { return tree.Property{Name: name} }
	for _, c := range []struct {
		name    string
		group   tree.Group
		want    *graph.Dependency // nil: none
		invalid string
	}{
		{"good", good("d"), &graph.Dependency{Name: "d", Grouping: graph.RequireAll, Entities: both}, ""},
		{"require_any, error", good("d", str("grouping", "require_any"), str("restart_on", "error")), &graph.Dependency{Name: "d", Grouping: graph.RequireAny, RestartOn: graph.Fault, Entities: both}, ""},
		{"optional_all, restart", good("d", str("grouping", "optional_all"), str("restart_on", "restart")), &graph.Dependency{Name: "d", Grouping: graph.OptionalAll, RestartOn: graph.Restarted, Entities: both}, ""},
		{"exclude_all, refresh", good("d", str("grouping", "exclude_all"), str("restart_on", "refresh")), &graph.Dependency{Name: "d", Grouping: graph.ExcludeAll, RestartOn: graph.Refreshed, Entities: both}, ""},
		{"a kind of string", good("d", p("grouping", prop.UString, "require_all"), p("entities", prop.AString, "svc:/a")), &graph.Dependency{Name: "d", Grouping: graph.RequireAll, Entities: both[:1]}, ""},
		{"paths", good("d", str("type", "path"), p("entities", prop.FMRI, "file://localhost/etc/x", "file:/y")), &graph.Dependency{Name: "d", Grouping: graph.RequireAll, Scheme: graph.Paths, Entities: []string{"file://localhost/etc/x", "file:/y"}}, ""},
		{"empty", group("d", Dependency), nil, ""},
		{"another type", group("d", "application", str("grouping", "nonsense")), nil, ""},
		{"no entity", good("d", p("entities", prop.FMRI)), &graph.Dependency{Name: "d", Grouping: graph.RequireAll}, ""},
		{"no entity, and no type", good("d", p("entities", prop.FMRI), gone("type")), &graph.Dependency{Name: "d", Grouping: graph.RequireAll}, ""},
		{"no entity, of a strange type", good("d", p("entities", prop.FMRI), str("type", "host")), &graph.Dependency{Name: "d", Grouping: graph.RequireAll}, ""},

		{"no grouping", good("d", gone("grouping")), nil, `dependency "d": grouping is missing`},
		{"a strange grouping", good("d", str("grouping", "require_some")), nil, `dependency "d": unknown grouping "require_some"`},
		{"an empty grouping", good("d", str("grouping", "")), nil, `dependency "d": unknown grouping ""`},
		{"another case", good("d", str("grouping", "Require_all")), nil, `dependency "d": unknown grouping "Require_all"`},
		{"two groupings", good("d", str("grouping", "require_all", "require_all")), nil, `dependency "d": grouping has 2 values, not one`},
		{"no value", good("d", str("grouping")), nil, `dependency "d": grouping has 0 values, not one`},
		{"a number", good("d", p("grouping", prop.Count, "1")), nil, `dependency "d": grouping is of type count, not astring`},
		{"no restart_on", good("d", gone("restart_on")), nil, `dependency "d": restart_on is missing`},
		{"a strange restart_on", good("d", str("restart_on", "fault")), nil, `dependency "d": unknown restart_on "fault"`},
		{"no entities", good("d", gone("entities")), nil, `dependency "d": entities is missing`},
		{"entities that are numbers", good("d", p("entities", prop.Count, "1")), nil, `dependency "d": entities is of type count, not fmri`},
		{"no type", good("d", gone("type")), nil, `dependency "d": "svc:/a" does not fit the type ""`},
		{"a strange type", good("d", str("type", "host")), nil, `dependency "d": "svc:/a" does not fit the type "host"`},
		{"two types", good("d", str("type", "service", "path")), nil, `dependency "d": "svc:/a" does not fit the type ""`},
		{"services that are paths", good("d", str("type", "path")), nil, `dependency "d": "svc:/a" does not fit the type "path"`},
		{"one path among services", good("d", p("entities", prop.FMRI, "svc:/a", "file:///x")), &graph.Dependency{Name: "d", Grouping: graph.RequireAll, Entities: both[:1]}, `dependency "d": "file:///x" does not fit the type "service"`},
		{"no FMRI", good("d", str("entities", "milestone", "svc:/b:c")), &graph.Dependency{Name: "d", Grouping: graph.RequireAll, Entities: both[1:]}, `dependency "d": "milestone" is not an FMRI`},
		{"a bad FMRI", good("d", str("entities", "svc:/9")), nil, `dependency "d": "svc:/9" is not an FMRI`},
		{"another host's", good("d", str("entities", "svc://other/a:b")), nil, `dependency "d": "svc://other/a:b" is not an FMRI`},
		{"a script", good("d", str("entities", "lrc:/etc/rc2_d/S1")), nil, `dependency "d": "lrc:/etc/rc2_d/S1" is not an FMRI`},
		{"a property", good("d", str("entities", "svc:/a/:properties/x")), nil, `dependency "d": "svc:/a/:properties/x" is neither a service nor an instance`},
		{"an empty entity", good("d", str("entities", "")), nil, `dependency "d": "" is not an FMRI`},
		{"the first of two mistakes", good("d", str("entities", "one", "two")), nil, `dependency "d": "one" is not an FMRI`},
		{"control characters", good("d", str("grouping", "a\n\x1b[2J")), nil, `dependency "d": unknown grouping "a\n\x1b[2J"`},
	} {
		got, err := Config([]tree.Group{general(enabled("true"))}, []tree.Group{c.group})
		var want []graph.Dependency
		if c.want != nil {
			want = []graph.Dependency{*c.want}
		}
		if err != nil || got.Invalid != c.invalid || !reflect.DeepEqual(got.Dependencies, want) {
			t.Errorf("%s: %v %+v\n%s\n%s", c.name, err, got.Dependencies, got.Invalid, c.invalid)
		}
	}
}

// TestSeveral: the first mistake is told, and what is good is there whatever comes before it.
func TestSeveral(t *testing.T) {
	c, err := Config([]tree.Group{general(enabled("true"))}, []tree.Group{
		good("a"), good("b", str("grouping", "x")), good("c", str("restart_on", "y")), good("d"),
	})
	if err != nil || c.Invalid != `dependency "b": unknown grouping "x"` || len(c.Dependencies) != 2 || c.Dependencies[0].Name != "a" || c.Dependencies[1].Name != "d" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestTextIsOneLine: whatever a value is, and however long.
func TestTextIsOneLine(t *testing.T) {
	for _, value := range []string{strings.Repeat("x", prop.ValueBytesMax), strings.Repeat("é\n", 1000), "\xff\x00", "a\u202eb"} {
		for _, g := range []tree.Group{good("d", str("grouping", value)), good("d", str("entities", value)), good("d", str("type", value))} {
			c, err := Config([]tree.Group{general(enabled("true"))}, []tree.Group{g})
			if err != nil || c.Invalid == "" || strings.ContainsAny(c.Invalid, "\n\x1b\x00") || !utf8.ValidString(c.Invalid) || len(c.Invalid) > 8*quoteMax {
				t.Errorf("%q: %q, %v", value[:min(len(value), 20)], c.Invalid, err)
			}
		}
	}
}

// graphTakes holds that whatever is read can be given to a graph, and that a graph is told of every
// mistake.
func graphTakes(t *testing.T, c graph.Config) {
	t.Helper()
	g := graph.New()
	if err := g.Apply(graph.Op{Kind: graph.Configure, FMRI: "svc:/x:y", Config: c}); err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	e, err := g.Explain("svc:/x:y")
	if err != nil || c.Invalid != "" && (e.Broken.Event != graph.InvalidDependency || e.Broken.Detail != c.Invalid) {
		t.Errorf("%+v: %+v, %v", c, e.Broken, err)
	}
}

func FuzzDependency(f *testing.F) {
	f.Add("require_all", "none", "service", "svc:/a:b", byte(prop.FMRI), byte(prop.AString))
	f.Add("exclude_all", "error", "path", "file:///x", byte(prop.FMRI), byte(prop.AString))
	f.Add("\x1b", "", "x", "file:", byte(prop.AString), byte(prop.Count))
	f.Fuzz(func(t *testing.T, grouping, restart, kind, entity string, is, other byte) {
		g := group("d", Dependency, p("grouping", prop.Type(other), grouping), str("restart_on", restart), str("type", kind), p("entities", prop.Type(is), entity, "svc:/good:one"))
		c, err := Config([]tree.Group{general(enabled("true"))}, []tree.Group{g})
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(c.Invalid, "\n\x1b\x00") {
			t.Errorf("%q", c.Invalid)
		}
		if c.Invalid == "" && len(c.Dependencies) != 1 {
			t.Errorf("%+v", c)
		}
		graphTakes(t, c)
	})
}

// open is a repository with one instance, which changed since its snapshot was taken.
func open(t *testing.T) (*repo.Repo, repo.Entity) {
	t.Helper()
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	e := repo.Entity{Service: "site/x", Instance: "y"}
	service := repo.Entity{Service: e.Service}
	put := func(b *repo.Batch, on repo.Entity, g tree.Group) { b.PutGroup(on, &g) }
	apply(t, r, func(b *repo.Batch) {
		b.Ensure(e)
		put(b, service, general(p("restarter", prop.FMRI, "svc:/r:r")))
		put(b, service, good("under"))
		put(b, service, good("both", str("grouping", "require_any")))
		put(b, e, general(enabled("true")))
		put(b, e, good("both", str("grouping", "optional_all")))
		b.TakeSnapshot(e, repo.Running)
	})
	apply(t, r, func(b *repo.Batch) {
		put(b, e, general(enabled("false")))
		put(b, e, good("later"))
		b.DeleteGroup(service, "under")
	})
	return r, e
}

func apply(t *testing.T, r *repo.Repo, fill func(*repo.Batch)) {
	t.Helper()
	var b repo.Batch
	fill(&b)
	if _, err := r.Apply(&b); err != nil {
		t.Fatal(err)
	}
}

// TestOfRepository: what is wished is as it is now, dependencies are those of the running snapshot,
// composed; a reader and a store give the same.
func TestOfRepository(t *testing.T) {
	r, e := open(t)
	want := graph.Config{Restarter: "svc:/r:r", Dependencies: []graph.Dependency{
		{Name: "both", Grouping: graph.OptionalAll, Entities: []string{"svc:/a", "svc:/b:c"}},
		{Name: "under", Grouping: graph.RequireAll, Entities: []string{"svc:/a", "svc:/b:c"}},
	}}
	both := func() (one, other graph.Config) {
		t.Helper()
		err := r.View(func(v *repo.Reader) (err error) { one, err = Of(v, e); return err })
		if err != nil {
			t.Fatal(err)
		}
		now, running := Queries(repo.Entity{}, "more")
		s := door.NewLocal(r) // not closed: the repository is closed with the test
		var groups [2][]tree.Group
		for i, q := range []door.Query{now, running} {
			result, err := s.Scan(q)
			if err != nil || len(result.Entries) != 1 || result.Entries[0].On != e {
				t.Fatal(result, err)
			}
			for _, g := range result.Entries[0].Groups {
				groups[i] = append(groups[i], g.Group)
			}
		}
		other, err = Config(groups[0], groups[1])
		if err != nil {
			t.Fatal(err)
		}
		return one, other
	}
	if one, other := both(); !reflect.DeepEqual(one, want) || !reflect.DeepEqual(other, want) {
		t.Errorf("%+v\n%+v\n%+v", one, other, want)
	}
	apply(t, r, func(b *repo.Batch) { b.DeleteSnapshot(e, repo.Running) })
	one, other := both()
	if names := len(one.Dependencies); names != 2 || one.Dependencies[1].Name != "later" || !reflect.DeepEqual(one, other) {
		t.Errorf("without a snapshot: %+v\n%+v", one, other)
	}
	apply(t, r, func(b *repo.Batch) { b.DeleteGroup(e, General) })
	err := r.View(func(v *repo.Reader) error { _, err := Of(v, e); return err })
	if !errors.Is(err, ErrNotConfigured) {
		t.Error(err)
	}
	err = r.View(func(v *repo.Reader) error {
		_, err := Of(v, repo.Entity{Service: "none", Instance: "none"})
		return err
	})
	if !errors.Is(err, repo.ErrNotFound) {
		t.Error(err)
	}
}
