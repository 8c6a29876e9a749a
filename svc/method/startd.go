package method

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

const startdGroup = "startd"

// Duration is how long a service lives, and what its end is.
type Duration uint8

// The durations.
const (
	Contract  Duration = iota // as long as its contract has members
	Transient                 // the start method's work is the service
	Child                     // as long as the process of the start method; "wait" in the manual
)

// Rates by default, and how many starts are looked at.
const (
	failuresMax         = 10
	failurePeriod       = 600 * time.Second
	failurePeriodOfWait = time.Second
)

// prefixBytesMax is what an id of utmpx(5) has room for.
const prefixBytesMax = 4

// runtimeRoot is where runtime directories are, and runtimeMax how many one instance may have.
const (
	runtimeRoot = "/run/"
	runtimeMax  = 64
)

// Startd is the group startd of an instance, with defaults where it says nothing.
type Startd struct {
	Duration Duration
	// NeedSession: methods have a session of their own.
	NeedSession bool
	// UtmpxPrefix begins the id of the start method's record of utmpx; empty: there is none.
	UtmpxPrefix string
	// TimeoutRetry: a start method that took too long is tried again.
	TimeoutRetry bool
	// FailureCount starts, 1 to 10, within FailurePeriod are too many.
	FailureCount  int
	FailurePeriod time.Duration

	// The rest is ours, and off by default.

	// Backoff: starts that are too many are delayed, and do not end in maintenance.
	Backoff bool
	// Notify: a start is done when the service says READY=1 by sd_notify(3).
	Notify bool
	// RuntimeDirectories are paths below /run, clean and absolute.
	RuntimeDirectories []string
	// Period is how often the start method is run again, Jitter how much later at most; 0: it is not.
	Period, Jitter time.Duration
	// Notices are for the instance's log when it is started.
	Notices []string
}

// Startd reads the group startd. Values that make no sense are as if they were not there, and are
// told: so the original has it, whose defaults are safe. Runtime directories that are invalid, and a
// word of notify that is unknown, are an *Error (ErrMethod), beside all that is valid: the service
// would miss what it asks for.
func (i *Instance) Startd() (Startd, error) {
	s := Startd{TimeoutRetry: true, FailureCount: failuresMax, FailurePeriod: failurePeriod}
	g, err := group(i.Running, startdGroup)
	if err != nil || g == nil {
		return s, err
	}
	s.duration(g)
	s.NeedSession = truth(g.Prop("need_session"), false)
	s.TimeoutRetry = truth(g.Prop("timeout_retry"), true)
	s.Backoff = truth(g.Prop("backoff"), false)
	s.prefix(g)
	s.rate(g)
	s.Period = s.seconds(g, "period")
	if s.Jitter = s.seconds(g, "jitter"); s.Period == 0 && s.Jitter != 0 {
		s.Jitter = 0
		s.notice(name(startdGroup, "jitter") + " counts where there is a period alone.")
	}
	if err := s.directories(g.Prop("runtime_directory")); err != nil {
		return s, err
	}
	return s, s.notify(g.Prop("notify"))
}

// notify reads whether the service says when it is ready. Who leaves no process behind can not.
func (s *Startd) notify(p *tree.Property) error {
	if p == nil {
		return nil
	}
	v, is := word(p)
	switch {
	case is && v == "none":
	case is && v == "ready" && s.Duration == Transient:
		s.notice(name(startdGroup, "notify") + " counts where the duration is contract or child alone.")
	case is && v == "ready":
		s.Notify = true
	case is:
		return &Error{Code: ExitConfig, kind: ErrMethod, Text: name(startdGroup, "notify") + " is " + quoted(v) + ": it is ready, or none."}
	default:
		return &Error{Code: ExitConfig, kind: ErrMethod, Text: name(startdGroup, "notify") + " is not one string: it is ready, or none."}
	}
	return nil
}

func (s *Startd) notice(text string) { s.Notices = append(s.Notices, text) }

// without is a notice of a value that is not taken.
func (s *Startd) without(p *tree.Property, what string) {
	s.notice(name(startdGroup, p.Name) + " is " + what + ", and does not count.")
}

func (s *Startd) duration(g *tree.Group) {
	p := g.Prop("duration")
	if p == nil {
		return
	}
	switch v, _ := word(p); v {
	case "transient":
		s.Duration = Transient
	case "child", "wait":
		s.Duration = Child
		s.FailurePeriod = failurePeriodOfWait
	case "contract":
	default:
		s.without(p, "none of contract, transient and child")
	}
}

func (s *Startd) prefix(g *tree.Group) {
	p := g.Prop("utmpx_prefix")
	if p == nil {
		return
	}
	v, is := word(p)
	if !is || len(v) > prefixBytesMax || strings.IndexByte(v, 0) >= 0 {
		s.without(p, "not one string of at most "+strconv.Itoa(prefixBytesMax)+" bytes")
		return
	}
	s.UtmpxPrefix = v
}

func (s *Startd) rate(g *tree.Group) {
	if p := g.Prop("critical_failure_count"); p != nil {
		n, ok := number(p)
		if !ok || n < 1 || n > failuresMax {
			s.without(p, "not a number from 1 to "+strconv.Itoa(failuresMax))
		} else {
			s.FailureCount = int(n)
		}
	}
	if p := g.Prop("critical_failure_period"); p != nil {
		if n, ok := duration(p); ok {
			s.FailurePeriod = n
		} else {
			s.without(p, "not a number of seconds")
		}
	}
}

// seconds reads a number of seconds of ours; 0 when there is none.
func (s *Startd) seconds(g *tree.Group, name string) time.Duration {
	p := g.Prop(name)
	if p == nil {
		return 0
	}
	n, ok := duration(p)
	if !ok {
		s.without(p, "not a number of seconds")
	}
	return n
}

func duration(p *tree.Property) (time.Duration, bool) {
	n, ok := number(p)
	if !ok || n > math.MaxInt64/uint64(time.Second) {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// directories reads runtime_directory: names below /run, with or without it.
func (s *Startd) directories(p *tree.Property) error {
	if p == nil {
		return nil
	}
	bad := func(what string) error {
		return &Error{Code: ExitConfig, kind: ErrMethod, Text: name(startdGroup, p.Name) + " " + what + "."}
	}
	if !p.Type.Is(prop.AString) {
		return bad("is not of type astring")
	}
	if len(p.Values) > runtimeMax {
		return bad("has more than " + strconv.Itoa(runtimeMax) + " values")
	}
	for _, v := range p.Values {
		below := strings.TrimPrefix(v, runtimeRoot)
		if !clean(below) {
			return bad("has " + quoted(v) + ", which is no directory below /run")
		}
		s.RuntimeDirectories = append(s.RuntimeDirectories, runtimeRoot+below)
	}
	return nil
}

// clean says whether a path is relative, leads down only, and has one way to be written.
func clean(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 255 || strings.IndexByte(part, 0) >= 0 {
			return false
		}
	}
	return true
}
