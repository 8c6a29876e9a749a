package restarter

import (
	"strings"
	"time"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/notify"
	"github.com/linuxzones/zones/svc/outbox"
	"github.com/linuxzones/zones/svc/repo"
)

// Notifier is the instance that tells people of changes of states. While it is not enabled nobody is
// told, and nothing is left for it.
const Notifier = "svc:/system/fm/smtp-notify:default"

const (
	// globalInstance has the notification parameters of instances that have none.
	globalInstance = "svc:/system/svc/global:default"
	// notifyType is the type of groups of them, and these begin their names.
	notifyType         = "notify_params"
	toState, fromState = "to-", "from-"
	// newsMax is how many changes wait for being written before they are told.
	newsMax = outbox.ChangesMax
)

// Outbox is where changes of states are left for the notifier: an outbox.Box. It waits for nobody.
type Outbox interface {
	Put(c *outbox.Change) error
}

// news is what the loop needs for that.
type news struct {
	list []outbox.Change
	all  bool         // options/info_events_all
	lost notify.Count // changes that could not be left
	said bool         // that there is nobody who would tell
}

// noteNews notes a change of a state, which is told when it is written: u has its old state still. Of
// the zone's way down nobody is told, for who would tell goes down too.
func (r *Restarter) noteNews(u *unit, s *instance.States) {
	from := u.rec.State
	if r.cfg.Outbox == nil || from == graph.None || s.State == from || !r.down.since.IsZero() || !r.hasNotifier() {
		return
	}
	if !r.news.all && !r.named(u, toState+s.State.String(), fromState+from.String()) {
		return
	}
	if len(r.news.list) == newsMax {
		r.loseNews(outbox.ErrFull)
		return
	}
	r.news.list = append(r.news.list, outbox.Change{
		FMRI: u.fmri, From: from.String(), To: s.State.String(), At: time.Now(), Reason: s.Aux, Detail: s.Detail, By: s.AuxFMRI, All: r.news.all,
	})
}

// hasNotifier says whether there is who would tell.
func (r *Restarter) hasNotifier() bool {
	u := r.units[Notifier]
	if u == nil || u.gone {
		return false
	}
	if u.cfg.Override != graph.NoOverride {
		return u.cfg.Override == graph.OverrideEnabled
	}
	return u.cfg.Enabled
}

// named says whether an instance, as it runs, or else the global one has parameters for one of these.
func (r *Restarter) named(u *unit, events ...string) (is bool) {
	_ = r.cfg.Repo.View(func(v *repo.Reader) error {
		for _, e := range []repo.Entity{u.on, entityOf(globalInstance)} {
			s, err := v.Effective(e)
			if err != nil {
				continue // there is none
			}
			for _, name := range events {
				g, err := s.Group(name)
				is = is || err == nil && g.Type == notifyType
			}
		}
		return nil
	})
	return is
}

// tellNews leaves what is written by now for the notifier. Who is killed before that has told nobody.
func (r *Restarter) tellNews() {
	for i := range r.news.list {
		if err := r.cfg.Outbox.Put(&r.news.list[i]); err != nil {
			r.loseNews(err)
		}
	}
	r.news.list = r.news.list[:0]
}

func (r *Restarter) loseNews(err error) {
	if n := &r.news.lost; n.Add() {
		r.cfg.Say(Notifier + ": " + err.Error() + ": " + n.String() + " are lost so far")
	}
}

// noteParameters is told of a group that was changed. Parameters that nobody reads are said to be so,
// once.
func (r *Restarter) noteParameters(group string) {
	named := strings.HasPrefix(group, toState) || strings.HasPrefix(group, fromState)
	if named && !r.news.said && r.cfg.Outbox != nil && !r.hasNotifier() {
		r.news.said = true
		r.cfg.Say("notification parameters were set, and nobody is told while " + Notifier + " is disabled: svcadm enable smtp-notify")
	}
}
