package svcs

import (
	"slices"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graph"
)

// waits says what an instance waits for that is offline: what is absent, and who is to blame.
func (b *block) waits() {
	e, err := b.p.graph.Explain(b.in.fmri)
	if err != nil { // it is not configured: svc.startd passes it over
		b.reason("Unknown.", codeUnknown)
		return
	}
	before := len(b.lines)
	b.misconfigured(&e)
	seen := map[string]bool{}
	for i := range e.Waits {
		if w := &e.Waits[i]; lacks(w) && !seen[w.FMRI] {
			seen[w.FMRI] = true
			b.lacking(w)
		}
	}
	for _, chain := range e.Chains {
		for _, c := range b.p.blamed(chain) {
			if c.name != b.in.fmri && !seen[c.name] {
				seen[c.name] = true
				b.blame(c)
			}
		}
	}
	if len(b.lines) > before {
		return
	}
	plain, is := plainly[b.in.of("auxiliary_state")]
	switch {
	case is:
		b.detail = b.in.of("auxiliary_detail")
		b.reason(plain.text, plain.code)
	case b.p.blind[b.in]:
		b.reason("Unknown: only within the zone svcs can look at the files that it depends on.", codeUnknown)
	default:
		b.reason("Unknown.", codeUnknown)
	}
}

// misconfigured says what is wrong with the instance's own configuration.
func (b *block) misconfigured(e *graph.Explanation) {
	switch e.Broken.Event {
	case graph.InvalidRestarter:
		b.reason("Restarter \""+b.in.restarter()+"\" is invalid.", codeBadRestarter)
	case graph.InvalidDependency:
		b.detail = printable.Text(e.Broken.Detail)
		b.reason("Has invalid dependency.", codeInvalid)
	case graph.DependencyCycle:
		b.cycle()
	}
}

// lacks says whether a member is not an instance that is to blame, but one that is not there, or a
// file.
func lacks(c *graph.Cause) bool {
	return c.Why == graph.Absent || c.Why == graph.NoFile || c.Why == graph.InTheWay && isFile(c.FMRI)
}

func isFile(name string) bool {
	f, err := fmri.Parse(name)
	return err == nil && f.Scheme == fmri.File
}

func (b *block) lacking(c *graph.Cause) {
	name := printable.Text(c.FMRI)
	switch {
	case c.Why == graph.InTheWay:
		b.reason("Dependency "+name+" is present.", codeExcluded)
	case c.Dependency == "":
		b.reason("Restarter \""+name+"\" does not exist.", codeNoRestarter)
	default:
		b.reason("Dependency "+name+" is absent.", codeAbsent)
	}
}

// cause is an instance that is to blame, and the instances on the way to it.
type cause struct {
	name string
	path []string
}

// blamed are the instances at the end of a chain: several, when a service is excluded. Of what is
// absent or a file the one that depends on it is to blame; nobody, when that is where the chain
// begins. An instance that is off is no obstacle where its service is optional.
func (p *picture) blamed(chain []graph.Cause) (all []cause) {
	last := &chain[len(chain)-1]
	if lacks(last) {
		chain = chain[:len(chain)-1]
	}
	var c cause
	for i := range chain {
		f, err := fmri.Parse(chain[i].FMRI)
		switch {
		case err != nil:
			return nil
		case f.Instance != "":
			c.name = chain[i].FMRI
			c.path = append(c.path, c.name)
			if i > 0 && chain[i-1].Grouping == graph.OptionalAll && chain[i].Grouping == 0 && !p.inTheWay(p.byFMRI[c.name]) {
				return nil
			}
			if in := p.byFMRI[c.name]; in != nil && in.state() == offline && in.next() != "" {
				return []cause{c} // whatever it may wait for, it is on its way
			}
		case i == len(chain)-1 && chain[i].Why == graph.InTheWay:
			for _, in := range p.below[f.Service] {
				if p.has(in) && p.inTheWay(in) {
					all = append(all, cause{in.fmri, append(slices.Clip(c.path), in.fmri)})
				}
			}
			return all
		}
	}
	if c.name == "" {
		return nil
	}
	return []cause{c}
}

// inTheWay says whether an instance runs, or may come to.
func (p *picture) inTheWay(in *instance) bool {
	if in == nil {
		return false
	}
	enabled, _, _ := in.effective()
	return in.state() != maintenance && (enabled || in.state() != disabled)
}

// blame says which other service is the cause.
func (b *block) blame(c cause) {
	summary, code := b.p.summary(c.name), codeDependency
	if in := b.p.byFMRI[c.name]; in != nil && running(in) {
		code = codeExcluded
	}
	text := "Service " + c.name + " " + summary
	if len("Reason: "+text) > lineMax {
		text = "Service " + c.name + "\n        " + summary
	}
	b.reason(text, code)
	if b.p.r.order.verbose {
		b.path(append([]string{b.in.fmri}, c.path...))
	}
}

// lineMax is how long a line may be before it is made two.
const lineMax = 80

// summaries are of instances in maintenance, by their auxiliary states.
var summaries = map[string]string{
	"administrative_request":  "was taken down for maintenance by an administrator.",
	"dependency_cycle":        "completed a dependency cycle.",
	"fault_threshold_reached": "is not running because a method failed repeatedly.",
	"invalid_dependency":      "has an invalid dependency.",
	"invalid_restarter":       "has an invalid restarter.",
	"method_failed":           "is not running because a method failed.",
	none:                      "is not running for an unknown reason.",
	"restarting_too_quickly":  "was restarting too quickly.",
}

// summary says what is the matter with an instance.
func (p *picture) summary(name string) string {
	in := p.byFMRI[name]
	if in == nil {
		return "is absent."
	}
	switch in.state() {
	case online, degraded:
		return "is running."
	case uninitialized, "":
		return "is uninitialized."
	case disabled:
		if _, temporary, _ := in.effective(); temporary {
			return "is temporarily disabled."
		}
		return "is disabled."
	case offline:
		return p.offlineSummary(in)
	case maintenance:
		if text, is := summaries[in.of("auxiliary_state")]; is {
			return text
		}
		return "requires maintenance."
	}
	return "is in an invalid state."
}

func (p *picture) offlineSummary(in *instance) string {
	if in.next() == online {
		return "is starting."
	}
	e, err := p.graph.Explain(in.fmri)
	if err == nil {
		for i := range e.Waits {
			if lacks(&e.Waits[i]) {
				return "has missing dependencies."
			}
		}
	}
	return "is offline."
}
