package repo

import (
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// operations are what the verbs do.
var operations = [verbCount]func(*writer, *Op) error{
	ExpectRepository: (*writer).expectRepository,
	ExpectGroup:      (*writer).expectGroup,
	ExpectExists:     (*writer).expectExists,
	ExpectAbsent:     (*writer).expectAbsent,
	Create:           (*writer).create,
	Ensure:           (*writer).ensure,
	Delete:           (*writer).delete,
	CreateGroup:      (*writer).createGroup,
	PutGroup:         (*writer).putGroup,
	DeleteGroup:      (*writer).deleteGroup,
	SetProperty:      (*writer).setProperty,
	SetValues:        (*writer).setValues,
	DeleteProperty:   (*writer).deleteProperty,
	TakeSnapshot:     (*writer).takeSnapshot,
	PutSnapshot:      (*writer).putSnapshot,
	CopySnapshot:     (*writer).copySnapshot,
	DeleteSnapshot:   (*writer).deleteSnapshot,
	Revert:           (*writer).revert,
}

func (w *writer) do(o *Op) error {
	if o.Verb >= verbCount || operations[o.Verb] == nil {
		return ErrInvalidOp
	}
	return operations[o.Verb](w, o)
}

func (w *writer) expectRepository(o *Op) error {
	if w.generation != o.Generation {
		return ErrStale
	}
	return nil
}

func (w *writer) expectGroup(o *Op) error {
	g, err := w.group(o.On, o.Name)
	switch {
	case errors.Is(err, ErrNotFound) && o.Generation == 0:
		return nil // nor is its entity
	case err != nil:
		return err
	case g.was != o.Generation || g.dirty:
		return ErrStale
	}
	return nil
}

// present says whether the entity, or its group, is there.
func (w *writer) present(o *Op) (bool, error) {
	if err := o.On.check(); err != nil {
		return false, err
	}
	if o.Name == "" || !w.Exists(o.On) {
		return o.Name == "" && w.Exists(o.On), nil
	}
	g, err := w.group(o.On, o.Name)
	return err == nil && g.exists, err
}

func (w *writer) expectExists(o *Op) error {
	is, err := w.present(o)
	if err == nil && !is {
		err = ErrNotFound
	}
	return err
}

func (w *writer) expectAbsent(o *Op) error {
	is, err := w.present(o)
	if err == nil && is {
		err = ErrExists
	}
	return err
}

func (w *writer) create(o *Op) error {
	if err := o.On.check(); err != nil {
		return err
	}
	switch {
	case w.Exists(o.On):
		return ErrExists
	case o.On.Instance == "":
		return w.makeService(o.On)
	case !w.Exists(o.On.service()):
		return &named{o.On.service().String(), ErrNotFound}
	}
	return w.makeInstance(o.On)
}

func (w *writer) ensure(o *Op) error {
	if err := o.On.check(); err != nil {
		return err
	}
	if s := o.On.service(); !w.Exists(s) {
		if err := w.makeService(s); err != nil {
			return err
		}
	}
	if w.Exists(o.On) {
		return nil
	}
	return w.makeInstance(o.On)
}

func (w *writer) makeService(e Entity) error {
	if err := w.countServices(1); err != nil {
		return err
	}
	return w.makeEntity(e)
}

func (w *writer) makeInstance(e Entity) error {
	n := 0
	for range w.instances(e.Service) {
		n++
	}
	if n >= instancesMax {
		return &LimitError{"instances of one service", instancesMax}
	}
	return w.makeEntity(e)
}

func (w *writer) makeEntity(e Entity) error {
	key := entityKey(nil, e)
	w.note(EntityCreated, e, "", "")
	return w.put(key, appendRecord(key, w.next, 0))
}

// countServices keeps their number, which costs too much to count each time.
func (w *writer) countServices(more int) error {
	if err := w.writeMain(); err != nil {
		return err
	}
	meta := w.main.tx.Bucket(metaBucket)
	n, ok := number(meta, servicesKey)
	switch {
	case !ok:
		return ErrCorrupt
	case int(n)+more > servicesMax:
		return &LimitError{"services", servicesMax}
	}
	return putNumber(meta, servicesKey, uint64(int(n)+more))
}

func (w *writer) delete(o *Op) error {
	if err := errors.Join(o.On.check(), w.flush()); err != nil {
		return err
	}
	if !w.Exists(o.On) {
		return ErrNotFound
	}
	if o.On.Instance != "" {
		return w.deleteInstance(o.On)
	}
	instances, err := w.Instances(o.On.Service)
	switch {
	case err != nil:
		return err
	case len(instances) > 0 && o.Children != WithChildren:
		return ErrInUse
	}
	for _, name := range instances {
		if err := w.deleteInstance(Entity{o.On.Service, name}); err != nil {
			return err
		}
	}
	return errors.Join(w.dropAll(entityKey(nil, o.On)), w.countServices(-1))
}

func (w *writer) deleteInstance(e Entity) error {
	for _, name := range w.Snapshots(e) {
		if err := w.detach(e, name); err != nil {
			return err
		}
	}
	return w.dropAll(entityKey(nil, e))
}

func (w *writer) createGroup(o *Op) error {
	g, err := w.group(o.On, o.Name)
	switch {
	case err != nil:
		return err
	case g.exists:
		return ErrExists
	}
	return w.become(g, &tree.Group{Name: o.Name, Type: o.Type, Flags: o.Flags})
}

func (w *writer) putGroup(o *Op) error {
	if o.Tree == nil {
		return ErrInvalidOp
	}
	g, err := w.group(o.On, o.Tree.Name)
	if err != nil {
		return err
	}
	want, err := normal(o.Tree)
	if err != nil {
		return err
	}
	return w.become(g, &want)
}

// normal is a group as it is kept: its properties checked and in order, its values canonical.
func normal(g *tree.Group) (tree.Group, error) {
	sorted := []tree.Group{g.Clone()}
	tree.SortGroups(sorted)
	want := sorted[0]
	if len(want.Props) > propertiesMax {
		return want, &LimitError{"properties in one group", propertiesMax}
	}
	for i := range want.Props {
		if i > 0 && want.Props[i].Name == want.Props[i-1].Name {
			return want, &named{want.Props[i].Name, ErrExists}
		}
		if err := checkProperty(&want.Props[i]); err != nil {
			return want, err
		}
	}
	return want, checkKind(&want)
}

// checkKind checks a group's type and flags.
func checkKind(g *tree.Group) error {
	if g.Flags&^tree.NonPersistent != 0 {
		return ErrInvalidOp
	}
	return checkName(g.Type)
}

// become makes an open group what it shall be.
func (w *writer) become(g *openGroup, want *tree.Group) error {
	if err := checkKind(want); err != nil {
		return err
	}
	if g.exists && g.Group.Equal(want) {
		return nil
	}
	if !g.exists {
		if err := w.countGroups(g.on); err != nil {
			return err
		}
	}
	g.Group, g.exists, g.dirty = *want, true, true
	return nil
}

func (w *writer) countGroups(e Entity) error {
	n := 0
	for _, l := range w.live(e) {
		n += l.count(groupsMax)
	}
	if n >= groupsMax {
		return &LimitError{"groups of one service or instance", groupsMax}
	}
	return nil
}

func (w *writer) deleteGroup(o *Op) error {
	g, err := w.existing(o.On, o.Name)
	if err != nil {
		return err
	}
	g.Props, g.exists, g.dirty = nil, false, true
	return nil
}

// checkProperty checks a property, and makes its values canonical.
func checkProperty(p *tree.Property) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if !p.Type.Valid() {
		return &named{p.Name, &both{ErrInvalidValue, prop.ErrType}}
	}
	if len(p.Values) > valuesMax {
		return &named{p.Name, &LimitError{"values in one property", valuesMax}}
	}
	for i, v := range p.Values {
		canonical, err := prop.Canonical(p.Type, v)
		if err != nil {
			return &named{p.Name, &both{ErrInvalidValue, err}}
		}
		p.Values[i] = canonical
	}
	return nil
}

func (w *writer) setProperty(o *Op) error { return w.set(o, false) }

func (w *writer) setValues(o *Op) error { return w.set(o, true) }

func (w *writer) set(o *Op, keepType bool) error {
	g, err := w.existing(o.On, o.Name)
	if err != nil {
		return err
	}
	p := o.Prop
	p.Values = slices.Clone(p.Values)
	at, found := slices.BinarySearchFunc(g.Props, p.Name, func(x tree.Property, n string) int { return strings.Compare(x.Name, n) })
	if keepType {
		switch {
		case !found:
			return ErrNotFound
		case p.Type == prop.Invalid:
			p.Type = g.Props[at].Type
		case p.Type != g.Props[at].Type:
			return ErrTypeMismatch
		}
	}
	if err := checkProperty(&p); err != nil {
		return err
	}
	switch {
	case found && p.Equal(&g.Props[at]):
		return nil
	case found:
		g.Props[at] = p
	case len(g.Props) >= propertiesMax:
		return &LimitError{"properties in one group", propertiesMax}
	default:
		g.Props = slices.Insert(g.Props, at, p)
	}
	g.dirty = true
	return nil
}

func (w *writer) deleteProperty(o *Op) error {
	g, err := w.existing(o.On, o.Name)
	if err != nil {
		return err
	}
	at, found := slices.BinarySearchFunc(g.Props, o.Prop.Name, func(x tree.Property, n string) int { return strings.Compare(x.Name, n) })
	if !found {
		return ErrNotFound
	}
	g.Props = slices.Delete(g.Props, at, at+1)
	g.dirty = true
	return nil
}
