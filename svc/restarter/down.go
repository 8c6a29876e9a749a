package restarter

import (
	"strconv"
	"time"

	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/tree"
)

// down is the zone's way down, as far as it is the services'.
type down struct {
	asked <-chan struct{} // nil: it has begun, or never will
	since time.Time       // when it began; zero: it has not
	done  bool            // no service is up any more
}

// begin has all services stopped, those first that nobody needs. What is enabled stays so: it is
// overridden until the next boot.
func (r *Restarter) beginDown() {
	r.down.asked, r.down.since = nil, time.Now()
	if r.cfg.Records != nil {
		r.cfg.Records.Down()
	}
	n := 0
	for _, u := range r.units {
		if u.rec.State == graph.Online || u.rec.State == graph.Degraded {
			n++
		}
	}
	r.cfg.Alert("The system is coming down.  Please wait.")
	r.cfg.Alert(strconv.Itoa(n) + " system services are now being stopped.")
	r.apply(graph.Op{Kind: graph.Milestone, FMRI: "none"})
}

// whileDown has nothing come up that is enabled, or made, while the zone goes down: a profile may be
// just being applied. What is on its way down keeps what was said of it.
func (r *Restarter) whileDown(u *unit, cfg *graph.Config) {
	if u == nil || u.rec.State != graph.Online && u.rec.State != graph.Degraded && u.rec.State != graph.Offline {
		cfg.Override = graph.OverrideDisabled
	} else {
		cfg.Enabled, cfg.Override = u.cfg.Enabled, u.cfg.Override
	}
}

// reached is told that what does not belong to a milestone is down.
func (r *Restarter) reached(milestone string) {
	if r.down.since.IsZero() {
		r.cfg.Say("what does not belong to " + milestone + " is down")
		if u := r.units[milestone]; u != nil && up(u.rec.State) {
			r.setLevel(milestone)
		}
		return
	}
	r.down.done = true
	took := time.Since(r.down.since).Round(time.Second) / time.Second
	r.cfg.Alert("The system is down.  Shutdown took " + strconv.Itoa(int(took)) + " seconds.")
}

// bringTo sets the milestone of this boot, as svcadm does.
func (r *Restarter) bringTo(name string) {
	on := entityOf(FMRI)
	var b repo.Batch
	b.Ensure(on)
	b.PutGroup(on, &tree.Group{Name: optionsOverride, Type: actions.Type, Flags: tree.NonPersistent, Props: []tree.Property{
		{Name: "milestone", Type: prop.AString, Values: []string{name}},
	}})
	if _, err := r.cfg.Repo.Apply(&b); err != nil {
		r.cfg.Say("milestone " + name + ": " + err.Error())
	}
}
