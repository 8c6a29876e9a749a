package repo

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/linuxzones/zones/svc/tree"
)

// contents is how many contents the file has, and how many groups are in them.
func contents(t testing.TB, r *Repo) (records, groups int) {
	t.Helper()
	view(t, r, func(v *Reader) {
		c := v.main.contents.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			if len(k) == contentBytes {
				records++
			} else {
				groups++
			}
		}
	})
	return records, groups
}

func TestSnapshots(t *testing.T) {
	r := fresh(t)
	set := func(value string) {
		apply(t, r, func(b *Batch) {
			b.PutGroup(web, group("s", str("x", value)))
			b.PutGroup(webOne, group("i", str("x", value)))
			b.PutGroup(webOne, volatileGroup("v", str("x", value)))
		})
	}
	frozen := func(name string) (values string) {
		view(t, r, func(v *Reader) {
			f, err := v.Frozen(webOne, name)
			must(t, err)
			for _, g := range append(f.Service, f.Instance...) {
				values += g.Name + g.Props[0].Values[0] + " "
			}
		})
		return values
	}
	set("1")
	apply(t, r, func(b *Batch) {
		for _, name := range []string{Initial, LastImport, Running} {
			b.TakeSnapshot(webOne, name)
		}
		b.CopySnapshot(webOne, Running, Start)
	})
	if records, groups := contents(t, r); records != 1 || groups != 2 {
		t.Errorf("four names of the same have %d contents of %d groups", records, groups)
	}
	set("2")
	apply(t, r, func(b *Batch) { b.CopySnapshot(webOne, Running, Previous); b.TakeSnapshot(webOne, Running) })
	if got := frozen(Start) + frozen(Previous) + frozen(Running); got != "s1 i1 s1 i1 s2 i2 " {
		t.Error(got)
	}
	view(t, r, func(v *Reader) {
		if got := v.Snapshots(webOne); !slices.Equal(got, []string{Initial, LastImport, Previous, Running, Start}) {
			t.Error(got)
		}
		if got := v.Snapshots(webTwo); got != nil {
			t.Error(got)
		}
	})
	apply(t, r, func(b *Batch) {
		for _, name := range []string{Initial, LastImport, Previous} {
			b.DeleteSnapshot(webOne, name)
		}
	})
	if records, _ := contents(t, r); records != 2 {
		t.Errorf("%d contents of two", records)
	}
	apply(t, r, func(b *Batch) { b.CopySnapshot(webOne, Running, Start) })
	if records, groups := contents(t, r); records != 1 || groups != 2 {
		t.Errorf("%d contents of one, %d groups", records, groups)
	}
	apply(t, r, func(b *Batch) { b.Delete(webOne, KeepChildren) })
	if records, groups := contents(t, r); records != 0 || groups != 0 {
		t.Errorf("%d contents of none, %d groups", records, groups)
	}
}

func TestRevert(t *testing.T) {
	r := fresh(t)
	apply(t, r, func(b *Batch) {
		b.PutGroup(web, group("kept", str("x", "1")))
		b.PutGroup(web, group("changed", str("x", "1"), str("y", "1")))
		b.PutGroup(webOne, group("deleted", str("x", "1")))
		b.TakeSnapshot(webOne, Previous)
	})
	var kept uint64
	view(t, r, func(v *Reader) { _, kept, _ = v.Group(web, "kept") })
	want := dumpOf(t, r, web.Service)
	apply(t, r, func(b *Batch) {
		b.SetProperty(web, "changed", str("x", "2"))
		b.DeleteProperty(web, "changed", "y")
		b.DeleteGroup(webOne, "deleted")
		b.PutGroup(webOne, volatileGroup("deleted", str("x", "3")))
		b.PutGroup(webOne, group("new", str("x", "1")))
		b.PutGroup(webOne, volatileGroup("live", str("x", "1")))
	})
	apply(t, r, func(b *Batch) { b.Revert(webOne, Previous) })
	if g := get(t, r, webOne, "live", "x"); g != "1" {
		t.Error("what is not persistent was reverted")
	}
	apply(t, r, func(b *Batch) { b.DeleteGroup(webOne, "live") })
	if got := dumpOf(t, r, web.Service); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	view(t, r, func(v *Reader) {
		if _, g, _ := v.Group(web, "kept"); g != kept {
			t.Errorf("what was so already was written at %d", g)
		}
	})
}

func dumpOf(t testing.TB, r *Repo, service string) (s *tree.Service) {
	view(t, r, func(v *Reader) {
		var err error
		s, err = v.Service(service)
		must(t, err)
	})
	return s
}

func TestComposition(t *testing.T) {
	r := fresh(t)
	apply(t, r, func(b *Batch) {
		b.PutGroup(web, &tree.Group{Name: "both", Type: "t", Props: []tree.Property{str("a", "s"), str("c", "s"), str("e", "s")}})
		b.PutGroup(webOne, &tree.Group{Name: "both", Type: "u", Props: []tree.Property{str("b", "i"), str("c", "i")}})
		b.PutGroup(web, group("service", str("a", "s")))
		b.PutGroup(webOne, group("instance"))
		b.PutGroup(web, volatileGroup("over", str("a", "s")))
		b.PutGroup(webOne, volatileGroup("over", str("b", "i")))
	})
	lines := func(s *Source, err error) (out string) {
		must(t, err)
		groups, err := s.Groups()
		must(t, err)
		for _, g := range groups {
			one, err := s.Group(g.Name)
			if err != nil || !one.Equal(&g) {
				t.Errorf("%+v and %+v %v", one, g, err)
			}
			out += g.Name + "(" + g.Type[:1]
			for _, p := range g.Props {
				same, err := s.Property(g.Name, p.Name)
				if err != nil || !same.Equal(&p) {
					t.Errorf("%+v and %+v %v", same, p, err)
				}
				out += " " + p.Name + p.Values[0]
			}
			out += ") "
		}
		for _, name := range []string{"none", "both"} {
			if _, err := s.Property(name, "none"); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		}
		return out
	}
	const composed = "both(u as bi ci es) instance(a) over(a as bi) service(a as) "
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	view(t, r, func(v *Reader) {
		check("direct", lines(v.Direct(webOne)), "both(u bi ci) instance(a) over(a bi) ")
		check("service", lines(v.Composed(web)), "both(t as cs es) over(a as) service(a as) ")
		check("composed", lines(v.Composed(webOne)), composed)
		check("effective, no snapshot", lines(v.Effective(webOne)), composed)
	})
	apply(t, r, func(b *Batch) {
		b.TakeSnapshot(webOne, Running)
		b.SetProperty(webOne, "both", str("c", "new"))
		b.DeleteGroup(web, "service")
		b.SetProperty(webOne, "over", str("b", "new"))
		b.PutGroup(web, group("later"))
	})
	view(t, r, func(v *Reader) {
		check("snapshot", lines(v.Snapshot(webOne, Running)), "both(u as bi ci es) instance(a) service(a as) ")
		check("effective", lines(v.Effective(webOne)), "both(u as bi ci es) instance(a) over(a as bnew) service(a as) ")
		check("composed", lines(v.Composed(webOne)), "both(u as bi cnew es) instance(a) later(a) over(a as bnew) ")
		check("effective service", lines(v.Effective(web)), "both(t as cs es) later(a) over(a as) ")
		for _, f := range []func() error{
			func() error { _, err := v.Direct(webTwo); return err },
			func() error { _, err := v.Composed(webTwo); return err },
			func() error { _, err := v.Effective(webTwo); return err },
			func() error { _, err := v.Snapshot(webOne, Start); return err },
			func() error { _, err := v.Frozen(webOne, Start); return err },
			func() error { _, err := v.Instances("other"); return err },
			func() error { _, err := v.Service("other"); return err },
			func() error { _, err := v.Groups(webTwo); return err },
			func() error { _, _, err := v.Group(webOne, "none"); return err },
			func() error { _, _, err := v.Group(webTwo, "both"); return err },
		} {
			if err := f(); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		}
	})
}

// TestSnapshotLimit and the others are of numbers that a test can reach.
func TestLimits(t *testing.T) {
	r := fresh(t)
	many := func(n int, f func(b *Batch, name string)) func(*Batch) {
		return func(b *Batch) {
			for i := range n {
				f(b, "n"+strconv.Itoa(i))
			}
		}
	}
	for name, c := range map[string]struct {
		max int
		op  func(b *Batch, name string)
	}{
		"snapshots": {snapshotsMax, func(b *Batch, n string) { b.TakeSnapshot(webOne, n) }},
		"groups":    {groupsMax, func(b *Batch, n string) { b.CreateGroup(web, n, "t", 0) }},
		"volatile groups": {groupsMax, func(b *Batch, n string) {
			b.CreateGroup(webOne, n, "t", tree.NonPersistent)
		}},
		"instances": {instancesMax - 1, func(b *Batch, n string) { b.Create(Entity{web.Service, n}) }},
		"services":  {servicesMax - 1, func(b *Batch, n string) { b.Create(Entity{Service: n}) }},
	} {
		refuse(t, r, ErrLimit, many(c.max+1, c.op))
		if name != "services" && name != "instances" {
			apply(t, r, many(c.max, c.op))
		}
	}
	props := func(n int) *tree.Group {
		g := group("big")
		for i := range n {
			g.Props = append(g.Props, str("p"+strconv.Itoa(i)))
		}
		return g
	}
	refuse(t, r, ErrLimit, func(b *Batch) { b.PutGroup(webTwo, props(1)); b.Ops[0].On = webOne })
	apply(t, r, func(b *Batch) { b.Create(webTwo); b.PutGroup(webTwo, props(propertiesMax)) })
	refuse(t, r, ErrLimit, func(b *Batch) { b.SetProperty(webTwo, "big", str("q")) })
	refuse(t, r, ErrLimit, func(b *Batch) { b.PutGroup(webTwo, props(propertiesMax+1)) })
	refuse(t, r, ErrLimit, func(b *Batch) { b.SetProperty(webTwo, "big", str("p1", make([]string, valuesMax+1)...)) })
	value := string(make([]byte, 0)) + stringOf(4000)
	refuse(t, r, ErrLimit, func(b *Batch) { // a group over its bytes
		for i := range 300 {
			b.SetProperty(webTwo, "big", str("p"+strconv.Itoa(i), value))
		}
	})
	refuse(t, r, ErrLimit, func(b *Batch) { // a batch over its bytes
		for i := range 25 {
			g := group("g" + strconv.Itoa(i))
			for j := range 200 {
				g.Props = append(g.Props, str("p"+strconv.Itoa(j), value))
			}
			b.PutGroup(webTwo, g)
		}
	})
	var b Batch
	b.Ops = make([]Op, opsMax+1)
	if _, err := r.Apply(&b); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

func stringOf(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'v'
	}
	return string(b)
}

// TestFileLimit: a full file refuses, and goes on with what it has.
func TestFileLimit(t *testing.T) {
	for _, volatileFull := range []bool{false, true} {
		cfg := config(t.TempDir())
		cfg.bytesMax, cfg.volatileBytesMax = 4<<20, FileBytesMax
		put := func(b *Batch, g *tree.Group) { b.PutGroup(web, g) }
		if volatileFull {
			cfg.bytesMax, cfg.volatileBytesMax = 0, 1<<20
			put = func(b *Batch, g *tree.Group) { g.Flags = tree.NonPersistent; b.PutGroup(web, g) }
		}
		r := open(t, cfg)
		apply(t, r, func(b *Batch) { b.Create(web) })
		g := func(i int) *tree.Group {
			g := group("g" + strconv.Itoa(i))
			for j := range 50 {
				g.Props = append(g.Props, str("p"+strconv.Itoa(j), stringOf(4000)))
			}
			return g
		}
		var err error
		n := 0
		for ; err == nil && n < 100; n++ {
			var b Batch
			put(&b, g(n))
			_, err = r.Apply(&b)
		}
		if !errors.Is(err, ErrLimit) || n < 3 {
			t.Fatalf("%d groups: %v", n, err)
		}
		apply(t, r, func(b *Batch) { b.DeleteGroup(web, "g0") })
		apply(t, r, func(b *Batch) { put(b, group("small", str("x", "1"))) })
		if got := get(t, r, web, "small", "x"); got != "1" {
			t.Error(got)
		}
	}
}
