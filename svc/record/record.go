package record

import (
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// Group is the group's name, Type its type.
const (
	Group = "restarter"
	Type  = "framework"
)

// Names of properties that others ask for by themselves.
const (
	State    = "state"
	Next     = "next_state"
	Aux      = "auxiliary_state"
	Detail   = "auxiliary_detail"
	Contract = "contract"
	// StatusText is what the service says of itself.
	StatusText = "status_text"
)

// Record is what is kept of one instance.
type Record struct {
	State, Next graph.State
	Stamp       time.Time
	Aux         string
	AuxFMRI     string
	AuxTTY      bool
	Detail      string

	Primary   []contract.ID
	Transient contract.ID
	Method    string // empty: none runs
	MethodPid int

	StartPid    int
	StartAt     time.Time
	StartStatus int
	Started     bool // StartStatus is one
	// StartDeadline is until when the start that is under way may last; zero: as long as its timeout.
	StartDeadline time.Time

	StatusText string // what the service says of itself

	Log, EarlyLog string
}

// Tree is the group, with what there is, in the order of names.
func (r *Record) Tree() tree.Group {
	g := tree.Group{Name: Group, Type: Type, Flags: tree.NonPersistent}
	w := writer{&g}
	if r.State != graph.None {
		w.word(State, r.State.String())
		w.word(Next, r.Next.String())
	}
	w.time("state_timestamp", r.Stamp)
	w.word(Aux, r.Aux)
	w.word("auxiliary_fmri", r.AuxFMRI)
	if r.AuxTTY {
		w.add("auxiliary_tty", prop.Boolean, "true")
	}
	w.word(Detail, r.Detail)
	var contracts []string
	for _, id := range r.Primary {
		contracts = append(contracts, strconv.FormatUint(uint64(id), 10))
	}
	w.add(Contract, prop.Count, contracts...)
	w.count("transient_contract", uint64(r.Transient))
	w.word("method", r.Method)
	w.count("method_pid", uint64(max(r.MethodPid, 0)))
	w.count("start_pid", uint64(max(r.StartPid, 0)))
	w.time("start_method_timestamp", r.StartAt)
	w.time("start_deadline", r.StartDeadline)
	w.word(StatusText, r.StatusText)
	if r.Started {
		w.add("start_method_waitstatus", prop.Integer, strconv.Itoa(r.StartStatus))
	}
	w.word("logfile", r.Log)
	w.word("alt_logfile", r.EarlyLog)
	groups := []tree.Group{g}
	tree.SortGroups(groups)
	return groups[0]
}

type writer struct{ g *tree.Group }

func (w writer) add(name string, t prop.Type, values ...string) {
	if len(values) > 0 {
		w.g.Props = append(w.g.Props, tree.Property{Name: name, Type: t, Values: values})
	}
}

func (w writer) word(name, value string) {
	if value != "" {
		w.add(name, prop.AString, value)
	}
}

func (w writer) count(name string, n uint64) {
	if n != 0 {
		w.add(name, prop.Count, strconv.FormatUint(n, 10))
	}
}

func (w writer) time(name string, t time.Time) {
	if !t.IsZero() {
		text, _ := prop.Canonical(prop.Time, strconv.FormatInt(t.Unix(), 10)+"."+nanoseconds(t))
		w.add(name, prop.Time, text)
	}
}

func nanoseconds(t time.Time) string {
	s := strconv.Itoa(t.Nanosecond())
	return strings.Repeat("0", 9-len(s)) + s
}

// Of is what a group says; nil says nothing.
func Of(g *tree.Group) Record {
	var r Record
	if g == nil {
		return r
	}
	rd := reader{g}
	r.State, r.Next = stateOf(rd.word(State)), stateOf(rd.word(Next))
	r.Stamp = rd.time("state_timestamp")
	r.Aux, r.AuxFMRI, r.Detail = rd.word(Aux), rd.word("auxiliary_fmri"), rd.word(Detail)
	if v := rd.values("auxiliary_tty", prop.Boolean); len(v) == 1 {
		r.AuxTTY = v[0] == "true"
	}
	for _, v := range rd.values(Contract, prop.Count) {
		if n, err := strconv.ParseUint(v, 10, 31); err == nil && n > 0 {
			r.Primary = append(r.Primary, contract.ID(n))
		}
	}
	r.Transient = contract.ID(rd.count("transient_contract", 31))
	r.Method, r.MethodPid = rd.word("method"), int(rd.count("method_pid", 31))
	r.StartPid, r.StartAt = int(rd.count("start_pid", 31)), rd.time("start_method_timestamp")
	if v := rd.values("start_method_waitstatus", prop.Integer); len(v) == 1 {
		n, err := strconv.ParseInt(v[0], 10, 32)
		r.StartStatus, r.Started = int(n), err == nil
	}
	r.StartDeadline, r.StatusText = rd.time("start_deadline"), rd.word(StatusText)
	r.Log, r.EarlyLog = rd.word("logfile"), rd.word("alt_logfile")
	return r
}

type reader struct{ g *tree.Group }

func (r reader) values(name string, t prop.Type) []string {
	if p := r.g.Prop(name); p != nil && p.Type == t {
		return p.Values
	}
	return nil
}

func (r reader) word(name string) string {
	if v := r.values(name, prop.AString); len(v) == 1 {
		return v[0]
	}
	return ""
}

func (r reader) count(name string, bits int) uint64 {
	v := r.values(name, prop.Count)
	if len(v) != 1 {
		return 0
	}
	n, err := strconv.ParseUint(v[0], 10, bits)
	if err != nil {
		return 0
	}
	return n
}

func (r reader) time(name string) time.Time {
	v := r.values(name, prop.Time)
	if len(v) != 1 {
		return time.Time{}
	}
	seconds, fraction, _ := strings.Cut(v[0], ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	n, err := strconv.Atoi((fraction + "000000000")[:9])
	if err != nil {
		n = 0
	}
	return time.Unix(s, int64(n))
}

// states are the words; None is the word for no next state, and for no state at all.
var states = []graph.State{graph.Uninitialized, graph.Disabled, graph.Offline, graph.Online, graph.Degraded, graph.Maintenance}

func stateOf(word string) graph.State {
	for _, s := range states {
		if s.String() == word {
			return s
		}
	}
	return graph.None
}
