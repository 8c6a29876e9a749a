package repo

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

func TestBatch(t *testing.T) {
	r := open(t, config(t.TempDir()))
	if r.Generation() != 0 {
		t.Errorf("a new repository has generation %d", r.Generation())
	}
	g := apply(t, r, func(b *Batch) {
		b.Create(web)
		b.Create(webOne)
		b.CreateGroup(web, "general", "framework", 0)
		b.SetProperty(web, "general", tree.Property{Name: "enabled", Type: prop.Boolean, Values: []string{"1"}})
		b.SetProperty(web, "general", str("note", "b", "a"))
		b.PutGroup(webOne, volatileGroup("restarter", str("state", "online")))
	})
	if g != 1 || r.Generation() != 1 {
		t.Errorf("generation %d, %d", g, r.Generation())
	}
	view(t, r, func(v *Reader) {
		s, err := v.Service("network/web")
		must(t, err)
		want := &tree.Service{
			Name: "network/web",
			Groups: []tree.Group{{Name: "general", Type: "framework", Props: []tree.Property{
				{Name: "enabled", Type: prop.Boolean, Values: []string{"true"}}, str("note", "b", "a"),
			}}},
			Instances: []tree.Instance{{Name: "default", Groups: []tree.Group{*volatileGroup("restarter", str("state", "online"))}}},
		}
		if !reflect.DeepEqual(s, want) {
			t.Errorf("%+v, want %+v", s, want)
		}
	})
	apply(t, r, func(b *Batch) {
		b.SetValues(web, "general", tree.Property{Name: "note", Values: []string{"c"}})
		b.DeleteProperty(web, "general", "enabled")
		b.DeleteGroup(webOne, "restarter")
	})
	if got := get(t, r, webOne, "general", "note") + get(t, r, web, "general", "enabled") + get(t, r, webOne, "restarter", "state"); got != "c--" {
		t.Error(got)
	}
	apply(t, r, func(b *Batch) { b.Delete(web, WithChildren) })
	if got := dump(t, r); got != "generation 3\n" {
		t.Error(got)
	}
}

// TestNothingChanged: what is so already is not written.
func TestNothingChanged(t *testing.T) {
	r := fresh(t)
	fill := func(b *Batch) {
		b.Ensure(webOne)
		b.PutGroup(web, group("a", str("y", "1"), str("x", "1")))
		b.PutGroup(web, volatileGroup("v", str("x", "1")))
		b.SetProperty(web, "a", str("x", "1"))
		b.TakeSnapshot(webOne, Running)
		b.CopySnapshot(webOne, Running, Start)
		b.Revert(webOne, Running)
	}
	first := apply(t, r, fill)
	if again := apply(t, r, fill); again != first || r.Generation() != first {
		t.Errorf("generation %d after %d", again, first)
	}
	if g := apply(t, r, func(b *Batch) {}); g != first {
		t.Errorf("an empty batch makes generation %d", g)
	}
	apply(t, r, func(b *Batch) { b.CreateGroup(web, "b", "t", 0); b.DeleteGroup(web, "b") })
	if r.Generation() != first {
		t.Error("a group that came and went was written")
	}
}

func TestRefusals(t *testing.T) {
	r := fresh(t)
	apply(t, r, func(b *Batch) {
		b.PutGroup(web, group("a", str("x", "1")))
		b.PutGroup(webOne, volatileGroup("v", str("x", "1")))
		b.TakeSnapshot(webOne, Running)
	})
	other, long := Entity{Service: "other"}, strings.Repeat("x", 120)
	for _, c := range []struct {
		name string
		want error
		op   Op
	}{
		{"service again", ErrExists, Op{Verb: Create, On: web}},
		{"instance again", ErrExists, Op{Verb: Create, On: webOne}},
		{"instance of none", ErrNotFound, Op{Verb: Create, On: Entity{"other", "i"}}},
		{"name of a service", ErrInvalidName, Op{Verb: Create, On: Entity{Service: "a//b"}}},
		{"no name", ErrInvalidName, Op{Verb: Create}},
		{"name of an instance", ErrInvalidName, Op{Verb: Ensure, On: Entity{"a", "b/c"}}},
		{"a service too long", ErrInvalidName, Op{Verb: Ensure, On: Entity{Service: long}}},
		{"delete a service in use", ErrInUse, Op{Verb: Delete, On: web}},
		{"delete no service", ErrNotFound, Op{Verb: Delete, On: other}},
		{"delete no instance", ErrNotFound, Op{Verb: Delete, On: webTwo}},
		{"group again", ErrExists, Op{Verb: CreateGroup, On: web, Name: "a", Type: "t"}},
		{"volatile group again", ErrExists, Op{Verb: CreateGroup, On: webOne, Name: "v", Type: "t"}},
		{"group of none", ErrNotFound, Op{Verb: CreateGroup, On: other, Name: "a", Type: "t"}},
		{"name of a group", ErrInvalidName, Op{Verb: CreateGroup, On: web, Name: "a b", Type: "t"}},
		{"no name of a group", ErrInvalidName, Op{Verb: CreateGroup, On: web, Type: "t"}},
		{"type of a group", ErrInvalidName, Op{Verb: CreateGroup, On: web, Name: "b", Type: "t/u"}},
		{"flags of a group", ErrInvalidOp, Op{Verb: CreateGroup, On: web, Name: "b", Type: "t", Flags: 2}},
		{"no tree", ErrInvalidOp, Op{Verb: PutGroup, On: web}},
		{"a property twice", ErrExists, Op{Verb: PutGroup, On: web, Tree: group("b", str("x"), str("x"))}},
		{"a value in a tree", ErrInvalidValue, Op{Verb: PutGroup, On: web, Tree: group("b", tree.Property{Name: "x", Type: prop.Count, Values: []string{"x"}})}},
		{"delete no group", ErrNotFound, Op{Verb: DeleteGroup, On: web, Name: "b"}},
		{"delete a group of none", ErrNotFound, Op{Verb: DeleteGroup, On: other, Name: "a"}},
		{"property of no group", ErrNotFound, Op{Verb: SetProperty, On: web, Name: "b", Prop: str("x", "1")}},
		{"name of a property", ErrInvalidName, Op{Verb: SetProperty, On: web, Name: "a", Prop: str("x y", "1")}},
		{"type of a property", ErrInvalidValue, Op{Verb: SetProperty, On: web, Name: "a", Prop: tree.Property{Name: "y"}}},
		{"value", ErrInvalidValue, Op{Verb: SetProperty, On: web, Name: "a", Prop: tree.Property{Name: "y", Type: prop.Boolean, Values: []string{"no"}}}},
		{"value too long", prop.ErrTooLong, Op{Verb: SetProperty, On: web, Name: "a", Prop: str("y", strings.Repeat("x", prop.ValueBytesMax+1))}},
		{"values of no property", ErrNotFound, Op{Verb: SetValues, On: web, Name: "a", Prop: str("y", "1")}},
		{"values of another type", ErrTypeMismatch, Op{Verb: SetValues, On: web, Name: "a", Prop: tree.Property{Name: "x", Type: prop.Count, Values: []string{"1"}}}},
		{"delete no property", ErrNotFound, Op{Verb: DeleteProperty, On: web, Name: "a", Prop: tree.Property{Name: "y"}}},
		{"snapshot of a service", ErrInvalidOp, Op{Verb: TakeSnapshot, On: web, Name: "s"}},
		{"snapshot of none", ErrNotFound, Op{Verb: TakeSnapshot, On: webTwo, Name: "s"}},
		{"name of a snapshot", ErrInvalidName, Op{Verb: TakeSnapshot, On: webOne, Name: "a b"}},
		{"copy no snapshot", ErrNotFound, Op{Verb: CopySnapshot, On: webOne, From: "s", Name: "t"}},
		{"delete no snapshot", ErrNotFound, Op{Verb: DeleteSnapshot, On: webOne, Name: "s"}},
		{"revert to no snapshot", ErrNotFound, Op{Verb: Revert, On: webOne, Name: "s"}},
		{"stale repository", ErrStale, Op{Verb: ExpectRepository, Generation: 1}},
		{"stale group", ErrStale, Op{Verb: ExpectGroup, On: web, Name: "a", Generation: 1}},
		{"group expected absent", ErrStale, Op{Verb: ExpectGroup, On: web, Name: "a"}},
		{"absent group expected", ErrStale, Op{Verb: ExpectGroup, On: web, Name: "b", Generation: 1}},
		{"expected service", ErrNotFound, Op{Verb: ExpectExists, On: other}},
		{"expected group", ErrNotFound, Op{Verb: ExpectExists, On: web, Name: "b"}},
		{"group of an expected service", ErrNotFound, Op{Verb: ExpectExists, On: other, Name: "b"}},
		{"unexpected service", ErrExists, Op{Verb: ExpectAbsent, On: web}},
		{"unexpected group", ErrExists, Op{Verb: ExpectAbsent, On: webOne, Name: "v"}},
		{"no verb", ErrInvalidOp, Op{}},
		{"unknown verb", ErrInvalidOp, Op{Verb: verbCount}},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := refuse(t, r, c.want, func(b *Batch) {
				b.PutGroup(web, group("before", str("x", "1")))
				b.PutGroup(webOne, volatileGroup("before", str("x", "1")))
				if c.op.Verb == ExpectRepository {
					b.Ops = nil
				}
				b.Ops = append(b.Ops, c.op)
			})
			if op != nil && (op.Verb != c.op.Verb || strings.Contains(op.Error(), "\n") || len(op.Error()) > 500) {
				t.Errorf("%q", op.Error())
			}
		})
	}
}

// TestExpectations: two who read the same, and the later one is told.
func TestExpectations(t *testing.T) {
	r := fresh(t)
	apply(t, r, func(b *Batch) { b.PutGroup(web, group("a", str("x", "1"))); b.PutGroup(web, group("b")) })
	var read uint64
	view(t, r, func(v *Reader) { _, read, _ = v.Group(web, "a") })
	set := func(value string) func(*Batch) {
		return func(b *Batch) { b.ExpectGroup(web, "a", read); b.SetProperty(web, "a", str("x", value)) }
	}
	apply(t, r, func(b *Batch) { b.SetProperty(web, "b", str("x", "1")) }) // another group is none of theirs
	apply(t, r, set("2"))
	refuse(t, r, ErrStale, set("3"))
	if got := get(t, r, web, "a", "x"); got != "2" {
		t.Error(got)
	}
	g := r.Generation()
	whole := func(b *Batch) { b.ExpectRepository(g); b.SetProperty(web, "b", str("x", "2")) }
	apply(t, r, whole)
	refuse(t, r, ErrStale, whole)
	apply(t, r, func(b *Batch) {
		b.ExpectAbsent(webTwo, "")
		b.ExpectGroup(web, "c", 0)
		b.ExpectGroup(webTwo, "c", 0)
		b.ExpectExists(web, "a")
		b.ExpectExists(webOne, "")
		b.ExpectAbsent(webOne, "a")
		b.Create(webTwo)
	})
}

// TestKindChanges: a group goes from one file to the other, and is in one of them.
func TestKindChanges(t *testing.T) {
	r := fresh(t)
	for i, g := range []*tree.Group{group("a", str("x", "1")), volatileGroup("a", str("x", "2")), group("a", str("x", "3")), volatileGroup("a")} {
		apply(t, r, func(b *Batch) { b.PutGroup(webOne, g) })
		view(t, r, func(v *Reader) {
			groups, err := v.Groups(webOne)
			if err != nil || len(groups) != 1 || !groups[0].Equal(g) {
				t.Errorf("%d: %+v %v", i, groups, err)
			}
		})
	}
}

// TestOrder: names are in order whatever they begin with, and services do not mix.
func TestOrder(t *testing.T) {
	r := open(t, config(t.TempDir()))
	services := []string{"a", "a-b", "a/b", "a/b/c", "ab", "b,a", "z"}
	apply(t, r, func(b *Batch) {
		for _, s := range services {
			for _, i := range []string{"i", "i-2", "i2"} {
				e := Entity{s, i}
				b.Ensure(e)
				b.PutGroup(e, group("g", str("of", e.String())))
				b.PutGroup(e, volatileGroup("i", str("of", e.String())))
			}
			b.PutGroup(Entity{Service: s}, group("i", str("of", s)))
		}
	})
	check := func(services []string) {
		t.Helper()
		view(t, r, func(v *Reader) {
			got := slices.Collect(v.Services())
			if !slices.Equal(got, services) {
				t.Fatalf("%q", got)
			}
			for _, s := range services {
				instances, err := v.Instances(s)
				if err != nil || !slices.Equal(instances, []string{"i", "i-2", "i2"}) {
					t.Errorf("%s: %q %v", s, instances, err)
				}
				whole, err := v.Service(s)
				must(t, err)
				if len(whole.Groups) != 1 || whole.Groups[0].Props[0].Values[0] != s {
					t.Errorf("%+v", whole)
				}
				for _, i := range whole.Instances {
					for _, g := range i.Groups {
						if g.Props[0].Values[0] != (Entity{s, i.Name}).String() || len(i.Groups) != 2 {
							t.Errorf("%+v", whole)
						}
					}
				}
			}
		})
	}
	check(services)
	apply(t, r, func(b *Batch) { b.Delete(Entity{Service: "a/b"}, WithChildren) })
	check([]string{"a", "a-b", "a/b/c", "ab", "b,a", "z"})
	for name := range mustReader(t, r).Services() { // a reader may stop
		if name != "a" {
			t.Error(name)
		}
		break
	}
}

func mustReader(t testing.TB, r *Repo) *Reader {
	v, err := r.read()
	must(t, err)
	t.Cleanup(v.end)
	return v
}

// TestViewsAreConsistent: a view that began before a batch shows nothing of it.
func TestViewsAreConsistent(t *testing.T) {
	r := fresh(t)
	set := func(value string) {
		apply(t, r, func(b *Batch) {
			b.PutGroup(web, group("a", str("x", value)))
			b.PutGroup(web, volatileGroup("v", str("x", value)))
		})
	}
	set("1")
	v := mustReader(t, r)
	set("2")
	for _, name := range []string{"a", "v"} {
		if g, _, err := v.Group(web, name); err != nil || g.Props[0].Values[0] != "1" {
			t.Errorf("%+v %v", g, err)
		}
	}
	if v.Generation() != 2 || r.Generation() != 3 {
		t.Errorf("generations %d, %d", v.Generation(), r.Generation())
	}
}

// TestNoName: nothing has no name, and the key of an instance's own record is not taken for a group's.
func TestNoName(t *testing.T) {
	r := fresh(t)
	apply(t, r, func(b *Batch) { b.TakeSnapshot(webOne, Running) })
	view(t, r, func(v *Reader) {
		for _, e := range []Entity{web, webOne} {
			if _, _, err := v.Group(e, ""); !errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: %v", e, err)
			}
			for name, look := range map[string]func(Entity) (*Source, error){
				"direct": v.Direct, "composed": v.Composed, "effective": v.Effective,
				"snapshot": func(Entity) (*Source, error) { return v.Snapshot(webOne, Running) },
			} {
				s, err := look(e)
				must(t, err)
				if _, err := s.Group(""); !errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
					t.Errorf("%v, %s: %v", e, name, err)
				}
				if _, err := s.Property("", "p"); !errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
					t.Errorf("%v, %s: a property: %v", e, name, err)
				}
			}
		}
		if _, err := v.Snapshot(webOne, ""); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestReadersAndWriters(t *testing.T) {
	r := fresh(t)
	done := make(chan error)
	for range 3 {
		go func() {
			for range 300 {
				err := r.View(func(v *Reader) error {
					a, _, errA := v.Group(web, "a")
					b, _, errB := v.Group(web, "v")
					if errors.Is(errA, ErrNotFound) && errors.Is(errB, ErrNotFound) {
						return nil
					}
					if errA != nil || errB != nil || a.Props[0].Values[0] != b.Props[0].Values[0] {
						return errors.Join(errors.New("two files do not agree"), errA, errB)
					}
					return nil
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for i := range 60 {
		value := strings.Repeat("x", i*37%900)
		apply(t, r, func(b *Batch) {
			b.PutGroup(web, group("a", str("x", value)))
			b.PutGroup(web, volatileGroup("v", str("x", value)))
		})
	}
	for range 3 {
		must(t, <-done)
	}
}
