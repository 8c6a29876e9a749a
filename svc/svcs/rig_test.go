package svcs

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// noon is what time it is in all tests.
var noon = time.Date(2024, 3, 15, 12, 0, 0, 0, time.UTC)

// rig is a repository, and a svcs that looks at it.
type rig struct {
	t     testing.TB
	store door.Store
	env   Env
	// zones are other repositories, by names.
	zones map[string]door.Store
	// members are those of contracts, and files those that are there.
	members map[uint64][]int
	within  map[uint64]contract.Within
	files   map[string]bool
	procs   map[int]Process
}

// kept stays open when svcs closes it.
type kept struct{ door.Store }

func (kept) Close() error { return nil }

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
	return s
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, store: newStore(t), zones: map[string]door.Store{}, members: map[uint64][]int{}, files: map[string]bool{}, procs: map[int]Process{}}
	r.env = Env{
		Open: func() (door.Store, error) { return kept{r.store}, nil },
		Here: func() string { return "web" },
		Members: func(zone string, ids []uint64) (map[uint64]Held, error) {
			found := map[uint64]Held{}
			for _, id := range ids {
				found[id] = Held{Pids: r.members[id], Within: r.within[id]}
			}
			return found, nil
		},
		Process: func(pid int) (Process, bool) { p, ok := r.procs[pid]; return p, ok },
		Present: func(path string) bool { return r.files[path] },
		Now:     func() time.Time { return noon },
	}
	return r
}

// run runs svcs with a command line whose words have no blanks.
func (r *rig) run(line string) (out, errs string, code int) {
	r.t.Helper()
	return r.args(strings.Fields(line)...)
}

func (r *rig) args(args ...string) (out, errs string, code int) {
	r.t.Helper()
	var o, e bytes.Buffer
	env := r.env
	env.Out, env.Err = &o, &e
	code = Main(&env, args)
	return o.String(), e.String(), code
}

// says runs svcs, and holds what it prints against what it should; errs and code are expected to
// be nothing unless they are given after it.
func (r *rig) says(line, want string, rest ...any) {
	r.t.Helper()
	errs, code := "", 0
	for _, x := range rest {
		switch x := x.(type) {
		case string:
			errs = x
		case int:
			code = x
		}
	}
	out, e, c := r.run(line)
	if out != want || e != errs || c != code {
		r.t.Errorf("svcs %s: status %d, want %d\n%s%s--- want\n%s%s", line, c, code, out, e, want, errs)
	}
}

func entity(t testing.TB, name string) repo.Entity {
	t.Helper()
	f, err := fmri.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return repo.Entity{Service: f.Service, Instance: f.Instance}
}

func str(name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: prop.AString, Values: values}
}

func of(t prop.Type, name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: t, Values: values}
}

func groupOf(name, kind string, props ...tree.Property) *tree.Group {
	g := []tree.Group{{Name: name, Type: kind, Props: props}}
	tree.SortGroups(g)
	return &g[0]
}

func volatileGroup(name string, props ...tree.Property) *tree.Group {
	g := groupOf(name, "framework", props...)
	g.Flags = tree.NonPersistent
	return g
}

// ago is a property state_timestamp.
func ago(d time.Duration) tree.Property {
	at := noon.Add(-d)
	return of(prop.Time, "state_timestamp", strconv.FormatInt(at.Unix(), 10)+"."+at.Format("000000000"))
}

// fill makes a batch.
func (r *rig) fill(fill func(b *repo.Batch)) { fillStore(r.t, r.store, fill) }

func fillStore(t testing.TB, s door.Store, fill func(b *repo.Batch)) {
	t.Helper()
	var b repo.Batch
	fill(&b)
	if _, err := s.Apply(&b); err != nil {
		t.Fatal(err)
	}
}

// is has an instance in a state; the state may be with the next one, after a slash. Of the other
// properties those named enabled, restarter and comment are in general; over is the enabled of this
// boot.
func (r *rig) is(name, state string, props ...tree.Property) {
	r.t.Helper()
	r.fill(func(b *repo.Batch) { put(r.t, b, name, state, props...) })
}

func put(t testing.TB, b *repo.Batch, name, state string, props ...tree.Property) {
	t.Helper()
	e := entity(t, name)
	b.Ensure(e)
	state, next, _ := strings.Cut(state, "/")
	if next == "" {
		next = none
	}
	now := map[string]tree.Property{}
	for _, p := range []tree.Property{str("state", state), str("next_state", next), ago(time.Hour), str("auxiliary_state", none)} {
		now[p.Name] = p
	}
	wish := map[string]tree.Property{"enabled": of(prop.Boolean, "enabled", strconv.FormatBool(state != disabled))}
	over := map[string]tree.Property{}
	for _, p := range props {
		switch p.Name {
		case "enabled", "restarter", "comment":
			wish[p.Name] = p
		case "over":
			p.Name = "enabled"
			over[p.Name] = p
		default:
			now[p.Name] = p
		}
	}
	b.PutGroup(e, groupOf("general", "framework", all(wish)...))
	if state != "" {
		b.PutGroup(e, volatileGroup("restarter", all(now)...))
	}
	if len(over) > 0 {
		b.PutGroup(e, volatileGroup("general_ovr", all(over)...))
	}
}

func all(m map[string]tree.Property) (list []tree.Property) {
	for _, p := range m {
		list = append(list, p)
	}
	return list
}

// needs has an instance or service depend on others.
func (r *rig) needs(name, grouping string, entities ...string) {
	r.t.Helper()
	r.fill(func(b *repo.Batch) { putNeeds(r.t, b, name, grouping, entities...) })
}

func putNeeds(t testing.TB, b *repo.Batch, name, grouping string, entities ...string) {
	t.Helper()
	kind := "service"
	if strings.HasPrefix(entities[0], "file:") {
		kind = "path"
	}
	label := "d_" + grouping + "_" + kind
	b.PutGroup(entity(t, name), groupOf(label, "dependency", str("grouping", grouping), str("restart_on", "none"), str("type", kind), of(prop.FMRI, "entities", entities...)))
}

// called has an instance have a name and manual pages.
func (r *rig) called(name, common string) {
	r.fill(func(b *repo.Batch) {
		b.PutGroup(entity(r.t, name), groupOf("tm_common_name", "template", of(prop.UString, "C", common)))
	})
}

// yes and no are properties of one boolean.
func yes(name string) tree.Property { return of(prop.Boolean, name, "true") }
func no(name string) tree.Property  { return of(prop.Boolean, name, "false") }
