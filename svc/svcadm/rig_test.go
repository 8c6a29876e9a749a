package svcadm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// hasty is for tests in which something never comes. What is to come has a minute.
var hasty = patience{recheck: 50 * time.Millisecond, spacing: time.Millisecond, unspoken: 200 * time.Millisecond, settle: 100 * time.Millisecond, maintenance: 200 * time.Millisecond, stall: 300 * time.Millisecond}

// rig is a repository, and a svcadm that works on it.
type rig struct {
	t        testing.TB
	store    door.Store
	env      Env
	patience patience
	ctx      context.Context
	files    map[string]bool
	zones    map[string]door.Store
}

// kept stays open when svcadm closes it.
type kept struct{ door.Store }

func (kept) Close() error { return nil }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t testing.TB) door.Store {
	t.Helper()
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot"})
	must(t, err)
	s := door.NewLocal(r)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, store: newStore(t), patience: hasty, ctx: context.Background(), files: map[string]bool{}, zones: map[string]door.Store{}}
	r.env = Env{
		Open:     func() (door.Store, error) { return kept{r.store}, nil },
		Present:  func(path string) bool { return r.files[path] },
		Terminal: func() bool { return true },
		Service:  func() string { return "" },
		Now:      time.Now,
	}
	return r
}

// host makes it the rig of a host with zones.
func (r *rig) host(names ...string) {
	for _, name := range names {
		r.zones[name] = newStore(r.t)
	}
	r.env.Open = func() (door.Store, error) { return nil, errors.New("this host has none") }
	r.env.Zone = func(name string) (door.Store, error) {
		if s, is := r.zones[name]; is {
			return kept{s}, nil
		}
		return nil, errors.New("zone '" + name + "' unknown")
	}
	r.env.Zones = func() ([]string, error) { return names, nil }
}

// run runs svcadm with a command line whose words have no blanks.
func (r *rig) run(line string) (out, errs string, code int) {
	r.t.Helper()
	return r.args(strings.Fields(line)...)
}

func (r *rig) args(args ...string) (out, errs string, code int) {
	var o, e bytes.Buffer
	env := r.env
	env.Out, env.Err = &o, &e
	code = start(r.ctx, &env, r.patience, args)
	return o.String(), e.String(), code
}

// says runs svcadm, and holds what it prints against what it should; of what is not given nothing is
// expected, and status 0.
func (r *rig) says(line, out, errs string, code int) {
	r.t.Helper()
	o, e, c := r.run(line)
	if o != out || e != errs || c != code {
		r.t.Errorf("svcadm %s: status %d\n%s%s--- want %d\n%s%s", line, c, o, e, code, out, errs)
	}
}

func entity(t testing.TB, name string) repo.Entity {
	t.Helper()
	if !strings.HasPrefix(name, "svc:") {
		name = "svc:/" + name
	}
	f, err := fmri.Parse(name)
	must(t, err)
	return repo.Entity{Service: f.Service, Instance: f.Instance}
}

func str(name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: prop.AString, Values: values}
}

func boolean(name, value string) tree.Property {
	return tree.Property{Name: name, Type: prop.Boolean, Values: []string{value}}
}

func integer(name, value string) tree.Property {
	return tree.Property{Name: name, Type: prop.Integer, Values: []string{value}}
}

func groupOf(name, kind string, props ...tree.Property) *tree.Group {
	g := []tree.Group{{Name: name, Type: kind, Props: props}}
	tree.SortGroups(g)
	return &g[0]
}

func volatile(name string, props ...tree.Property) *tree.Group {
	g := groupOf(name, "framework", props...)
	g.Flags = tree.NonPersistent
	return g
}

func apply(t testing.TB, s door.Store, fill func(b *repo.Batch)) {
	t.Helper()
	var b repo.Batch
	fill(&b)
	_, err := s.Apply(&b)
	must(t, err)
}

func (r *rig) apply(fill func(b *repo.Batch)) { r.t.Helper(); apply(r.t, r.store, fill) }

// restarter is the group of that name, at rest.
func restarter(state string) *tree.Group {
	return volatile("restarter", str("state", state), str("next_state", "none"))
}

// instance makes one: enabled or not, in a state unless that is empty, with more groups.
func (r *rig) instance(name, enabled, state string, groups ...*tree.Group) repo.Entity {
	r.t.Helper()
	return makeInstance(r.t, r.store, name, enabled, state, groups...)
}

func makeInstance(t testing.TB, s door.Store, name, enabled, state string, groups ...*tree.Group) repo.Entity {
	t.Helper()
	e := entity(t, name)
	apply(t, s, func(b *repo.Batch) {
		b.Ensure(e)
		b.PutGroup(e, groupOf("general", "framework", boolean("enabled", enabled)))
		if state != "" {
			b.PutGroup(e, restarter(state))
		}
		for _, g := range groups {
			b.PutGroup(e, g)
		}
	})
	return e
}

// dependency is a group of that type.
func dependency(name, grouping, kind string, entities ...string) *tree.Group {
	return groupOf(name, "dependency", str("grouping", grouping), str("restart_on", "none"), str("type", kind),
		tree.Property{Name: "entities", Type: prop.FMRI, Values: entities})
}

func requires(entities ...string) *tree.Group {
	return dependency("needs", "require_all", "service", entities...)
}

// setState has the restarter say where an instance is.
func (r *rig) setState(e repo.Entity, state, next string) {
	r.t.Helper()
	r.apply(func(b *repo.Batch) {
		b.PutGroup(e, volatile("restarter", str("state", state), str("next_state", next)))
	})
}

// group reads one of an instance; none when it is not there.
func (r *rig) group(e repo.Entity, name string) *tree.Group {
	r.t.Helper()
	return readGroup(r.t, r.store, e, name)
}

func readGroup(t testing.TB, s door.Store, e repo.Entity, name string) *tree.Group {
	t.Helper()
	g, err := s.Group(e, door.Direct, name)
	if errors.Is(err, repo.ErrNotFound) {
		return nil
	}
	must(t, err)
	return &g.Group
}

// values are the properties of a group, in one line: name=value. Stamps are given as "stamp".
func (r *rig) values(e repo.Entity, name string) string {
	r.t.Helper()
	g := r.group(e, name)
	if g == nil {
		return "-"
	}
	var words []string
	for _, p := range g.Props {
		value := strings.Join(p.Values, ",")
		if p.Type == prop.Integer {
			value = "stamp"
		}
		words = append(words, p.Name+"="+value)
	}
	return strings.Join(words, " ")
}

// refusing is a full disk, or a closed pipe.
type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, os.ErrClosed }
