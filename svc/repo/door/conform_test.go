package door_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

func TestLocal(t *testing.T)  { conform(t, func(t *testing.T) door.Store { return local(t) }) }
func TestClient(t *testing.T) { conform(t, func(t *testing.T) door.Store { return serve(t).client() }) }

func local(t *testing.T) door.Store {
	r, err := openRepo(t.TempDir())
	must(t, err)
	l := door.NewLocal(r)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// conform is what every Store does.
func conform(t *testing.T, fresh func(t *testing.T) door.Store) {
	for name, test := range map[string]func(t *testing.T, s door.Store){
		"reads": conformReads, "scans": conformScans, "snapshots": conformSnapshots, "nothing": conformNothing,
		"batches": conformBatches, "watch": conformWatch, "keeping": conformKeeping, "large": conformLarge,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// fill makes two services with what views differ in.
func fill(t *testing.T, s door.Store) uint64 {
	return apply(t, s, func(b *repo.Batch) {
		b.Ensure(webOne)
		b.Ensure(webTwo)
		b.Ensure(repo.Entity{Service: "a", Instance: "i"})
		b.PutGroup(web, group("config", str("port", "80"), str("root", "/srv")))
		b.PutGroup(webOne, group("config", str("port", "8080")))
		b.PutGroup(webOne, &tree.Group{Name: "general", Type: "framework", Props: []tree.Property{{Name: "enabled", Type: prop.Boolean, Values: []string{"true"}}}})
		b.TakeSnapshot(webOne, repo.Running)
		b.SetProperty(webOne, "config", str("port", "9090"))
		b.PutGroup(webOne, volatileGroup("state", str("is", "online", "two words")))
	})
}

func conformReads(t *testing.T, s door.Store) {
	generation := fill(t, s)
	if g, err := s.Generation(); g != generation || err != nil {
		t.Errorf("generation %d, %v", g, err)
	}
	for _, c := range []struct {
		e    repo.Entity
		v    door.View
		port string // of config
		n    int    // how many properties config has
		all  string // names of all groups
	}{
		{web, door.Direct, "80", 2, "config"},
		{webOne, door.Direct, "9090", 1, "config general state"},
		{webOne, door.Composed, "9090", 2, "config general state"},
		{webOne, door.Effective, "8080", 2, "config general state"},
		{webOne, door.Snapshot(repo.Running), "8080", 2, "config general"},
		{webOne, door.SnapshotInstance(repo.Running), "8080", 1, "config general"},
		{webOne, door.SnapshotService(repo.Running), "80", 2, "config"},
		{webTwo, door.Composed, "80", 2, "config"},
		{webTwo, door.Effective, "80", 2, "config"},
		{web, door.Effective, "80", 2, "config"},
	} {
		p, err := s.Property(c.e, c.v, "config", "port")
		if err != nil || !reflect.DeepEqual(p, str("port", c.port)) {
			t.Errorf("%v %v: %+v, %v", c.e, c.v, p, err)
		}
		g, err := s.Group(c.e, c.v, "config")
		if err != nil || len(g.Props) != c.n || g.Props[0].Values[0] != c.port || g.Withheld || g.Type != "application" {
			t.Errorf("%v %v: %+v, %v", c.e, c.v, g, err)
		}
		if want := generation; (c.v == door.Direct) != (g.Generation == want) || c.v != door.Direct && g.Generation != 0 {
			t.Errorf("%v %v: generation %d of %d", c.e, c.v, g.Generation, generation)
		}
		groups, err := s.Groups(c.e, c.v)
		if got := groupNames(groups); err != nil || got != c.all {
			t.Errorf("%v %v: %q, want %q; %v", c.e, c.v, got, c.all, err)
		}
	}
	g, err := s.Group(webOne, door.Direct, "state")
	if err != nil || g.Flags != tree.NonPersistent || !slices.Equal(g.Props[0].Values, []string{"online", "two words"}) {
		t.Errorf("%+v, %v", g, err)
	}
	w, err := s.Service("network/web")
	if err != nil || w.Name != "network/web" || len(w.Groups) != 1 || len(w.Instances) != 2 || len(w.Withheld) != 0 || w.Generation != generation ||
		w.Instances[0].Name != "default" || len(w.Instances[0].Groups) != 3 || len(w.Instances[1].Groups) != 0 {
		t.Errorf("%+v, %v", w, err)
	}
}

func groupNames(groups []door.Group) string {
	var names []string
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return strings.Join(names, " ")
}

func conformScans(t *testing.T, s door.Store) {
	generation := fill(t, s)
	both := door.Services | door.Instances
	for _, c := range []struct {
		q    door.Query
		want string
	}{
		{door.Query{Levels: both, View: door.Direct, Names: true}, "a[] a:i[] network/web[] network/web:default[] network/web:second[]"},
		{door.Query{Levels: door.Instances, View: door.Direct, Names: true}, "a:i[] network/web:default[] network/web:second[]"},
		{door.Query{Levels: door.Services, View: door.Direct}, "a[] network/web[config]"},
		{door.Query{Levels: door.Instances, View: door.Composed, Groups: []string{"state", "config", "state", "none"}}, "a:i[] network/web:default[config state] network/web:second[config]"},
		{door.Query{Levels: door.Instances, View: door.Direct, Types: []string{"framework"}}, "a:i[] network/web:default[general] network/web:second[]"},
		{door.Query{Levels: door.Instances, View: door.Direct, Types: []string{"framework"}, Groups: []string{"state"}}, "a:i[] network/web:default[general state] network/web:second[]"},
		{door.Query{Levels: both, View: door.Snapshot(repo.Running)}, "network/web:default[config general]"},
		{door.Query{On: web, Levels: both, View: door.Direct}, "network/web[config] network/web:default[config general state] network/web:second[]"},
		{door.Query{On: webOne, View: door.Direct}, "network/web:default[config general state]"},
		{door.Query{View: door.Direct}, ""},
	} {
		r, err := s.Scan(c.q)
		var got []string
		for _, e := range r.Entries {
			got = append(got, strings.TrimPrefix(e.On.String(), "svc:/")+"["+groupNames(e.Groups)+"]")
		}
		if text := strings.Join(got, " "); err != nil || text != c.want || r.Generation != generation {
			t.Errorf("%+v: generation %d\n%s, want\n%s; %v", c.q, r.Generation, text, c.want, err)
		}
	}
	names, err := s.Services()
	if err != nil || !slices.Equal(names, []string{"a", "network/web"}) {
		t.Errorf("%q, %v", names, err)
	}
	names, err = s.Instances("network/web")
	if err != nil || !slices.Equal(names, []string{"default", "second"}) {
		t.Errorf("%q, %v", names, err)
	}
	apply(t, s, func(b *repo.Batch) { b.Create(repo.Entity{Service: "empty"}) })
	if names, err := s.Instances("empty"); err != nil || names != nil {
		t.Errorf("%q, %v", names, err)
	}
}

func conformSnapshots(t *testing.T, s door.Store) {
	fill(t, s)
	names, err := s.Snapshots(webOne)
	if err != nil || !slices.Equal(names, []string{repo.Running}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := s.Snapshots(webTwo); err != nil || len(names) != 0 {
		t.Errorf("%q, %v", names, err)
	}
	f, err := s.Frozen(webOne, repo.Running)
	if err != nil || groupNames(f.Service) != "config" || groupNames(f.Instance) != "config general" || f.Instance[0].Props[0].Values[0] != "8080" {
		t.Errorf("%+v, %v", f, err)
	}
	given := &repo.Frozen{Service: []tree.Group{*group("of", str("the", "service"))}, Instance: []tree.Group{*group("of", str("the", "instance"))}}
	apply(t, s, func(b *repo.Batch) {
		b.PutSnapshot(webTwo, repo.LastImport, given)
		b.CopySnapshot(webTwo, repo.LastImport, repo.Initial)
	})
	f, err = s.Frozen(webTwo, repo.Initial)
	if err != nil || f.Service[0].Props[0].Values[0] != "service" || f.Instance[0].Props[0].Values[0] != "instance" {
		t.Errorf("%+v, %v", f, err)
	}
	apply(t, s, func(b *repo.Batch) { b.DeleteSnapshot(webTwo, repo.Initial); b.Revert(webTwo, repo.LastImport) })
	if p, err := s.Property(webTwo, door.Direct, "of", "the"); err != nil || p.Values[0] != "instance" {
		t.Errorf("%+v, %v", p, err)
	}
}

// conformNothing: what is not there is ErrNotFound, in the same words everywhere.
func conformNothing(t *testing.T, s door.Store) {
	fill(t, s)
	none, other := repo.Entity{Service: "none"}, repo.Entity{Service: "network/web", Instance: "third"}
	for name, call := range map[string]func() error{
		"svc:/none: ":                                 func() error { _, err := s.Instances("none"); return err },
		"svc:/none:i: ":                               func() error { _, err := s.Snapshots(repo.Entity{Service: "none", Instance: "i"}); return err },
		"svc:/network/web:third: ":                    func() error { _, err := s.Group(other, door.Composed, "config"); return err },
		"svc:/network/web/:properties/none: ":         func() error { _, err := s.Group(web, door.Direct, "none"); return err },
		"svc:/network/web/:properties/none/port: ":    func() error { _, err := s.Property(web, door.Direct, "none", "port"); return err },
		"svc:/network/web/:properties/config/none: ":  func() error { _, err := s.Property(web, door.Effective, "config", "none"); return err },
		"snapshot none of svc:/network/web:default: ": func() error { _, err := s.Groups(webOne, door.Snapshot("none")); return err },
		"snapshot s of svc:/network/web:second: ":     func() error { _, err := s.Frozen(webTwo, "s"); return err },
		"snapshot running of svc:/network/web: ":      func() error { _, err := s.Groups(web, door.Snapshot(repo.Running)); return err },
	} {
		if err := call(); !errors.Is(err, repo.ErrNotFound) || err.Error() != name+"not found" {
			t.Errorf("%v, want %s", err, name)
		}
	}
	for _, call := range []func() error{
		func() error { _, err := s.Service("none"); return err },
		func() error { _, err := s.Service(""); return err },
		func() error { _, err := s.Instances(""); return err },
		func() error { _, err := s.Groups(repo.Entity{}, door.Direct); return err },
		func() error {
			_, err := s.Scan(door.Query{On: none, Levels: door.Services, View: door.Direct})
			return err
		},
	} {
		if err := call(); !errors.Is(err, repo.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	for e, want := range map[repo.Entity]bool{web: true, webOne: true, none: false, other: false, {}: false, {Service: "a//b"}: false} {
		if is, err := s.Exists(e); is != want || err != nil {
			t.Errorf("%v: %v, %v", e, is, err)
		}
	}
}

// conformBatches: what goes wrong comes with its place, its names and its reason.
func conformBatches(t *testing.T, s door.Store) {
	generation := fill(t, s)
	for _, c := range []struct {
		op   repo.Op
		want error
		name string
	}{
		{repo.Op{Verb: repo.Create, On: web}, repo.ErrExists, ""},
		{repo.Op{Verb: repo.Create, On: repo.Entity{Service: "a//b"}}, repo.ErrInvalidName, ""},
		{repo.Op{Verb: repo.Create, On: repo.Entity{Service: strings.Repeat("x", 1000)}}, repo.ErrInvalidName, ""},
		{repo.Op{Verb: repo.Delete, On: web}, repo.ErrInUse, ""},
		{repo.Op{Verb: repo.SetProperty, On: web, Name: "config", Prop: tree.Property{Name: "n", Type: prop.Count, Values: []string{"x"}}}, prop.ErrValue, "config/n"},
		{repo.Op{Verb: repo.SetProperty, On: web, Name: "config", Prop: str("n", strings.Repeat("x", prop.ValueBytesMax+1))}, prop.ErrTooLong, "config/n"},
		{repo.Op{Verb: repo.SetProperty, On: web, Name: "config", Prop: str("n", make([]string, 1025)...)}, repo.ErrLimit, "config/n"},
		{repo.Op{Verb: repo.SetValues, On: web, Name: "config", Prop: tree.Property{Name: "port", Type: prop.Count, Values: []string{"1"}}}, repo.ErrTypeMismatch, "config/port"},
		{repo.Op{Verb: repo.ExpectGroup, On: web, Name: "config", Generation: 77}, repo.ErrStale, "config"},
		{repo.Op{Verb: repo.PutGroup, On: web}, repo.ErrInvalidOp, ""},
		{repo.Op{Verb: 200, On: web}, repo.ErrInvalidOp, ""},
		{repo.Op{Verb: repo.Revert, On: webOne, Name: "none"}, repo.ErrNotFound, "none"},
		{repo.Op{Verb: repo.PutGroup, On: web, Tree: &tree.Group{Name: "g", Type: "t", Flags: 4}}, repo.ErrInvalidOp, "g"},
	} {
		b := repo.Batch{}
		b.ExpectExists(web, "")
		b.PutGroup(web, group("before"))
		b.Ops = append(b.Ops, c.op)
		_, err := s.Apply(&b)
		var op *repo.OpError
		if !errors.Is(err, c.want) || !errors.As(err, &op) || op.Index != 2 || op.Name != c.name || op.On != c.op.On {
			t.Errorf("%+v: %+v, want %v", c.op, err, c.want)
			continue
		}
		if v := c.op.Verb; v != 200 && op.Verb != v || !strings.Contains(err.Error(), op.Verb.String()) {
			t.Errorf("%v: %q", v, err)
		}
	}
	if g, err := s.Generation(); g != generation || err != nil {
		t.Errorf("generation %d after batches that failed, it was %d; %v", g, generation, err)
	}
	_, err := s.Apply(&repo.Batch{Ops: make([]repo.Op, 1<<16+1)})
	var limit *repo.LimitError
	if !errors.As(err, &limit) || limit.Max != 1<<16 {
		t.Errorf("%v", err)
	}
	if g := apply(t, s, func(*repo.Batch) {}); g != generation {
		t.Errorf("an empty batch makes generation %d", g)
	}
	if g := apply(t, s, func(b *repo.Batch) { b.PutGroup(web, group("new", str("y", "2"), str("x", "1"))) }); g != generation+1 {
		t.Errorf("generation %d", g)
	}
	if g, err := s.Group(web, door.Direct, "new"); err != nil || !g.Equal(group("new", str("x", "1"), str("y", "2"))) || g.Generation != generation+1 {
		t.Errorf("%+v, %v", g, err)
	}
}

func conformWatch(t *testing.T, s door.Store) {
	fill(t, s)
	w, err := s.Watch(repo.Filter{On: webOne, Groups: []string{"config", "state"}})
	must(t, err)
	all, err := s.Watch(repo.Filter{})
	must(t, err)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if e, err := w.Next(ctx); !errors.Is(err, cause) {
		t.Errorf("%+v, %v", e, err)
	}
	generation := apply(t, s, func(b *repo.Batch) {
		b.SetProperty(webOne, "config", str("port", "1"))
		b.SetProperty(webTwo, "config", str("port", "1"))
		b.Ops = b.Ops[:1]
		b.PutGroup(webTwo, group("config"))
		b.DeleteGroup(webOne, "state")
		b.TakeSnapshot(webOne, repo.Start)
		b.Create(repo.Entity{Service: "new"})
	})
	var got []string
	for range 2 {
		e, err := w.Next(shortly(t))
		must(t, err)
		got = append(got, fmt.Sprint(e))
	}
	want := []string{
		fmt.Sprint(repo.Event{Kind: repo.GroupChanged, Generation: generation, On: webOne, Name: "config", Type: "application"}),
		fmt.Sprint(repo.Event{Kind: repo.GroupDeleted, Generation: generation, On: webOne, Name: "state", Type: "application"}),
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	kinds := map[repo.EventKind]int{}
	for range 5 {
		e, err := all.Next(shortly(t))
		must(t, err)
		kinds[e.Kind]++
	}
	if kinds[repo.GroupChanged] != 2 || kinds[repo.GroupDeleted] != 1 || kinds[repo.SnapshotChanged] != 1 || kinds[repo.EntityCreated] != 1 {
		t.Errorf("%v", kinds)
	}
	for _, w := range []door.Watch{w, all} {
		must(t, w.Close())
		must(t, w.Close())
		if e, err := w.Next(shortly(t)); !errors.Is(err, repo.ErrClosed) {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

func conformKeeping(t *testing.T, s door.Store) {
	fill(t, s)
	path, made, err := s.Backup(repo.BootBackup)
	if err != nil || !made {
		t.Fatalf("%q, %v, %v", path, made, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	again, made, err := s.Backup(repo.BootBackup)
	if err != nil || made || again != path {
		t.Errorf("%q, %v, %v", again, made, err)
	}
	if _, _, err := s.Backup("no name"); !errors.Is(err, repo.ErrInvalidName) {
		t.Error(err)
	}
	must(t, s.Verify())
	must(t, s.Close())
	if _, err := s.Generation(); !errors.Is(err, repo.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Apply(&repo.Batch{}); !errors.Is(err, repo.ErrClosed) {
		t.Error(err)
	}
}

// conformLarge: what takes many pages, and groups that take more than one.
func conformLarge(t *testing.T, s door.Store) {
	values := make([]string, 220)
	for i := range values {
		values[i] = strings.Repeat("x", prop.ValueBytesMax)
	}
	const services = 40
	apply(t, s, func(b *repo.Batch) {
		for i := range services {
			e := repo.Entity{Service: fmt.Sprintf("many/s%02d", i), Instance: "default"}
			b.Ensure(e)
			for j := range 3 {
				b.PutGroup(e, group(fmt.Sprintf("g%d", j), str("x", values[:i*5%17]...)))
			}
			if i%10 == 0 {
				b.PutGroup(e, group("huge", str("x", values...)))
			}
		}
	})
	r, err := s.Scan(door.Query{Levels: door.Services | door.Instances, View: door.Composed})
	if err != nil || len(r.Entries) != 2*services {
		t.Fatalf("%d entries, %v", len(r.Entries), err)
	}
	for i := range services {
		e := r.Entries[2*i+1]
		want := "g0 g1 g2"
		if i%10 == 0 {
			want += " huge"
		}
		if got := groupNames(e.Groups); got != want || e.On.Service != fmt.Sprintf("many/s%02d", i) {
			t.Fatalf("%v: %s", e.On, got)
		}
		if n := len(e.Groups[0].Props[0].Values); n != i*5%17 {
			t.Errorf("%v: %d values", e.On, n)
		}
		if i%10 == 0 && len(e.Groups[3].Props[0].Values) != len(values) {
			t.Errorf("%v: %d values", e.On, len(e.Groups[3].Props[0].Values))
		}
	}
}
