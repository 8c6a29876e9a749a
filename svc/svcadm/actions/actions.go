package actions

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Group is the group of requests, Type its type. It is NonPersistent.
const (
	Group = "restarter_actions"
	Type  = "framework"
)

// What is asked for: the name of a property.
const (
	Refresh          = "refresh"
	Restart          = "restart"
	MaintOn          = "maint_on"
	MaintOnImmediate = "maint_on_immediate"
	MaintOnTemporary = "maint_on_temporary"
	MaintOnImmTemp   = "maint_on_immtemp"
	MaintOff         = "maint_off"
	Degraded         = "degraded"
	DegradeImmediate = "degrade_immediate"
	Restore          = "restore"
)

// What is written together with requests.
const (
	Dump    = "do_dump"
	AuxTTY  = "auxiliary_tty"
	AuxFMRI = "auxiliary_fmri"
)

// Taken has the stamps of the requests that were taken last, takenMax at most: far more than are
// made while one asker finds out what became of his.
const (
	Taken    = "taken"
	takenMax = 16
)

// kinds are all requests, in the order in which those with one stamp are done.
var kinds = []string{
	Refresh, Restart, MaintOn, MaintOnImmediate, MaintOnTemporary, MaintOnImmTemp, MaintOff, Degraded, DegradeImmediate, Restore,
}

// maintOn says whether it is one of those that bring an instance to maintenance.
func maintOn(name string) bool {
	switch name {
	case MaintOn, MaintOnImmediate, MaintOnTemporary, MaintOnImmTemp:
		return true
	}
	return false
}

// Is says whether the name is that of a request.
func Is(name string) bool { return slices.Contains(kinds, name) }

// Request is one that is to be done.
type Request struct {
	Name  string
	Stamp int64
	// Dump, of Restart: the processes dump core.
	Dump bool
	// Moot: there is a later request for maintenance, which makes this one idle. It is taken, and
	// not done.
	Moot bool
}

// Asked is what a group says.
type Asked struct {
	Requests []Request // in the order in which they are to be done
	TTY      bool      // who asked last sat at a terminal
	FMRI     string    // who asked last is a process of this service; empty: of none
}

// Of reads the requests in a group as it is; nil has none.
func Of(g *tree.Group) (a Asked) {
	if g == nil || g.Name != Group {
		return a
	}
	_, dump := stamp(g, Dump)
	for _, name := range kinds {
		if at, is := stamp(g, name); is {
			a.Requests = append(a.Requests, Request{Name: name, Stamp: at, Dump: dump && name == Restart})
		}
	}
	slices.SortStableFunc(a.Requests, func(x, y Request) int { return cmp.Compare(x.Stamp, y.Stamp) })
	moot := false
	for i := len(a.Requests) - 1; i >= 0; i-- {
		r := &a.Requests[i]
		r.Moot = moot && r.Name != Refresh
		moot = moot || maintOn(r.Name)
	}
	if p := g.Prop(AuxTTY); p != nil && p.Type == prop.Boolean && len(p.Values) == 1 {
		a.TTY = p.Values[0] == "true"
	}
	if p := g.Prop(AuxFMRI); p != nil && p.Type.Is(prop.AString) && len(p.Values) == 1 {
		a.FMRI = p.Values[0]
	}
	return a
}

// Took adds to a batch what deletes requests that were taken from a group. generation is that of
// the group they are deleted from, and g the group as it is at that generation: when it was written
// since the requests were read, what has another stamp now stays, and is to be taken too. It says
// whether there is anything to delete.
func Took(b *repo.Batch, on repo.Entity, g *tree.Group, generation uint64, taken []Request) bool {
	var names []string
	var done []int64
	for _, r := range taken {
		at, is := stamp(g, r.Name)
		if !is || at != r.Stamp {
			continue
		}
		names = append(names, r.Name)
		if !slices.Contains(done, at) && len(done) < takenMax {
			done = append(done, at)
		}
		if r.Dump && g.Prop(Dump) != nil {
			names = append(names, Dump)
		}
	}
	if len(names) == 0 {
		return false
	}
	b.ExpectGroup(on, Group, generation)
	for _, name := range names {
		b.DeleteProperty(on, Group, name)
	}
	before := stampsTaken(g)
	values := make([]string, 0, takenMax)
	for _, at := range before[max(len(before)+len(done)-takenMax, 0):] {
		values = append(values, strconv.FormatInt(at, 10))
	}
	for _, at := range done {
		values = append(values, strconv.FormatInt(at, 10))
	}
	b.SetProperty(on, Group, tree.Property{Name: Taken, Type: prop.Integer, Values: values})
	return true
}

// stampsTaken are those of requests that are done, the last one last.
func stampsTaken(g *tree.Group) (list []int64) {
	p := g.Prop(Taken)
	if p == nil || p.Type != prop.Integer {
		return nil
	}
	for _, v := range p.Values[max(len(p.Values)-takenMax, 0):] {
		if at, err := strconv.ParseInt(v, 10, 64); err == nil && at > 0 {
			list = append(list, at)
		}
	}
	return list
}

// Known says whether a request with that stamp is in a group, or was taken from it lately. So who
// does not know whether his batch was done finds out.
func Known(g *tree.Group, name string, at int64) bool {
	if g == nil {
		return false
	}
	now, is := stamp(g, name)
	return is && now == at || slices.Contains(stampsTaken(g), at)
}

// Ask adds to a batch what makes requests of an instance. g is its group as it was read, nil when
// there is none, and generation the group's, then 0; now is the clock in nanoseconds since 1970. names may
// have Dump beside Restart; with Dump alone nothing is asked. It gives the stamp.
func Ask(b *repo.Batch, on repo.Entity, g *tree.Group, generation uint64, now int64, who Asked, names ...string) int64 {
	b.ExpectGroup(on, Group, generation)
	if g == nil {
		b.CreateGroup(on, Group, Type, tree.NonPersistent)
	}
	at := after(g, now)
	for _, name := range names { // before what is only said besides: it is named when it is refused
		b.SetProperty(on, Group, tree.Property{Name: name, Type: prop.Integer, Values: []string{strconv.FormatInt(at, 10)}})
	}
	b.SetProperty(on, Group, tree.Property{Name: AuxTTY, Type: prop.Boolean, Values: []string{strconv.FormatBool(who.TTY)}})
	switch {
	case who.FMRI != "":
		b.SetProperty(on, Group, tree.Property{Name: AuxFMRI, Type: prop.AString, Values: []string{who.FMRI}})
	case g != nil && g.Prop(AuxFMRI) != nil:
		b.DeleteProperty(on, Group, AuxFMRI)
	}
	return at
}

// after is a stamp that is greater than all in the group. One that leaves no room for a greater one
// is nobody's clock, and does not count.
func after(g *tree.Group, now int64) int64 {
	if g == nil {
		return now
	}
	later := func(at int64) {
		if at >= now && at < math.MaxInt64 {
			now = at + 1
		}
	}
	for _, name := range append([]string{Dump}, kinds...) {
		if at, is := stamp(g, name); is {
			later(at)
		}
	}
	for _, at := range stampsTaken(g) {
		later(at)
	}
	return now
}

// stamp is a request's; is: there is one. Zero is none: the original leaves that of what was done.
func stamp(g *tree.Group, name string) (at int64, is bool) {
	if g == nil {
		return 0, false
	}
	p := g.Prop(name)
	if p == nil || p.Type != prop.Integer || len(p.Values) != 1 {
		return 0, false
	}
	at, err := strconv.ParseInt(p.Values[0], 10, 64)
	return at, err == nil && at > 0
}
