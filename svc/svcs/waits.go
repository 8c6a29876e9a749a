package svcs

import (
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
		if name, path := blamed(chain); name != "" && name != b.in.fmri && !seen[name] {
			seen[name] = true
			b.blame(name, path)
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

// blamed is the instance at the end of a chain, and the instances on the way to it. Of what is
// absent or a file the one that depends on it is to blame; none, when that is where the chain
// begins.
func blamed(chain []graph.Cause) (name string, path []string) {
	if last := &chain[len(chain)-1]; lacks(last) {
		chain = chain[:len(chain)-1]
	}
	for i := range chain {
		if f, err := fmri.Parse(chain[i].FMRI); err == nil && f.Instance != "" {
			name = chain[i].FMRI
			path = append(path, name)
		}
	}
	return name, path
}

// blame says which other service is the cause.
func (b *block) blame(name string, path []string) {
	text, code := "Service "+name+" "+b.p.summary(name), codeDependency
	if in := b.p.byFMRI[name]; in != nil && running(in) {
		code = codeExcluded
	}
	if len("Reason: "+text) > lineMax {
		text = "Service " + name + "\n        " + b.p.summary(name)
	}
	b.reason(text, code)
	if b.p.r.order.verbose {
		b.path(append([]string{b.in.fmri}, path...))
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
