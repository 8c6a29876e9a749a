package restarter

import (
	"strconv"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/repo"
)

// loudness is how much the restarter's own log is told, as options/logging of its own instance has it.
// What goes wrong it is always told.
type loudness int

const (
	quiet   loudness = iota
	verbose          // and each change of a state
	debug            // and what the graph orders, and processes of methods
)

// loudnesses are the words of options/logging.
var loudnesses = map[string]loudness{"quiet": quiet, "verbose": verbose, "debug": debug}

// option is a property of one string of the restarter's own groups options; empty: there is none.
func (r *Restarter) option(group, name string) (value string) {
	on := entityOf(FMRI)
	_ = r.cfg.Repo.View(func(v *repo.Reader) error {
		s, err := v.Composed(on)
		if err != nil {
			return err
		}
		if p, err := s.Property(group, name); err == nil && len(p.Values) == 1 {
			value = p.Values[0]
		}
		return nil
	})
	return value
}

// readLoudness reads how much is to be told from now on. A word that there is not is told, once.
func (r *Restarter) readLoudness() {
	value := r.option(optionsGroup, "logging")
	l, ok := loudnesses[value]
	if !ok && value != "" && value != r.badLogging {
		r.cfg.Say(FMRI + ": " + optionsGroup + "/logging is " + strconv.Quote(value) + ", and none of quiet, verbose and debug: it is taken for quiet")
	}
	r.badLogging = value
	r.news.all = r.option(optionsGroup, "info_events_all") == "true"
	if r.loud = l; r.cfg.Debug {
		r.loud = debug
	}
}

// tellState tells of a change of a state.
func (r *Restarter) tellState(u *unit, s *instance.States) {
	if r.loud < verbose || s.State == u.rec.State && s.Next == u.rec.Next {
		return
	}
	text := u.fmri + ": " + u.rec.State.String() + " -> " + s.State.String()
	if s.Next != graph.None {
		text += ", to be " + s.Next.String()
	}
	if s.Aux != "" {
		text += " (" + s.Aux + ")"
	}
	r.cfg.Say(text)
}

// tellOrder tells of an order of the graph.
func (r *Restarter) tellOrder(o *graph.Order) {
	if r.loud >= debug {
		r.cfg.Say(o.FMRI + ": order " + o.Event.String())
	}
}

// tellMethod tells of a method's process.
func (r *Restarter) tellMethod(b *begun) {
	if r.loud >= debug && b.err == nil {
		r.cfg.Say(b.u.fmri + ": process " + strconv.Itoa(b.b.Pid) + " in contract " + strconv.FormatUint(uint64(b.b.Contract), 10))
	}
}
