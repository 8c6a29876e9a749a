package graph

type vertexKind uint8

const (
	instance vertexKind = iota
	service
	file
)

// view is one of the three ways in which a vertex is looked at as a member.
type view uint8

const (
	required view = iota
	optional
	excluded
	views
)

// tally counts verdicts: at [v+1] those that are v.
type tally [3]int

func (t *tally) move(from, to Verdict) { t[from+1]--; t[to+1]++ }
func (t *tally) all() Verdict {
	switch {
	case t[Never+1] > 0:
		return Never
	case t[NotYet+1] > 0:
		return NotYet
	}
	return Satisfied
}

// any is for what has members.
func (t *tally) any() Verdict {
	switch {
	case t[Satisfied+1] > 0:
		return Satisfied
	case t[NotYet+1] > 0:
		return NotYet
	}
	return Never
}

func (t *tally) members() int { return t[0] + t[1] + t[2] }

// vertex is an instance, a service or a file.
type vertex struct {
	name       string
	kind       vertexKind
	dependents []*edge // who has it as a member, in no order
	verdicts   [views]Verdict
	queued     bool // its verdicts may have changed
	touched    bool // Work looks at it
	mark       uint64

	// A service: its instances, and what they count in each view.
	instances []*vertex
	counts    [views]tally

	// A file.
	present, known bool

	// An instance.
	service    *vertex
	configured bool
	deathrow   bool
	config     Config
	restarter  string
	groups     []*group
	hold       *edge // the restarter, when it is not svc.startd
	need       tally // verdicts of groups and of hold
	state      State
	next       State
	asked      Event // the last order, while there are orders without an answer
	unanswered int
	mayStart   bool  // one of them is Start
	broken     Order // Event 0, or why it goes to maintenance; given is that it was told
	given      bool
	missed     Class // the greatest class of a stop that is due
	toggled    bool  // an administrator changed enabled, and the restarter does not know

	// Going down: see fall.go.
	falling   bool
	disabling bool
	leaving   bool // the milestone disables it
	below     []*vertex
	above     int
	inside    bool // of the milestone's subgraph
}

// group is a dependency property group of owner.
type group struct {
	owner     *vertex
	name      string
	grouping  Grouping
	restartOn Class
	edges     []*edge
	counts    tally
	verdict   Verdict
}

// edge is one member of a group; without a group it is owner's restarter.
type edge struct {
	member *vertex
	owner  *vertex
	group  *group
	at     int // place in member.dependents
	value  Verdict
}

func (e *edge) view() view {
	if e.group == nil {
		return required
	}
	return e.group.view()
}

func (g *group) view() view {
	switch g.grouping {
	case OptionalAll:
		return optional
	case ExcludeAll:
		return excluded
	}
	return required
}

func (g *group) judge() Verdict {
	if g.grouping == RequireAny && g.counts.members() > 0 {
		return g.counts.any()
	}
	return g.counts.all()
}

func (e *edge) excludes() bool { return e.group != nil && e.group.grouping == ExcludeAll }

func (v *vertex) enabled() bool {
	if v.config.Override != NoOverride {
		return v.config.Override == OverrideEnabled
	}
	return v.config.Enabled
}

// ready says whether an instance's dependencies are satisfied.
func (v *vertex) ready() Verdict {
	if v.broken.Event != 0 {
		return Never
	}
	return v.need.all()
}

// starting is that Start was ordered, or is under way, and that it has not ended.
func (v *vertex) starting() bool { return !v.state.running() && (v.mayStart || v.next.running()) }

// judge is what v is worth as a member, in each view.
func (v *vertex) judge() [views]Verdict {
	switch v.kind {
	case service:
		if len(v.instances) == 0 {
			return [views]Verdict{Never, Satisfied, Satisfied}
		}
		return [views]Verdict{v.counts[required].any(), v.counts[optional].all(), v.counts[excluded].all()}
	case file:
		switch {
		case !v.known:
			return [views]Verdict{}
		case v.present:
			return [views]Verdict{Satisfied, Satisfied, Never}
		}
		return [views]Verdict{Never, Never, Satisfied}
	}
	return v.judgeInstance()
}

// judgeInstance is the table of an instance: a row for each state.
func (v *vertex) judgeInstance() [views]Verdict {
	if !v.configured {
		if v.deathrow {
			return [views]Verdict{Satisfied, Satisfied, Satisfied}
		}
		return [views]Verdict{Never, Satisfied, Satisfied}
	}
	var row [views]Verdict
	switch v.state {
	case Online, Degraded:
		row = [views]Verdict{Satisfied, Satisfied, NotYet}
		if v.enabled() {
			row[excluded] = Never
		}
	case Offline:
		row = [views]Verdict{min(v.ready(), NotYet), NotYet, NotYet}
		if row[required] == Never {
			row[optional] = Satisfied // it cannot come up by itself: nobody waits for it
		}
	case Disabled:
		row = [views]Verdict{Never, Satisfied, Satisfied}
		if v.enabled() {
			row[optional] = NotYet
		}
	case Maintenance:
		row = [views]Verdict{Never, Satisfied, Satisfied}
	default:
		row = [views]Verdict{NotYet, NotYet, NotYet}
	}
	return v.whenFalling(row)
}

// whenFalling: what is marked to go down is no longer there for who requires it.
func (v *vertex) whenFalling(row [views]Verdict) [views]Verdict {
	gone := NotYet
	switch {
	case v.disabling:
		gone = Never
	case !v.falling:
		return row
	}
	row[required] = gone
	switch {
	case v.state.running() || v.state == Uninitialized || v.state == Offline && gone == NotYet:
		row[optional] = gone
	case v.state == Offline:
		row[optional] = Satisfied
	}
	return row
}
