package door

import (
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Queries are those methods of a Store that are scans. Run does one.
type Queries struct{ Run func(Query) (Result, error) }

// Scan implements Store.
func (s Queries) Scan(q Query) (Result, error) { return s.Run(q) }

// Services implements Store.
func (s Queries) Services() ([]string, error) {
	r, err := s.Run(Query{Levels: Services, View: Direct, Names: true})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range r.Entries {
		names = append(names, r.Entries[i].On.Service)
	}
	return names, nil
}

// Instances implements Store.
func (s Queries) Instances(service string) ([]string, error) {
	r, err := s.on(Query{On: repo.Entity{Service: service}, Levels: Instances, View: Direct, Names: true})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range r.Entries {
		names = append(names, r.Entries[i].On.Instance)
	}
	return names, nil
}

// on runs a query on something: nothing does not stand for all here.
func (s Queries) on(q Query) (Result, error) {
	if q.On.Service == "" {
		return Result{}, &absent{q.On.String()}
	}
	return s.Run(q)
}

// Groups implements Store.
func (s Queries) Groups(e repo.Entity, v View) ([]Group, error) {
	groups, _, err := s.groups(e, v)
	return groups, err
}

func (s Queries) groups(e repo.Entity, v View) (groups []Group, generation uint64, err error) {
	r, err := s.on(Query{On: e, Levels: Services, View: v})
	if err != nil {
		return nil, 0, err
	}
	if len(r.Entries) == 0 { // a service, which has no snapshots
		return nil, 0, &absent{"snapshot " + v.Snapshot + " of " + e.String()}
	}
	return r.Entries[0].Groups, r.Generation, nil
}

// Service implements Store.
func (s Queries) Service(name string) (w Whole, err error) {
	r, err := s.on(Query{On: repo.Entity{Service: name}, Levels: Services | Instances, View: Direct})
	if err != nil {
		return Whole{}, err
	}
	return whole(name, &r), nil
}

// whole puts a service together of its entries.
func whole(name string, r *Result) Whole {
	w := Whole{Generation: r.Generation}
	w.Name = name
	for i := range r.Entries {
		e := &r.Entries[i]
		into := &w.Groups
		if e.On.Instance != "" {
			w.Instances = append(w.Instances, tree.Instance{Name: e.On.Instance})
			into = &w.Instances[len(w.Instances)-1].Groups
		}
		for j := range e.Groups {
			*into = append(*into, e.Groups[j].Group)
			if e.Groups[j].Withheld {
				w.Withheld = append(w.Withheld, e.On.String()+"/:properties/"+e.Groups[j].Name)
			}
		}
	}
	return w
}

// Frozen implements Store.
func (s Queries) Frozen(e repo.Entity, snapshot string) (f Frozen, err error) {
	var of, at uint64
	for range TriesMax {
		if f.Service, of, err = s.groups(e, SnapshotService(snapshot)); err != nil {
			return Frozen{}, err
		}
		if f.Instance, at, err = s.groups(e, SnapshotInstance(snapshot)); err != nil {
			return Frozen{}, err
		}
		if of == at {
			return f, nil
		}
	}
	return Frozen{}, ErrBusy
}
