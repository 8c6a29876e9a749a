package upgrade

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/tree"
)

// Verb is what a step does.
type Verb uint8

// The verbs.
const (
	AddGroup    Verb = iota // Group: with all that is in it
	DeleteGroup             // Name
	SetProp                 // Name, Prop: made or replaced, its type too
	DeleteProp              // Name, Prop.Name
)

// Step is one change of an entity.
type Step struct {
	Verb  Verb
	Name  string // of the group
	Group tree.Group
	Prop  tree.Property
}

// Why says what a note is about.
type Why uint8

// The reasons.
const (
	// Customized: both changed the property, or the group, and it stays.
	Customized Why = iota
	// Deleted: the administrator took away what the manifest has changed, and it stays away.
	Deleted
	// Retyped: the group is of another type than the manifest's, or not persistent, and stays.
	Retyped
	// Refused: a property that is never upgraded differs.
	Refused
)

// Note is what a person should hear.
type Note struct {
	Why   Why
	Group string
	Prop  string // empty: of the group
}

// Marks are what a manifest says beside its data.
type Marks struct {
	// Override are groups (NAME) and properties (NAME/PROP) that are taken whatever is there.
	Override map[string]bool
	// Delete are groups that are taken away whatever is there.
	Delete map[string]bool
}

// Input is what is compared: the groups of one entity, in the order of their names. Groups that
// are not persistent take no part.
type Input struct {
	Old     []tree.Group
	HasOld  bool // there is a last import; without one only what is missing is added
	Current []tree.Group
	New     []tree.Group
	Marks   Marks
}

// dependencyType is the type of groups that are one thing.
const dependencyType = "dependency"

// never are the properties that are the administrator's.
var never = map[string]bool{"general/enabled": true, "general/restarter": true}

// plan is an upgrade being decided.
type plan struct {
	in    *Input
	steps []Step
	notes []Note
}

// Plan decides.
func Plan(in *Input) ([]Step, []Note) {
	p := &plan{in: in}
	for _, name := range names(in) {
		p.group(name, find(in.Old, name), find(in.Current, name), find(in.New, name))
	}
	return p.steps, p.notes
}

func names(in *Input) (list []string) {
	for _, groups := range [][]tree.Group{in.Old, in.Current, in.New} {
		for i := range groups {
			list = append(list, groups[i].Name)
		}
	}
	for name := range in.Marks.Delete {
		list = append(list, name)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func find(groups []tree.Group, name string) *tree.Group {
	i := slices.IndexFunc(groups, func(g tree.Group) bool { return g.Name == name && g.Flags&tree.NonPersistent == 0 })
	if i < 0 {
		return nil
	}
	return &groups[i]
}

func (p *plan) step(s Step)                       { p.steps = append(p.steps, s) }
func (p *plan) note(why Why, group, prop string)  { p.notes = append(p.notes, Note{why, group, prop}) }
func (p *plan) overrides(group, prop string) bool { return p.in.Marks.Override[path(group, prop)] }

func path(group, prop string) string { return group + "/" + prop }

func (p *plan) add(g *tree.Group) { p.step(Step{Verb: AddGroup, Name: g.Name, Group: g.Clone()}) }

// group decides about one group. Any of the three may be nil.
func (p *plan) group(name string, old, cur, fresh *tree.Group) {
	override := p.in.Marks.Override[name]
	if fresh != nil && fresh.Type == dependencyType {
		override = override || slices.ContainsFunc(fresh.Props, func(x tree.Property) bool { return p.overrides(name, x.Name) })
	}
	switch {
	case p.in.Marks.Delete[name]:
		p.remove(cur)
	case fresh == nil:
		p.gone(name, old, cur)
	case cur == nil && p.volatile(name):
		if old == nil || !old.Equal(fresh) {
			p.note(Retyped, name, "")
		}
	case cur == nil:
		p.missing(old, fresh, override)
	case cur.Equal(fresh):
	case override && (cur.Type != fresh.Type || cur.Type == dependencyType):
		p.step(Step{Verb: DeleteGroup, Name: name})
		p.add(fresh)
	case cur.Type != fresh.Type:
		p.retyped(old, cur, fresh)
	case !p.in.HasOld:
		p.complete(cur, fresh, override)
	case cur.Type == dependencyType:
		p.whole(old, cur, fresh)
	default:
		p.props(old, cur, fresh, override)
	}
}

// volatile says whether there is a group of the name that ends with the boot.
func (p *plan) volatile(name string) bool {
	return slices.ContainsFunc(p.in.Current, func(g tree.Group) bool { return g.Name == name && g.Flags&tree.NonPersistent != 0 })
}

// hasNever says whether something in the group is the administrator's whatever a manifest says.
func hasNever(g *tree.Group) bool {
	return slices.ContainsFunc(g.Props, func(x tree.Property) bool { return never[path(g.Name, x.Name)] })
}

// remove takes a group away, but for what is the administrator's.
func (p *plan) remove(cur *tree.Group) {
	switch {
	case cur == nil:
	case !hasNever(cur):
		p.step(Step{Verb: DeleteGroup, Name: cur.Name})
	default:
		for i := range cur.Props {
			if !never[path(cur.Name, cur.Props[i].Name)] {
				p.set(cur.Name, &cur.Props[i], nil)
			}
		}
	}
}

// gone: the manifest has no such group. One that it had, and nobody has touched, goes. Whether
// an instance is enabled stands in a group with what manifests say: it makes nobody's change.
func (p *plan) gone(name string, old, cur *tree.Group) {
	switch {
	case old == nil || cur == nil: // the administrator's own, or gone already
	case hasNever(cur) && cur.Type == old.Type:
		p.props(old, cur, &tree.Group{}, false)
	case cur.Equal(old):
		p.step(Step{Verb: DeleteGroup, Name: name})
	default:
		p.note(Customized, name, "")
	}
}

// missing: the manifest has a group that is not there: new, or taken away by the administrator.
func (p *plan) missing(old, fresh *tree.Group, override bool) {
	switch {
	case old == nil || override:
		p.add(fresh)
	case old.Equal(fresh): // it stays away
	default:
		p.note(Deleted, fresh.Name, "")
	}
}

// retyped: the manifest's group is of another type than what is there.
func (p *plan) retyped(old, cur, fresh *tree.Group) {
	switch {
	case old != nil && old.Equal(fresh): // the administrator's
	case old != nil && cur.Equal(old):
		p.step(Step{Verb: DeleteGroup, Name: cur.Name})
		p.add(fresh)
	default:
		p.note(Retyped, cur.Name, "")
	}
}

// whole upgrades a group that is one thing.
func (p *plan) whole(old, cur, fresh *tree.Group) {
	switch {
	case old != nil && old.Equal(fresh):
	case old != nil && cur.Equal(old):
		p.step(Step{Verb: DeleteGroup, Name: cur.Name})
		p.add(fresh)
	default:
		p.note(Customized, cur.Name, "")
	}
}

// complete adds the properties that are missing, where nobody knows what was there before. Half
// of one dependency and half of another would be none.
func (p *plan) complete(cur, fresh *tree.Group, override bool) {
	if cur.Type == dependencyType {
		return
	}
	for i := range fresh.Props {
		n := &fresh.Props[i]
		c := cur.Prop(n.Name)
		if c == nil || !c.Equal(n) && (override || p.overrides(cur.Name, n.Name)) {
			p.set(cur.Name, c, n)
		}
	}
}

// props upgrades a group property by property.
func (p *plan) props(old, cur, fresh *tree.Group, override bool) {
	if old == nil {
		old = &tree.Group{}
	}
	var list []string
	for _, g := range []*tree.Group{old, cur, fresh} {
		for i := range g.Props {
			list = append(list, g.Props[i].Name)
		}
	}
	slices.Sort(list)
	for _, name := range slices.Compact(list) {
		p.prop(cur.Name, old.Prop(name), cur.Prop(name), fresh.Prop(name), override || p.overrides(cur.Name, name))
	}
}

// same compares two properties, of which either may be absent.
func same(a, b *tree.Property) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(b)
}

// prop decides about one property. Absence is a value like any other.
func (p *plan) prop(group string, old, cur, fresh *tree.Property, override bool) {
	switch {
	case same(cur, fresh):
	case override && fresh != nil:
		p.set(group, cur, fresh)
	case same(old, fresh): // the administrator's
	case (old != nil || cur != nil) && never[path(group, nameOf(old, cur, fresh))]:
		p.note(Refused, group, nameOf(old, cur, fresh))
	case same(cur, old):
		p.set(group, cur, fresh)
	case cur == nil:
		p.note(Deleted, group, fresh.Name)
	default:
		p.note(Customized, group, cur.Name)
	}
}

func nameOf(list ...*tree.Property) string {
	for _, x := range list {
		if x != nil {
			return x.Name
		}
	}
	return ""
}

// set takes the manifest's property; nil takes it away.
func (p *plan) set(group string, cur, fresh *tree.Property) {
	switch {
	case fresh == nil:
		p.step(Step{Verb: DeleteProp, Name: group, Prop: tree.Property{Name: cur.Name}})
	case never[path(group, fresh.Name)] && cur != nil:
		p.note(Refused, group, fresh.Name)
	default:
		c := *fresh
		c.Values = slices.Clone(fresh.Values)
		p.step(Step{Verb: SetProp, Name: group, Prop: c})
	}
}

// Text is the note in the original's words.
func (n Note) Text(fmri string) string {
	var b strings.Builder
	switch {
	case n.Why == Refused:
		b.WriteString("Refusing to upgrade \"" + path(n.Group, n.Prop) + "\" for " + fmri + ".")
	case n.Why == Retyped:
		b.WriteString("Conflict upgrading " + fmri + " (property group \"" + n.Group + "\" has different type).")
	case n.Prop == "" && n.Why == Deleted:
		b.WriteString("Conflict upgrading " + fmri + " (property group \"" + n.Group + "\" has been deleted).")
	case n.Prop == "":
		b.WriteString("Conflict upgrading " + fmri + " (property group \"" + n.Group + "\" has been customized).")
	case n.Why == Deleted:
		b.WriteString("Conflict upgrading " + fmri + " (property \"" + path(n.Group, n.Prop) + "\" has been deleted).")
	default:
		b.WriteString("Conflict upgrading " + fmri + " (property \"" + path(n.Group, n.Prop) + "\" has been customized).")
	}
	return b.String()
}

// Apply does steps to groups, and gives them in the order of their names.
func Apply(groups []tree.Group, steps []Step) []tree.Group {
	out := make([]tree.Group, 0, len(groups))
	for i := range groups {
		out = append(out, groups[i].Clone())
	}
	for _, s := range steps {
		i := slices.IndexFunc(out, func(g tree.Group) bool { return g.Name == s.Name })
		switch {
		case s.Verb == AddGroup && i < 0:
			out = append(out, s.Group.Clone())
		case i < 0:
		case s.Verb == DeleteGroup:
			out = slices.Delete(out, i, i+1)
		default:
			g := &out[i]
			g.Props = slices.DeleteFunc(g.Props, func(p tree.Property) bool { return p.Name == s.Prop.Name })
			if s.Verb == SetProp {
				g.Props = append(g.Props, s.Prop)
			}
		}
	}
	tree.SortGroups(out)
	return out
}
