package svcs

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
)

// Codes of the articles about reasons. Source: explain.c.
const (
	codeDisabled      = "SMF-8000-05"
	codeTemporarily   = "SMF-8000-1S"
	codeBadRestarter  = "SMF-8000-2A"
	codeNoRestarter   = "SMF-8000-3P"
	codeUninitialized = "SMF-8000-4D"
	codeRestarterDown = "SMF-8000-5H"
	codeRequested     = "SMF-8000-63"
	codeRepeated      = "SMF-8000-7Y"
	codeMethod        = "SMF-8000-8Q"
	codeNone          = "SMF-8000-9C"
	codeUnknown       = "SMF-8000-AR"
	codeStarting      = "SMF-8000-C4"
	codeDegraded      = "SMF-8000-DX"
	codeAbsent        = "SMF-8000-E2"
	codeExcluded      = "SMF-8000-FJ"
	codeDependency    = "SMF-8000-GE"
	codeCycle         = "SMF-8000-HP"
	codeInvalid       = "SMF-8000-JA"
	codeStart         = "SMF-8000-KS"
	codeTooQuickly    = "SMF-8000-L5"
	codeState         = "SMF-8000-N3"
	codeTransition    = "SMF-8000-PH"
	codeByService     = "SMF-8000-R4"
)

// reasons says why the instance does not run, or not as it should.
func (b *block) reasons() {
	in := b.in
	// Of what waits for others it says how it stopped, not why it does not start.
	if !in.stays() {
		b.detail = in.of("auxiliary_detail")
	}
	switch state := in.state(); state {
	case online:
		return
	case uninitialized:
		b.noState()
	case disabled:
		b.disabled()
	case maintenance:
		b.broken()
	case offline:
		switch next := in.next(); next {
		case "":
			b.waits()
		case online:
			b.reason("Start method is running.", codeStarting)
		default:
			b.reason("Transitioning to state "+next+".", codeTransition)
		}
	case degraded:
		b.reason("Degraded by an administrator.", codeDegraded)
	default:
		b.reason("Not in valid state ("+state+").", codeState)
	}
}

// noState: the restarter has said nothing yet.
func (b *block) noState() {
	name := b.in.restarter()
	f, err := fmri.Parse(name)
	if err != nil || f.Scheme != fmri.Service || f.Instance == "" || f.Group != "" {
		b.reason("Restarter \""+name+"\" is invalid.", codeBadRestarter)
		return
	}
	by := b.p.byFMRI[f.String()]
	switch {
	// svc.startd runs, else nobody would serve the repository.
	case by == nil && f.String() != startd:
		b.reason("Restarter \""+name+"\" does not exist.", codeNoRestarter)
	case by == nil || running(by):
		b.reason("Restarter "+name+" has not initialized service state.", codeUninitialized)
	default:
		b.reason("Restarter "+name+" is not running.", codeRestarterDown)
	}
}

func (b *block) disabled() {
	end := "."
	if comment := b.in.comment(); comment != "" {
		end = ": " + comment
	}
	if _, temporary, _ := b.in.effective(); temporary {
		b.reason("Temporarily disabled by an administrator"+end, codeTemporarily)
	} else {
		b.reason("Disabled by an administrator"+end, codeDisabled)
	}
}

// plainly are the auxiliary states of maintenance that a sentence explains.
var plainly = map[string]struct{ text, code string }{
	"administrative_request": {"Maintenance requested by an administrator.", codeRequested},
	"restarting_too_quickly": {"Restarting too quickly.", codeTooQuickly},
	"ct_ev_core":             {"A process dumped core.", codeUnknown},
	"ct_ev_signal":           {"A process received a fatal signal from outside of the service.", codeUnknown},
	"ct_ev_hwerr":            {"A process was killed due to an uncorrectable hardware error.", codeUnknown},
}

// broken: the instance is in maintenance.
func (b *block) broken() {
	aux := b.in.of("auxiliary_state")
	if plain, is := plainly[aux]; is {
		b.reason(plain.text, plain.code)
		return
	}
	switch aux {
	case "dependency_cycle":
		b.cycle()
	case "fault_threshold_reached", "method_failed":
		b.method(aux == "fault_threshold_reached")
	case "service_request":
		b.byService()
	case "invalid_dependency":
		if c := b.p.configs[b.in]; c.Invalid != "" {
			b.detail = printable.Text(c.Invalid)
		}
		b.reason("Has invalid dependency.", codeInvalid)
	case "invalid_restarter":
		b.reason("Restarter \""+b.in.restarter()+"\" is invalid.", codeBadRestarter)
	case none:
		b.reason("Restarter "+b.in.restarter()+" gave no explanation.", codeNone)
	default:
		b.reason("Unknown.", codeUnknown)
	}
}

// cycle tells, with -v, the way round, if there still is one.
func (b *block) cycle() {
	b.reason("Completes a dependency cycle.", codeCycle)
	e, err := b.p.graph.Explain(b.in.fmri)
	if err != nil || e.Broken.Event != graph.DependencyCycle || !b.p.r.order.verbose {
		return
	}
	b.path(e.Broken.Path)
}

// path is a way through the graph, each step further to the right.
func (b *block) path(names []string) {
	for i, name := range names {
		if i == 0 {
			b.say("  Path: " + name)
			continue
		}
		b.say(pad("", 8+2*i) + name)
	}
}

func (b *block) byService() {
	by := b.in.of("auxiliary_fmri")
	if by == "" {
		b.reason("Maintenance requested by another service.", codeByService)
		return
	}
	b.say("Reason: Maintenance requested by \"" + by + "\"")
	if f, err := fmri.Parse(by); err == nil {
		if other := b.p.byFMRI[f.String()]; other != nil {
			b.logs(other)
		}
	}
	b.see(codeByService)
}

// Exit statuses of methods that have a name. Source: smf_method(7).
const (
	exitFatal  = 95
	exitConfig = 96
)

// method says how the start method ended, or that it was another.
func (b *block) method(repeatedly bool) {
	text := ""
	if p := b.in.property(groupRestarter, "start_method_waitstatus", prop.Integer, 1, 1); p != nil {
		if n, err := strconv.ParseInt(p.Values[0], 10, 32); err == nil && n != 0 {
			text = ended(unix.WaitStatus(n))
		}
	}
	switch {
	case text == "" && repeatedly:
		b.reason("Method failed repeatedly.", codeRepeated)
	case text == "":
		b.reason("Method failed.", codeMethod)
	case repeatedly:
		b.reason("Start method failed repeatedly, last "+text+".", codeStart)
	default:
		b.reason("Start method "+text+".", codeStart)
	}
}

// ended says how a process ended; nothing, when it did not.
func ended(status unix.WaitStatus) string {
	switch {
	case status.Exited() && status.ExitStatus() == exitConfig:
		return "exited with $SMF_EXIT_ERR_CONFIG"
	case status.Exited() && status.ExitStatus() == exitFatal:
		return "exited with $SMF_EXIT_ERR_FATAL"
	case status.Exited():
		return "exited with status " + strconv.Itoa(status.ExitStatus())
	case !status.Signaled():
		return ""
	}
	n := strconv.Itoa(int(status.Signal()))
	name := unix.SignalName(status.Signal())
	switch {
	case status.CoreDump() && name == "":
		return "dumped core signal " + n
	case status.CoreDump():
		return "dumped core on " + name + " (" + n + ")"
	case name == "":
		return "died on signal " + n
	}
	return "died on " + name + " (" + n + ")"
}
