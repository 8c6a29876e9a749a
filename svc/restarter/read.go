package restarter

import (
	"errors"
	"reflect"
	"slices"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/instance"
	"github.com/linuxzones/zones/svc/method"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
)

// entityOf is the instance that an FMRI names.
func entityOf(text string) repo.Entity {
	f, err := fmri.Parse(text)
	if err != nil {
		return repo.Entity{}
	}
	return repo.Entity{Service: f.Service, Instance: f.Instance}
}

func pathOf(text string) string {
	f, err := fmri.Parse(text)
	if err != nil || f.Path == "" {
		return text
	}
	return f.Path
}

// look gives an instance as its methods see it.
func look(v *repo.Reader, on repo.Entity) (*method.Instance, error) {
	of := func(e repo.Entity) (running, current method.Config, err error) {
		now, err := v.Composed(e)
		if err != nil {
			return nil, nil, err
		}
		if e.Instance == "" {
			return nil, now, nil
		}
		snapshot, err := v.Snapshot(e, "running")
		if errors.Is(err, repo.ErrNotFound) {
			return now, now, nil
		}
		if err != nil {
			return nil, nil, err
		}
		return snapshot, now, nil
	}
	running, current, err := of(on)
	if err != nil {
		return nil, err
	}
	return &method.Instance{
		Service: on.Service, Instance: on.Instance, Running: running, Current: current,
		Other: func(service, name string) (method.Config, method.Config, error) {
			return of(repo.Entity{Service: service, Instance: name})
		},
	}, nil
}

// configOf reads what a machine needs of its instance.
func (r *Restarter) configOf(u *unit) (c instance.Config) {
	err := r.cfg.Repo.View(func(v *repo.Reader) error {
		i, err := look(v, u.on)
		if err != nil {
			return err
		}
		s, err := i.Startd()
		var bad *method.Error // beside it all that is valid counts
		if err != nil && !errors.As(err, &bad) {
			return err
		}
		c = instance.Config{
			Duration: durations[s.Duration], CriticalCount: s.FailureCount, CriticalPeriod: s.FailurePeriod,
			NoTimeoutRetry: !s.TimeoutRetry, Backoff: s.Backoff,
		}
		return err
	})
	if err != nil && !errors.Is(err, repo.ErrNotFound) {
		r.cfg.Say(u.fmri + ": " + err.Error())
	}
	return c
}

var durations = map[method.Duration]instance.Duration{
	method.Contract: instance.Contract, method.Transient: instance.Transient, method.Child: instance.Child,
}

// lookUp reads a method as it is to be run now, and tells the machine.
func (r *Restarter) lookUp(u *unit, name instance.Method) {
	r.noteLog(u)
	if name == instance.Start {
		u.newVoice()
	}
	var spec instance.Spec
	var notices []string
	err := r.cfg.Repo.View(func(v *repo.Reader) error {
		i, err := look(v, u.on)
		if err != nil {
			return err
		}
		m, err := i.Method(name.String())
		if err != nil {
			return err
		}
		u.found.method = m
		spec = specOf(&m)
		notices = append(slices.Clone(m.Notices), u.extend(&spec)...)
		if m.Kind != method.Exec {
			return nil
		}
		if u.found.startd, err = startdOf(i, name); err != nil {
			return err
		}
		if spec.Notify, err = r.notifies(name, &u.found.startd); err != nil {
			return err
		}
		u.found.context, err = i.Context(m, r.cfg.Host)
		notices = append(notices, u.found.context.Notices...)
		if name == instance.Start {
			notices = append(notices, u.found.startd.Notices...)
		}
		return err
	})
	if err != nil {
		spec = instance.Spec{Kind: instance.Bad, Text: err.Error()}
	}
	for _, n := range notices {
		r.log(u, n)
	}
	if n := len(u.rec.Primary); name == instance.Stop && n > 0 && u.hollow != u.rec.Primary[n-1] {
		empty, err := r.cfg.Contracts.Empty(u.rec.Primary[n-1])
		spec.NoContract = err != nil
		if empty && err == nil {
			u.hollow = u.rec.Primary[n-1]
		}
	}
	if name == instance.Start && spec.Kind == instance.Exec {
		spec.Missing = missing(spec.Text)
	}
	u.do(r, instance.Input{Kind: instance.Found, Spec: spec})
}

func specOf(m *method.Method) instance.Spec {
	s := instance.Spec{Text: m.Command, Timeout: m.Timeout, Critical: m.Events}
	switch m.Kind {
	case method.NoGroup:
		s.Kind = instance.NoGroup
	case method.NoExec:
		s.Kind = instance.NoExec
	case method.Null:
		s.Kind = instance.Null
	case method.Kill:
		s.Kind, s.Signal = instance.Kill, m.Signal
	case method.Exec:
		s.Kind = instance.Exec
	}
	return s
}

// noteLog takes note of where the instance's log is.
func (r *Restarter) noteLog(u *unit) {
	f, early, err := r.cfg.Logs.Open(u.on)
	if err != nil {
		return
	}
	name := f.Name()
	f.Close()
	switch {
	case early && u.rec.EarlyLog != name:
		u.rec.EarlyLog = name
		r.soil(u)
	case !early && u.rec.Log != name:
		u.rec.Log = name
		r.soil(u)
	}
}

func (r *Restarter) commonName(u *unit) (name string) {
	_ = r.cfg.Repo.View(func(v *repo.Reader) error {
		s, err := v.Composed(u.on)
		if err != nil {
			return err
		}
		for _, locale := range []string{"C"} {
			if p, err := s.Property("tm_common_name", locale); err == nil && len(p.Values) == 1 {
				name = p.Values[0]
			}
		}
		return nil
	})
	return name
}

// changed is what is to be read again of an instance.
type changed struct {
	config, requests, running bool
}

// changes takes what has changed in the repository.
func (r *Restarter) changes() {
	touched := map[repo.Entity]changed{}
	for {
		e, ok, err := r.watch.Next()
		if err != nil || !ok {
			break
		}
		if e.Kind == repo.Resync {
			r.readAll(touched)
			continue
		}
		r.touch(touched, &e)
	}
	for on, what := range touched {
		r.reread(on, what)
	}
}

// touch notes what a change is about.
func (r *Restarter) touch(touched map[repo.Entity]changed, e *repo.Event) {
	var what changed
	switch e.Kind {
	case repo.EntityCreated, repo.EntityDeleted:
		what.config = true
	case repo.SnapshotChanged, repo.SnapshotDeleted:
		u := r.units[e.On.String()]
		what.running = e.Name == "running" && (u == nil || u.tookAt != e.Generation)
		what.config = what.running
	case repo.GroupChanged, repo.GroupDeleted:
		if e.Kind == repo.GroupChanged {
			r.noteParameters(e.Name)
		}
		switch e.Name {
		case graphcfg.General, graphcfg.Override, graphcfg.Deathrow:
			what.config = true
		case optionsGroup, optionsOverride:
			if e.On.String() != FMRI {
				break
			}
			r.readLoudness()
			if r.down.since.IsZero() {
				r.milestone(false)
			}
		case actions.Group:
			what.requests = e.Kind == repo.GroupChanged
		}
	}
	if what == (changed{}) {
		return
	}
	add := func(on repo.Entity) {
		w := touched[on]
		touched[on] = changed{w.config || what.config, w.requests || what.requests, w.running || what.running}
	}
	if e.On.Instance != "" {
		add(e.On)
		return
	}
	for _, u := range r.units { // of a service: all its instances
		if u.on.Service == e.On.Service {
			add(u.on)
		}
	}
}

// readAll has everything read again.
func (r *Restarter) readAll(touched map[repo.Entity]changed) {
	for _, u := range r.units {
		touched[u.on] = changed{config: true, requests: true}
	}
	_ = r.cfg.Repo.View(func(v *repo.Reader) error {
		for service := range v.Services() {
			names, err := v.Instances(service)
			if err != nil {
				continue
			}
			for _, name := range names {
				touched[repo.Entity{Service: service, Instance: name}] = changed{config: true, requests: true}
			}
		}
		return nil
	})
}

// reread reads an instance again.
func (r *Restarter) reread(on repo.Entity, what changed) {
	name := on.String()
	u := r.units[name]
	var cfg graph.Config
	err := r.cfg.Repo.View(func(v *repo.Reader) (err error) {
		cfg, err = graphcfg.Of(v, on)
		return err
	})
	switch {
	case errors.Is(err, repo.ErrNotFound):
		if u != nil && !u.gone {
			u.gone = true
			r.apply(graph.Op{Kind: graph.Remove, FMRI: name})
		}
		return
	case err != nil:
		if !errors.Is(err, graphcfg.ErrNotConfigured) {
			r.cfg.Say(name + ": " + err.Error())
		}
		return
	}
	if !r.down.since.IsZero() {
		r.whileDown(u, &cfg)
		what.requests = false // they are of this boot, and end with it
	}
	switch {
	case u == nil:
		r.add(on, cfg, nil)
	case u.gone: // another of the same name
		u.gone = false
		if u.dirty {
			r.dirty = append(r.dirty, u)
		}
		u.cfg = cfg
		r.apply(graph.Op{Kind: graph.Configure, FMRI: name, Config: cfg})
	case !reflect.DeepEqual(u.cfg, cfg):
		u.cfg = cfg
		r.apply(graph.Op{Kind: graph.Configure, FMRI: name, Config: cfg})
	}
	refreshed := false
	if what.requests {
		refreshed = r.requests(r.units[name])
	}
	if what.running && !refreshed && u != nil {
		r.refresh(u, 0)
	}
}

// add begins with an instance.
func (r *Restarter) add(on repo.Entity, cfg graph.Config, before *instance.Before) *unit {
	u := &unit{fmri: on.String(), on: on, m: instance.New(on.String()), cfg: cfg, before: before}
	r.units[u.fmri] = u
	r.apply(graph.Op{Kind: graph.Configure, FMRI: u.fmri, Config: cfg})
	return u
}

// refresh has an instance's machine read its configuration again. ticket is of who asked for it.
func (r *Restarter) refresh(u *unit, ticket uint64) {
	u.besides.known = false
	cfg := r.configOf(u)
	if u.extra == nil {
		u.extra = map[graph.Event]instance.Input{}
	}
	u.extra[graph.AdminRefresh] = instance.Input{Config: &cfg, Ticket: ticket}
	r.apply(graph.Op{Kind: graph.Request, FMRI: u.fmri, Event: graph.AdminRefresh})
	r.files.Look()
}

// held says which contracts of a record are there.
func held(primary []contract.ID, transient contract.ID, there map[contract.ID]*contract.Status) (list []instance.Held) {
	add := func(id contract.ID, transient bool) {
		st := there[id]
		list = append(list, instance.Held{ID: id, Transient: transient, There: st != nil, Empty: st != nil && len(st.Members) == 0})
	}
	for _, id := range primary {
		add(id, false)
	}
	if transient != 0 {
		add(transient, true)
	}
	return list
}
