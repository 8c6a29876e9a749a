package repo

import "github.com/linuxzones/zones/svc/tree"

// Verb is what an operation does.
type Verb uint8

// The verbs, and which fields of an Op they use besides On.
const (
	ExpectRepository Verb = iota + 1 // Generation: ErrStale unless the repository is of it
	ExpectGroup                      // Name, Generation: ErrStale unless the group is of it; 0: it is not there
	ExpectExists                     // Name, when a group is meant: ErrNotFound unless it is there
	ExpectAbsent                     // Name, when a group is meant: ErrExists unless it is not there

	Create // a service, or an instance of one that is there. ErrExists
	Ensure // a service or an instance, with its service, where it is missing
	Delete // a service or an instance, with all groups and snapshots. ErrInUse, see Children

	CreateGroup // Name, Type, Flags. ErrExists
	PutGroup    // Tree: the group becomes this, whatever it was
	DeleteGroup // Name

	SetProperty    // Name, Prop: the property becomes this, whatever it was
	SetValues      // Name, Prop: the same, of one that is there. Type Invalid keeps it, another is ErrTypeMismatch
	DeleteProperty // Name, Prop.Name

	TakeSnapshot   // Name: the instance's persistent groups and its service's, as they are now
	PutSnapshot    // Name, Frozen: groups that are not the instance's, or not now
	CopySnapshot   // From, Name: Name becomes what From is
	DeleteSnapshot // Name
	Revert         // Name: the persistent groups of the instance and of its service become the snapshot's

	verbCount
)

var verbs = [verbCount]string{
	ExpectRepository: "expect", ExpectGroup: "expect group", ExpectExists: "expect", ExpectAbsent: "expect no",
	Create: "create", Ensure: "ensure", Delete: "delete",
	CreateGroup: "create group", PutGroup: "put group", DeleteGroup: "delete group",
	SetProperty: "set property in", SetValues: "set values in", DeleteProperty: "delete property in",
	TakeSnapshot: "take snapshot", PutSnapshot: "put snapshot", CopySnapshot: "copy snapshot", DeleteSnapshot: "delete snapshot", Revert: "revert to snapshot",
}

// String is the verb in words.
func (v Verb) String() string {
	if v >= verbCount || verbs[v] == "" {
		return "unknown operation"
	}
	return verbs[v]
}

// Children says whether Delete of a service takes its instances too.
type Children uint8

// What becomes of instances.
const (
	KeepChildren Children = iota // ErrInUse when there are any
	WithChildren
)

// Op is one operation. It is plain data.
type Op struct {
	Verb       Verb
	On         Entity
	Name       string // of a group, or of a snapshot
	From       string // of a snapshot
	Type       string // of a group
	Flags      tree.Flags
	Prop       tree.Property
	Tree       *tree.Group
	Frozen     *Frozen // of a snapshot
	Children   Children
	Generation uint64
}

// Batch is operations that are done in their order, all or none. The zero Batch is empty. The
// methods add one each.
type Batch struct {
	Ops []Op
}

func (b *Batch) add(o Op) { b.Ops = append(b.Ops, o) }

// ExpectRepository fails the batch when anything was changed since the generation.
func (b *Batch) ExpectRepository(generation uint64) {
	b.add(Op{Verb: ExpectRepository, Generation: generation})
}

// ExpectGroup fails the batch when the group was changed since the generation; 0 stands for a
// group that is not there.
func (b *Batch) ExpectGroup(e Entity, group string, generation uint64) {
	b.add(Op{Verb: ExpectGroup, On: e, Name: group, Generation: generation})
}

// ExpectExists fails the batch when there is no such entity, or group unless it is empty.
func (b *Batch) ExpectExists(e Entity, group string) {
	b.add(Op{Verb: ExpectExists, On: e, Name: group})
}

// ExpectAbsent fails the batch when there is such an entity, or group unless it is empty.
func (b *Batch) ExpectAbsent(e Entity, group string) {
	b.add(Op{Verb: ExpectAbsent, On: e, Name: group})
}

// Create makes a service or an instance.
func (b *Batch) Create(e Entity) { b.add(Op{Verb: Create, On: e}) }

// Ensure makes what is missing of a service and an instance.
func (b *Batch) Ensure(e Entity) { b.add(Op{Verb: Ensure, On: e}) }

// Delete removes a service or an instance.
func (b *Batch) Delete(e Entity, c Children) { b.add(Op{Verb: Delete, On: e, Children: c}) }

// CreateGroup makes an empty group.
func (b *Batch) CreateGroup(e Entity, group, groupType string, flags tree.Flags) {
	b.add(Op{Verb: CreateGroup, On: e, Name: group, Type: groupType, Flags: flags})
}

// PutGroup makes a group, or replaces it. One that is equal already is not written.
func (b *Batch) PutGroup(e Entity, g *tree.Group) { b.add(Op{Verb: PutGroup, On: e, Tree: g}) }

// DeleteGroup removes a group.
func (b *Batch) DeleteGroup(e Entity, group string) {
	b.add(Op{Verb: DeleteGroup, On: e, Name: group})
}

// SetProperty makes a property of a group that is there, or replaces it.
func (b *Batch) SetProperty(e Entity, group string, p tree.Property) {
	b.add(Op{Verb: SetProperty, On: e, Name: group, Prop: p})
}

// SetValues replaces the values of a property that is there.
func (b *Batch) SetValues(e Entity, group string, p tree.Property) {
	b.add(Op{Verb: SetValues, On: e, Name: group, Prop: p})
}

// DeleteProperty removes a property.
func (b *Batch) DeleteProperty(e Entity, group, property string) {
	b.add(Op{Verb: DeleteProperty, On: e, Name: group, Prop: tree.Property{Name: property}})
}

// TakeSnapshot gives an instance's present configuration a name. What the name stood for goes.
func (b *Batch) TakeSnapshot(e Entity, name string) {
	b.add(Op{Verb: TakeSnapshot, On: e, Name: name})
}

// PutSnapshot gives a name to groups that the instance does not have, or no longer: what a
// manifest says, whatever an administrator has changed. They are persistent ones.
func (b *Batch) PutSnapshot(e Entity, name string, f *Frozen) {
	b.add(Op{Verb: PutSnapshot, On: e, Name: name, Frozen: f})
}

// CopySnapshot lets a second name stand for what the first does.
func (b *Batch) CopySnapshot(e Entity, from, name string) {
	b.add(Op{Verb: CopySnapshot, On: e, From: from, Name: name})
}

// DeleteSnapshot removes a name, and with the last one what it stood for.
func (b *Batch) DeleteSnapshot(e Entity, name string) {
	b.add(Op{Verb: DeleteSnapshot, On: e, Name: name})
}

// Revert makes the configuration what a snapshot holds.
func (b *Batch) Revert(e Entity, name string) { b.add(Op{Verb: Revert, On: e, Name: name}) }
