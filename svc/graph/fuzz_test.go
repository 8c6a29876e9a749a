package graph

import "testing"

// panics is what a world fails with where there is no rapid.
type panics struct{ t *testing.T }

func (p panics) Fatalf(format string, args ...any) { p.t.Helper(); p.t.Fatalf(format, args...) }

// FuzzOps reads a stream of operations, three bytes each, of eight instances, and holds the
// graph to the reference when all is at rest.
func FuzzOps(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 0x11, 7, 0, 0, 3, 1, 0, 7, 0, 0})
	f.Add([]byte{0, 2, 0x47, 0, 4, 0x82, 6, 1, 1, 5, 2, 0, 1, 2, 0, 2, 4, 2, 7, 0, 0})
	f.Add([]byte{0, 0, 0x22, 0, 1, 0x20, 0, 2, 0xc1, 7, 7, 7, 4, 0, 1, 4, 1, 2, 7, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 600 {
			return
		}
		w := newWorld(panics{t})
		for ; len(data) >= 3; data = data[3:] {
			w.byte3(data[0], int(data[1]%8), data[2])
		}
		w.rest()
	})
}

func (w *world) byte3(what byte, which int, how byte) {
	name := inst(which)
	i := w.ref.inst[name]
	if what%8 == 0 {
		d := Dependency{Name: "d", Grouping: Grouping(how>>6) + 1, RestartOn: Class(how >> 4 & 3)}
		d.Entities = []string{inst(int(how & 7)), svc(int(how >> 1 & 7))}
		if how&8 != 0 {
			d.Scheme, d.Entities = Paths, []string{"file:///f0"}
		}
		w.configure(name, Config{Enabled: what&8 == 0, Dependencies: []Dependency{d, {Name: "e", Grouping: OptionalAll, Entities: []string{svc(which + 2)}}}})
		return
	}
	if i == nil || !i.there {
		return
	}
	switch what % 8 {
	case 1:
		w.enable(name, how&1 == 0, Override(how>>1%3))
	case 2:
		w.remove(name)
	case 3:
		if i.state.running() && w.going[name] == 0 {
			w.report(name, []State{Offline, Maintenance, Degraded, Disabled}[how&3], None, Class(how>>2&3), false)
		}
	case 4:
		w.apply(Op{Kind: Request, FMRI: name, Event: []Event{AdminRestart, AdminRefresh, AdminMaintOn, AdminMaintOff}[how&3]})
	case 5:
		for range how % 8 {
			if busy := w.busy(); len(busy) > 0 {
				w.step(busy[which%len(busy)], how&0xf0 == 0)
			}
		}
	case 6:
		w.file("file:///f0", how&1 == 0)
	case 7:
		w.work()
	}
}

// FuzzApply is operations that make no sense: none may do harm.
func FuzzApply(f *testing.F) {
	f.Add(uint8(1), "svc:/a:b", "svc:/a", uint8(1), uint8(5), uint8(1))
	f.Add(uint8(5), "svc:/a:b", "file:///x", uint8(9), uint8(9), uint8(9))
	f.Add(uint8(7), "none", "svc:/a:b", uint8(0), uint8(0), uint8(0))
	f.Fuzz(func(_ *testing.T, kind uint8, name, entity string, grouping, state, class uint8) {
		g := New()
		config := Config{Restarter: entity, Enabled: true, Dependencies: []Dependency{
			{Grouping: Grouping(grouping), RestartOn: Class(class), Entities: []string{entity, name}, Scheme: Scheme(kind & 1)},
		}}
		for _, k := range []Kind{Configure, Kind(kind), Changed, Milestone, File, Remove, Configure} {
			op := Op{Kind: k, FMRI: name, Config: config, State: State(state), Next: State(class), Class: Class(class), Event: Event(grouping)}
			_ = g.Apply(op) // it may well refuse
			_ = g.Work()
			_, _ = g.Explain(name)
			_, _ = g.Impact(entity)
		}
	})
}
