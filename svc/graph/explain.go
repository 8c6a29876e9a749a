package graph

// Why says what is wrong with a member.
type Why uint8

const (
	_             Why = iota
	Absent            // no such instance, or a service without any
	NoFile            // the file is not there, or it is not known yet
	IsOff             // disabled
	IsBroken          // in maintenance
	NotReported       // uninitialized: its restarter has not spoken
	InTheWay          // it runs, or may, and is excluded; the file is there
	GoingDown         // it is about to be stopped
	ComingUp          // its dependencies are there, it is not
	Waiting           // it waits for something itself
	Cyclic            // it is the last of a cycle: Broken tells the path
	Misconfigured     // a dependency or restarter of it cannot be read: Broken tells which
)

// SingleInstance stands for a dependency where another instance of the same service runs.
const SingleInstance = "single_instance"

// Cause is a member of a dependency that is not satisfied.
type Cause struct {
	FMRI       string
	Dependency string // name of the group in the dependent's configuration; empty: its restarter
	Grouping   Grouping
	Verdict    Verdict
	State      State
	Why        Why
}

// Explanation is what is to be said of an instance.
type Explanation struct {
	FMRI    string
	State   State
	Next    State
	Enabled bool
	Config  Config
	Ready   Verdict
	Broken  Order // Event 0: nothing is wrong with its configuration
	Inside  bool  // the milestone wants it, or there is none
	// Waits is what holds it up itself; Chains lead from it to each cause that has no other:
	// the last Cause of a chain. Both are empty when all is satisfied.
	Waits  []Cause
	Chains [][]Cause
}

// Explain tells of a configured instance. It costs what it tells of. ErrNotThere.
func (g *Graph) Explain(text string) (Explanation, error) {
	v := g.find(text)
	if v == nil || !v.configured {
		return Explanation{}, ErrNotThere
	}
	e := Explanation{
		FMRI: v.name, State: v.state, Next: v.next, Enabled: v.enabled(), Config: v.config,
		Ready: v.ready(), Broken: v.broken, Inside: v.inside,
	}
	if v.state == Offline && v.rival() != nil {
		e.Ready = Never
	}
	e.Waits = v.waits()
	e.Chains = g.chains(v)
	return e, nil
}

// waits are the members that keep a group from being satisfied.
func (v *vertex) waits() (causes []Cause) {
	if r := v.rival(); r != nil && v.state == Offline {
		causes = append(causes, Cause{FMRI: r.name, Dependency: SingleInstance, Grouping: ExcludeAll, Verdict: Never, State: r.state, Why: InTheWay})
	}
	if v.hold != nil && v.hold.value != Satisfied {
		causes = append(causes, v.hold.cause())
	}
	for _, group := range v.groups {
		if group.verdict == Satisfied {
			continue
		}
		for _, e := range group.edges {
			if e.value != Satisfied {
				causes = append(causes, e.cause())
			}
		}
	}
	return causes
}

func (e *edge) cause() Cause {
	c := Cause{FMRI: e.member.name, Verdict: e.value, State: e.member.state, Why: e.member.why(e.view())}
	if e.group != nil {
		c.Dependency, c.Grouping = e.group.name, e.group.grouping
	}
	return c
}

func (v *vertex) why(seen view) Why {
	switch {
	case seen == excluded:
		return InTheWay
	case v.kind == file:
		return NoFile
	case v.kind == service && len(v.instances) > 0:
		return Waiting
	case v.kind == service || !v.configured:
		return Absent
	case v.broken.Event == DependencyCycle:
		return Cyclic
	case v.broken.Event != 0:
		return Misconfigured
	}
	return v.whyInstance()
}

func (v *vertex) whyInstance() Why {
	switch {
	case v.state == Maintenance:
		return IsBroken
	case v.state == Disabled || !v.enabled():
		return IsOff
	case v.falling || v.disabling:
		return GoingDown
	case v.state == Uninitialized:
		return NotReported
	case v.ready() == Satisfied && v.rival() == nil:
		return ComingUp
	}
	return Waiting
}

// chains looks for the causes, the nearest first. A vertex is looked at once, by the shortest
// way to it.
func (g *Graph) chains(v *vertex) (chains [][]Cause) {
	type step struct {
		cause  Cause
		member *vertex
		before int
	}
	var steps []step
	seen := map[*vertex]bool{v: true}
	expand := func(from *vertex, at int) {
		g.steps++
		for _, cause := range from.waits() {
			if member := g.vertices[cause.FMRI]; !seen[member] {
				seen[member] = true
				steps = append(steps, step{cause, member, at})
			}
		}
		for _, i := range from.instances {
			if !seen[i] && i.verdicts[required] != Satisfied {
				seen[i] = true
				cause := Cause{FMRI: i.name, Verdict: i.verdicts[required], State: i.state, Why: i.why(required)}
				steps = append(steps, step{cause, i, at})
			}
		}
	}
	expand(v, -1)
	for i := 0; i < len(steps); i++ {
		if steps[i].cause.Why == Waiting {
			expand(steps[i].member, i)
			continue
		}
		var chain []Cause
		for at := i; at >= 0; at = steps[at].before {
			chain = append([]Cause{steps[at].cause}, chain...)
		}
		chains = append(chains, chain)
	}
	return chains
}

// Impact names the enabled instances that do not run because, near or far, of this instance, the
// nearest first. ErrNotThere.
func (g *Graph) Impact(text string) (names []string, err error) {
	root := g.find(text)
	if root == nil || root.kind != instance {
		return nil, ErrNotThere
	}
	seen := map[*vertex]bool{root: true}
	queue := []*vertex{root}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		if v.service != nil && v.service.verdicts[required] != Satisfied && !seen[v.service] {
			seen[v.service] = true
			queue = append(queue, v.service)
		}
		for _, e := range v.dependents {
			o := e.owner
			waits := e.value != Satisfied && (e.group == nil || e.group.verdict != Satisfied)
			if !waits || seen[o] || !o.enabled() || o.state.running() {
				continue
			}
			seen[o] = true
			names = append(names, o.name)
			queue = append(queue, o)
		}
	}
	return names, nil
}

// CanComeUp says whether any of these instances runs, or may without an administrator: when none
// can, svc.startd gives a shell on the console.
func (g *Graph) CanComeUp(names ...string) bool {
	for _, name := range names {
		v := g.find(name)
		if v == nil || !v.configured {
			continue
		}
		if v.state.running() || v.state == Uninitialized || v.state == Offline && v.ready() != Never {
			return true
		}
	}
	return false
}
