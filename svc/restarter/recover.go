package restarter

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
)

// tick is the unit of processes' start times in nanoseconds (USER_HZ is 100 everywhere).
const tick = 10_000_000

// known is an instance as it stands in the repository when svc.startd starts.
type known struct {
	on  repo.Entity
	cfg graph.Config
	rec record.Record
	// outside is that a milestone has overridden it.
	outside bool
}

// recover takes up all that is there: contracts, instances, methods that run.
func (r *Restarter) recover() error {
	r.readLoudness()
	owned, err := r.cfg.Contracts.Adopt()
	if err != nil {
		return err
	}
	there := map[contract.ID]*contract.Status{}
	of := map[string][]*contract.Status{}
	for i := range owned {
		st := &owned[i]
		there[st.ID] = st
		of[st.Terms.FMRI] = append(of[st.Terms.FMRI], st)
	}
	var list []known
	err = r.cfg.Repo.View(func(v *repo.Reader) error {
		for service := range v.Services() {
			names, err := v.Instances(service)
			if err != nil {
				return err
			}
			for _, name := range names {
				if k, ok := r.known(v, repo.Entity{Service: service, Instance: name}); ok {
					list = append(list, k)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.bootMilestone(list)
	r.leftMilestone(list)
	again := false
	for i := range list {
		before, err := r.recoverOne(&list[i], there, of[list[i].on.String()])
		if err != nil {
			return err
		}
		again = before || again
	}
	for _, st := range owned { // of instances that are gone
		if r.units[st.Terms.FMRI] == nil {
			_ = r.cfg.Contracts.Abandon(st.ID)
		}
	}
	select {
	case <-r.cfg.Down:
		r.apply(graph.Op{Kind: graph.Milestone, FMRI: "none", Present: true}) // nothing is started any more
	default:
		r.milestone(again)
	}
	for _, u := range r.units {
		r.requests(u)
	}
	r.recordsLeft()
	r.settle()
	// What runs is known now: what a svc.startd was killed at, is gone on with.
	select {
	case <-r.cfg.Down:
		r.beginDown()
	default:
		r.milestone(false)
	}
	return nil
}

// known reads an instance; not ok: it is not configured, or wrongly, which is said.
func (r *Restarter) known(v *repo.Reader, on repo.Entity) (k known, ok bool) {
	var err error
	if k.cfg, err = graphcfg.Of(v, on); err != nil {
		if !errors.Is(err, graphcfg.ErrNotConfigured) {
			r.cfg.Say(on.String() + ": " + err.Error())
		}
		return k, false
	}
	k.on = on
	if g, _, err := v.Group(on, record.Group); err == nil {
		k.rec = record.Of(&g)
	}
	if g, _, err := v.Group(on, graphcfg.Override); err == nil {
		k.outside = k.cfg.Override != graph.NoOverride && g.Prop(overrideOf) != nil
	}
	return k, true
}

// bootMilestone notes the milestone of the boot as the one of the administrator who booted. It is his
// until another is set: the next svc.startd is told the same words, and they count for nothing then.
func (r *Restarter) bootMilestone(list []known) {
	if r.cfg.Milestone == "" || slices.ContainsFunc(list, func(k known) bool { return k.rec.State != graph.None }) {
		return
	}
	r.bringTo(r.cfg.Milestone)
}

// leftMilestone takes away what is left of the overrides of a milestone that was left: a svc.startd was
// killed while it did so.
func (r *Restarter) leftMilestone(list []known) {
	if r.wanted() != "all" {
		return
	}
	var b repo.Batch
	for i := range list {
		if k := &list[i]; k.outside {
			b.DeleteGroup(k.on, graphcfg.Override)
			k.cfg.Override = graph.NoOverride
		}
	}
	if len(b.Ops) == 0 {
		return
	}
	if _, err := r.cfg.Repo.Apply(&b); err != nil {
		r.cfg.Say("leave the milestone: " + err.Error())
	}
}

// recoverOne takes up one instance. It says whether a svc.startd had it before.
func (r *Restarter) recoverOne(k *known, there map[contract.ID]*contract.Status, owned []*contract.Status) (bool, error) {
	rec := &k.rec
	if (rec.State == graph.None || refused(rec)) && len(owned) == 0 {
		r.add(k.on, k.cfg, nil)
		return rec.State != graph.None, nil
	}
	before := &instance.Before{
		State: rec.State, Next: rec.Next, Aux: rec.Aux, AuxFMRI: rec.AuxFMRI, AuxTTY: rec.AuxTTY, Detail: rec.Detail,
		Contracts: held(rec.Primary, rec.Transient, there),
	}
	u := r.add(k.on, k.cfg, before)
	u.rec = *rec
	for _, h := range before.Contracts {
		r.byCT[h.ID] = u
	}
	// A method whose contract is not noted was started a moment before its svc.startd died; of several
	// the one that came last. Others were to be let go.
	owned = slices.SortedFunc(slices.Values(owned), func(a, b *contract.Status) int { return cmp.Compare(b.ID, a.ID) })
	for _, st := range owned {
		if slices.Contains(rec.Primary, st.ID) || st.ID == rec.Transient {
			continue
		}
		if st.Terms.Cookie == cookieStart && len(st.Members) == 0 && rec.StartPid != 0 && int(st.Initial.Pid) == rec.StartPid {
			_ = r.cfg.Contracts.Abandon(st.ID) // of a start that was noted, and is over
			continue
		}
		if st.Terms.Cookie == cookieBeside {
			r.adoptBeside(u, st)
			continue
		}
		before.Contracts = append(before.Contracts, instance.Held{
			ID: st.ID, Transient: st.Terms.Cookie != cookieStart, There: true, Empty: len(st.Members) == 0,
		})
		r.byCT[st.ID] = u
		if first := firstOf(st); rec.Method == "" && first != 0 {
			rec.Method, rec.MethodPid = st.Terms.Aux, first
			before.Method = &instance.InFlight{Pid: rec.MethodPid, Contract: st.ID, Began: st.Born}
		}
	}
	if before.Method == nil && rec.Method != "" && rec.MethodPid != 0 {
		before.Method = &instance.InFlight{Pid: rec.MethodPid, Contract: contractOf(rec), Began: rec.Stamp}
		if rec.Method == instance.Start.String() {
			before.Method.Began = rec.StartAt
		}
	}
	if before.Method == nil {
		before.Method = waiting(rec)
	}
	r.recoverVoice(u, rec, before.Method, owned)
	if before.Method != nil {
		if before.Method.Began.IsZero() { // nobody knows; it has its whole time from now on
			before.Method.Began = time.Now()
		}
		before.Method.Timeout = r.timeoutOf(u, rec.Method)
		if !before.Method.Done {
			if err := r.await(u, before.Method.Pid, there[before.Method.Contract]); err != nil {
				return true, err
			}
		}
	}
	if r.configOf(u).Duration == instance.Child && rec.StartPid != 0 && len(rec.Primary) > 0 &&
		(rec.State == graph.Online || rec.State == graph.Degraded) {
		before.Child = rec.StartPid
		if err := r.await(u, rec.StartPid, there[rec.Primary[len(rec.Primary)-1]]); err != nil {
			return true, err
		}
	}
	return true, nil
}

// firstOf is the process that a method was started as, or, where that is not known, the one of its
// contract's members that it is likely to be; 0: nobody is there to wait for.
func firstOf(st *contract.Status) int {
	if st.Initial.Pid == 0 && len(st.Members) > 0 {
		return int(slices.Min(st.Members))
	}
	return int(st.Initial.Pid)
}

// contractOf is the contract of the method that runs.
func contractOf(rec *record.Record) contract.ID {
	if rec.Transient != 0 {
		return rec.Transient
	}
	if rec.Method == instance.Start.String() && len(rec.Primary) > 0 {
		return rec.Primary[len(rec.Primary)-1]
	}
	return 0
}

// await waits for a process of the svc.startd before this one, which may have ended. Its contract
// tells when it was started, and so whether who has its number now is the same. Who cannot be looked
// at, for want of a descriptor, has not ended for that.
func (r *Restarter) await(u *unit, pid int, st *contract.Status) error {
	r.byPid[pid] = u
	var fd *sys.FD
	var err error
	since := uint64(0)
	if st != nil && int(st.Initial.Pid) == pid {
		since = st.Initial.Start * tick
		fd, err = sys.PidfdOpenStarted(pid, st.Initial.Start)
	} else if fd, err = sys.PidfdOpen(pid); err == nil && (st == nil || !slices.Contains(st.Members, int32(pid))) {
		fd.Close()
		err = unix.ESRCH
	}
	switch {
	case err == nil:
		return r.ends.Add(pid, fd.Disown(), since)
	case !errors.Is(err, unix.ESRCH):
		return err
	}
	r.ends.Gone(pid, since)
	return nil
}

// timeoutOf is how long a method may take.
func (r *Restarter) timeoutOf(u *unit, name string) (limit time.Duration) {
	_ = r.cfg.Repo.View(func(v *repo.Reader) error {
		i, err := look(v, u.on)
		if err != nil {
			return err
		}
		m, err := i.Method(name)
		spec := specOf(&m)
		u.extend(&spec)
		limit = spec.Timeout
		return err
	})
	return limit
}

// milestones are the short names of those that a boot can end at.
const milestonePrefix = "svc:/milestone/"

// Options of the restarter's own instance, and those of them that are for this boot.
const optionsGroup, optionsOverride = "options", "options_ovr"

// milestone brings the zone to the milestone that is set. again: it is there already, as far as it
// was brought before.
func (r *Restarter) milestone(again bool) {
	r.apply(graph.Op{Kind: graph.Milestone, FMRI: r.wanted(), Present: again})
}

// wanted is the milestone that is set.
func (r *Restarter) wanted() string {
	value := r.option(optionsOverride, "milestone")
	if value == "" {
		value = r.option(optionsGroup, "milestone")
	}
	switch {
	case value == "":
		return "all"
	case value != "all" && value != "none" && !strings.HasPrefix(value, "svc:"):
		return milestonePrefix + value + ":default"
	}
	return value
}
