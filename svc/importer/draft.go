package importer

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// draft is what a repository shall become: the services that are looked at, as they are and as
// they shall be. From the difference it makes a batch.
//
// A failure to read is kept until the batch is asked for, and looks like nothing until then.
type draft struct {
	r        Reader
	services map[string]*holding
	shots    []shot
	extra    []repo.Op // beside the services
	refresh  []repo.Entity
	events   []Event
	err      error
}

// holding is one service of a draft.
type holding struct {
	was, now *tree.Service // nil: it is not there
	undo     bool          // its instances get a snapshot previous when it changes
	// remade are instances that are what they shall be without what hangs on them: snapshots.
	remade map[string]bool
}

// shot is a snapshot to take, when all else is done.
type shot struct {
	e      repo.Entity
	name   string
	frozen *repo.Frozen // nil: of what is there then
}

func newDraft(r Reader) *draft { return &draft{r: r, services: map[string]*holding{}} }

func (d *draft) tell(e Event) { d.events = append(d.events, e) }

// fail keeps the first failure.
func (d *draft) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *draft) service(name string) *holding {
	if h := d.services[name]; h != nil {
		return h
	}
	h := &holding{}
	d.services[name] = h
	s, err := d.r.Service(name)
	switch {
	case err == nil:
		h.was, h.now = s, cloneService(s)
	case !errors.Is(err, repo.ErrNotFound):
		d.fail(err)
	}
	return h
}

// groups are those of the entity itself; nil when it is not there. They are good until the next
// ensure.
func (d *draft) groups(e repo.Entity) *[]tree.Group {
	h := d.service(e.Service)
	if h.now == nil {
		return nil
	}
	if e.Instance == "" {
		return &h.now.Groups
	}
	if i := h.now.Instance(e.Instance); i != nil {
		return &i.Groups
	}
	return nil
}

func (d *draft) exists(e repo.Entity) bool { return d.groups(e) != nil }

// group finds a group of the entity itself.
func (d *draft) group(e repo.Entity, name string) *tree.Group {
	groups := d.groups(e)
	if groups == nil {
		return nil
	}
	return groupIn(*groups, name)
}

// ensure makes what is missing of a service and an instance.
func (d *draft) ensure(e repo.Entity) {
	h := d.service(e.Service)
	if h.now == nil {
		h.now = &tree.Service{Name: e.Service}
	}
	if e.Instance != "" && h.now.Instance(e.Instance) == nil {
		h.now.Instances = append(h.now.Instances, tree.Instance{Name: e.Instance})
		slices.SortFunc(h.now.Instances, func(a, b tree.Instance) int { return strings.Compare(a.Name, b.Name) })
	}
}

// put makes a group of an entity that is there this.
func (d *draft) put(e repo.Entity, g tree.Group) {
	groups := d.groups(e)
	if old := groupIn(*groups, g.Name); old != nil {
		*old = g
		return
	}
	*groups = append(*groups, g)
	tree.SortGroups(*groups)
}

func (d *draft) drop(e repo.Entity, group string) {
	if groups := d.groups(e); groups != nil {
		*groups = slices.DeleteFunc(*groups, func(g tree.Group) bool { return g.Name == group })
	}
}

// set makes a property, and its group when it is missing.
func (d *draft) set(e repo.Entity, group, groupType string, p tree.Property) {
	g := tree.Group{Name: group, Type: groupType}
	if old := d.group(e, group); old != nil {
		g = *old
	}
	g.Props = slices.DeleteFunc(slices.Clone(g.Props), func(q tree.Property) bool { return q.Name == p.Name })
	g.Props = append(g.Props, p)
	slices.SortFunc(g.Props, func(a, b tree.Property) int { return strings.Compare(a.Name, b.Name) })
	d.put(e, g)
}

// unset takes a property away, and with the last one its group.
func (d *draft) unset(e repo.Entity, group, name string) {
	old := d.group(e, group)
	if old == nil || old.Prop(name) == nil {
		return
	}
	g := *old
	g.Props = slices.DeleteFunc(slices.Clone(g.Props), func(q tree.Property) bool { return q.Name == name })
	if len(g.Props) == 0 {
		d.drop(e, group)
	} else {
		d.put(e, g)
	}
}

// frozen is what an instance's snapshot holds.
func (d *draft) frozen(e repo.Entity, name string) (repo.Frozen, bool) {
	h := d.service(e.Service)
	if h.was == nil || h.was.Instance(e.Instance) == nil || h.remade[e.Instance] {
		return repo.Frozen{}, false
	}
	f, err := d.r.Frozen(e, name)
	if err != nil && !errors.Is(err, repo.ErrNotFound) {
		d.fail(err)
	}
	return f, err == nil
}

// snapshot has a snapshot taken, of given groups or of what is there in the end.
func (d *draft) snapshot(e repo.Entity, name string, f *repo.Frozen) {
	d.shots = append(d.shots, shot{e, name, f})
}

// configured says whether an instance is more than the place for others' dependents.
func (d *draft) configured(e repo.Entity) bool {
	if g := d.group(e, groupGeneral); g != nil && g.Prop(propEnabled) != nil {
		return true
	}
	if slices.ContainsFunc(d.shots, func(s shot) bool { return s.e == e && s.name == repo.LastImport }) {
		return true
	}
	_, ok := d.frozen(e, repo.LastImport)
	return ok
}

// refreshAll has an instance run with what it has in the end, or all instances of a service.
func (d *draft) refreshAll(e repo.Entity) {
	h := d.service(e.Service)
	if h.now == nil {
		return
	}
	for i := range h.now.Instances {
		one := repo.Entity{Service: e.Service, Instance: h.now.Instances[i].Name}
		if (e.Instance == "" || e == one) && !slices.Contains(d.refresh, one) {
			d.refresh = append(d.refresh, one)
		}
	}
}

// batch is what is to be done; nil when nothing is. Snapshots of what was come first, those of
// what will be last.
func (d *draft) batch() (*repo.Batch, error) {
	d.runWith()
	var first, body, last repo.Batch
	first.ExpectRepository(d.r.Generation())
	var before []Event
	for _, name := range slices.Sorted(maps.Keys(d.services)) {
		h := d.services[name]
		ops := len(body.Ops) + len(last.Ops)
		h.difference(&body, &last)
		if h.undo && h.was != nil && h.now != nil && len(body.Ops)+len(last.Ops) > ops {
			before = append(before, d.previous(h, &first)...)
		}
	}
	d.events = append(before, d.events...)
	for _, s := range d.shots {
		d.take(&last, s)
	}
	if d.err != nil {
		return nil, d.err
	}
	ops := slices.Concat(first.Ops, body.Ops, last.Ops, d.extra)
	if len(ops) == 1 {
		return nil, nil
	}
	return &repo.Batch{Ops: ops}, nil
}

// runWith has the snapshots running taken of what is refreshed.
func (d *draft) runWith() {
	for _, e := range d.refresh {
		if d.exists(e) && d.configured(e) {
			d.snapshot(e, repo.Running, nil)
			d.tell(refreshed(e.String()))
		}
	}
	d.refresh = nil
}

// previous keeps what the instances of a service have now.
func (d *draft) previous(h *holding, b *repo.Batch) (told []Event) {
	for i := range h.was.Instances {
		e := repo.Entity{Service: h.was.Name, Instance: h.was.Instances[i].Name}
		if !d.exists(e) {
			continue
		}
		b.TakeSnapshot(e, repo.Previous)
		told = append(told, taken(e.String(), repo.Previous))
	}
	return told
}

// take adds a snapshot unless it is the same already.
func (d *draft) take(b *repo.Batch, s shot) {
	h := d.service(s.e.Service)
	want := repo.Frozen{Service: persistent(h.now.Groups), Instance: persistent(h.now.Instance(s.e.Instance).Groups)}
	if s.frozen != nil {
		want = *s.frozen
	}
	if is, ok := d.frozen(s.e, s.name); ok && sameGroups(is.Service, want.Service) && sameGroups(is.Instance, want.Instance) {
		return
	}
	if s.frozen != nil {
		b.PutSnapshot(s.e, s.name, s.frozen)
	} else {
		b.TakeSnapshot(s.e, s.name)
	}
}

// difference is what makes a service of what it was what it shall be. Groups general of
// instances go into last.
func (h *holding) difference(b, last *repo.Batch) {
	switch {
	case h.now == nil && h.was == nil:
		return
	case h.now == nil:
		b.Delete(repo.Entity{Service: h.was.Name}, repo.WithChildren)
		return
	}
	e := repo.Entity{Service: h.now.Name}
	was := h.was
	if was == nil {
		was = &tree.Service{}
		b.Create(e)
	}
	groupsDifference(b, b, e, was.Groups, h.now.Groups)
	for i := range was.Instances {
		if h.now.Instance(was.Instances[i].Name) == nil {
			b.Delete(repo.Entity{Service: e.Service, Instance: was.Instances[i].Name}, repo.KeepChildren)
		}
	}
	for i := range h.now.Instances {
		now := &h.now.Instances[i]
		one := repo.Entity{Service: e.Service, Instance: now.Name}
		before := was.Instance(now.Name)
		if before != nil && h.remade[now.Name] {
			b.Delete(one, repo.KeepChildren)
			before = nil
		}
		if before == nil {
			before = &tree.Instance{}
			b.Create(one)
		}
		groupsDifference(b, last, one, before.Groups, now.Groups)
	}
}

func groupsDifference(b, last *repo.Batch, e repo.Entity, was, now []tree.Group) {
	for i := range was {
		if groupIn(now, was[i].Name) == nil {
			b.DeleteGroup(e, was[i].Name)
		}
	}
	for i := range now {
		old := groupIn(was, now[i].Name)
		if old != nil && old.Equal(&now[i]) {
			continue
		}
		if now[i].Name == groupGeneral {
			last.PutGroup(e, &now[i])
		} else {
			b.PutGroup(e, &now[i])
		}
	}
}
