package actions

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func at(name string, stamp int64) tree.Property {
	return tree.Property{Name: name, Type: prop.Integer, Values: []string{strconv.FormatInt(stamp, 10)}}
}

func group(props ...tree.Property) *tree.Group {
	g := []tree.Group{{Name: Group, Type: Type, Flags: tree.NonPersistent, Props: props}}
	tree.SortGroups(g)
	return &g[0]
}

// text is what a group asks for, in one line.
func text(a Asked) string {
	s := ""
	for _, r := range a.Requests {
		s += fmt.Sprintf(" %s@%d", r.Name, r.Stamp)
		if r.Dump {
			s += "+dump"
		}
		if r.Moot {
			s += "-moot"
		}
	}
	return fmt.Sprintf("%v %q%s", a.TTY, a.FMRI, s)
}

func TestOf(t *testing.T) {
	astring := func(name string, values ...string) tree.Property {
		return tree.Property{Name: name, Type: prop.AString, Values: values}
	}
	for want, g := range map[string]*tree.Group{
		`false ""`:                                      nil,
		`false "" restart@5 refresh@7`:                  group(at(Refresh, 7), at(Restart, 5)),
		`false "" refresh@5 restart@5`:                  group(at(Restart, 5), at(Refresh, 5)),
		`false "" restart@5+dump`:                       group(at(Restart, 5), at(Dump, 9)),
		`false "" maint_off@5`:                          group(at(MaintOff, 5), at(Dump, 1)),
		`false "" restart@5-moot maint_on@6`:            group(at(Restart, 5), at(MaintOn, 6)),
		`false "" maint_on@6 restart@7`:                 group(at(Restart, 7), at(MaintOn, 6)),
		`false "" maint_on@6 maint_off@7`:               group(at(MaintOff, 7), at(MaintOn, 6)),
		`false "" maint_off@6-moot maint_on@7`:          group(at(MaintOff, 6), at(MaintOn, 7)),
		`false "" refresh@1 maint_on_immtemp@7`:         group(at(Refresh, 1), at(MaintOnImmTemp, 7)),
		`false "" maint_on@1-moot maint_on_temporary@2`: group(at(MaintOn, 1), at(MaintOnTemporary, 2)),
		`true "svc:/a:b" restore@3`: group(at(Restore, 3), astring(AuxFMRI, "svc:/a:b"),
			tree.Property{Name: AuxTTY, Type: prop.Boolean, Values: []string{"true"}}),
		`false "" degraded@8`: group(at(Degraded, 8), at("unknown", 9), at(Refresh, 0), at(Restart, -1), astring(MaintOn, "5"),
			tree.Property{Name: MaintOff, Type: prop.Integer, Values: []string{"1", "2"}}, tree.Property{Name: Restore, Type: prop.Integer},
			tree.Property{Name: DegradeImmediate, Type: prop.Count, Values: []string{"5"}}, astring(AuxTTY, "true"), astring(AuxFMRI)),
		`false "" `[:8] + ` degrade_immediate@` + strconv.FormatInt(math.MaxInt64, 10): group(at(DegradeImmediate, math.MaxInt64)),
	} {
		if got := text(Of(g)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := text(Of(&tree.Group{Name: "general", Props: []tree.Property{at(Restart, 5)}})); got != `false ""` {
		t.Errorf("another group asks for %s", got)
	}
	for _, name := range kinds {
		if !Is(name) || Is(Dump) || Is(AuxTTY) || Is("") {
			t.Errorf("%s", name)
		}
	}
}

var on = repo.Entity{Service: "site/x", Instance: "default"}

// newStore is a repository with an instance.
func newStore(t testing.TB) door.Store {
	t.Helper()
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot"})
	must(t, err)
	s := door.NewLocal(r)
	t.Cleanup(func() { must(t, s.Close()) })
	var b repo.Batch
	b.Ensure(on)
	_, err = s.Apply(&b)
	must(t, err)
	return s
}

func read(t testing.TB, s door.Store) (*tree.Group, uint64) {
	t.Helper()
	g, err := s.Group(on, door.Direct, Group)
	must(t, err)
	return &g.Group, g.Generation
}

// TestAskAndTook: stamps grow, whatever the clock does; what was taken goes, what came since stays.
func TestAskAndTook(t *testing.T) {
	s := newStore(t)
	last := int64(0)
	ask := func(now int64, who Asked, names ...string) {
		t.Helper()
		var b repo.Batch
		var g *tree.Group
		var generation uint64
		if last != 0 {
			g, generation = read(t, s)
		}
		stamp := Ask(&b, on, g, generation, now, who, names...)
		_, err := s.Apply(&b)
		must(t, err)
		if stamp <= last {
			t.Errorf("after %d comes %d", last, stamp)
		}
		last = stamp
	}
	ask(100, Asked{FMRI: "svc:/a:b"}, Restart)
	ask(50, Asked{TTY: true}, Refresh)
	ask(100, Asked{}, Dump, Restart)
	g, generation := read(t, s)
	taken := Of(g)
	if got := text(taken); got != `false "" refresh@101 restart@102+dump` {
		t.Fatal(got)
	}
	ask(10, Asked{}, Refresh) // while svc.startd is about it
	var b repo.Batch
	if !Took(&b, on, g, generation, taken.Requests) {
		t.Fatal("nothing was taken")
	}
	if _, err := s.Apply(&b); err == nil {
		t.Fatal("what came meanwhile was overlooked")
	}
	g, generation = read(t, s)
	b = repo.Batch{}
	if !Took(&b, on, g, generation, taken.Requests) {
		t.Fatal("nothing was taken")
	}
	_, err := s.Apply(&b)
	must(t, err)
	g, generation = read(t, s)
	if got := text(Of(g)); got != `false "" refresh@103` || g.Prop(Dump) != nil || g.Prop(AuxTTY) == nil {
		t.Errorf("%s, %v", got, g)
	}
	b = repo.Batch{}
	if Took(&b, on, g, generation, taken.Requests) || len(b.Ops) > 0 {
		t.Error("taken twice")
	}
}

// TestFarStamp: a stamp that nobody's clock gives keeps nobody from asking.
func TestFarStamp(t *testing.T) {
	for _, g := range []*tree.Group{group(at(Restart, math.MaxInt64)), group(at(Restart, math.MaxInt64), at(Dump, 7))} {
		var b repo.Batch
		if stamp := Ask(&b, on, g, 1, 5, Asked{}, Restart); stamp <= 0 || stamp == math.MaxInt64 {
			t.Errorf("%d", stamp)
		}
	}
	var b repo.Batch
	if stamp := Ask(&b, on, group(at(Refresh, math.MaxInt64-1)), 1, 5, Asked{}, Restart); stamp != math.MaxInt64 {
		t.Errorf("%d", stamp)
	}
}

// TestTaken: what was taken lately is known, by its stamp, and no more than takenMax are kept; nobody
// gets a stamp that was one before.
func TestTaken(t *testing.T) {
	s := newStore(t)
	var stamps []int64
	for i := range takenMax + 5 {
		var g *tree.Group
		var generation uint64
		if i > 0 {
			g, generation = read(t, s)
		}
		var b repo.Batch
		at := Ask(&b, on, g, generation, 100, Asked{}, Restart)
		if Known(g, Restart, at) || len(stamps) > 0 && at <= stamps[len(stamps)-1] {
			t.Errorf("%d after %v", at, stamps)
		}
		_, err := s.Apply(&b)
		must(t, err)
		g, generation = read(t, s)
		if !Known(g, Restart, at) || Known(g, Refresh, at) {
			t.Errorf("%d, which was asked", at)
		}
		b = repo.Batch{}
		Took(&b, on, g, generation, Of(g).Requests)
		_, err = s.Apply(&b)
		must(t, err)
		stamps = append(stamps, at)
	}
	g, _ := read(t, s)
	for i, at := range stamps {
		if want := i >= len(stamps)-takenMax; Known(g, Restart, at) != want {
			t.Errorf("number %d of %d is known: %t", i, len(stamps), !want)
		}
	}
	if n := len(g.Prop(Taken).Values); n != takenMax {
		t.Errorf("%d stamps are kept", n)
	}
	for _, p := range []tree.Property{
		{Name: Taken, Type: prop.AString, Values: []string{"5"}}, {Name: Taken, Type: prop.Integer}, at(Taken, -5), at(Taken, 0),
	} {
		if Known(group(p), Restart, 5) || Known(group(p), Restart, 0) || Known(nil, Restart, 5) {
			t.Errorf("%v", p)
		}
	}
}
