package contract

import (
	"strconv"
	"strings"
	"time"
)

var stateWords = [...]string{Nascent: "nascent", Owned: "owned", Inherited: "inherited", Orphan: "orphan", Dead: "dead"}

// String is the state's name, as status files have it.
func (s State) String() string {
	if int(s) < len(stateWords) {
		return stateWords[s]
	}
	return "state " + strconv.Itoa(int(s))
}

// nothing stands for a value that is not there.
const nothing = "-"

// statusLine is one line of a status file: how its value is written, and understood.
type statusLine struct {
	key   string
	write func([]byte, *Status) []byte
	read  func(*Status, string) error
}

// statusLines are the lines in their order. A value that is not there is "-"; a string that
// is that itself is escaped.
var statusLines = []statusLine{
	{"id", func(b []byte, s *Status) []byte { return strconv.AppendUint(b, uint64(s.ID), 10) },
		func(s *Status, v string) error { return readID(&s.ID, v) }},
	{"zone", func(b []byte, s *Status) []byte { return appendText(b, s.Zone) },
		func(s *Status, v string) error { return readText(&s.Zone, v) }},
	{"zoneid", func(b []byte, s *Status) []byte { return strconv.AppendInt(b, int64(s.ZoneID), 10) },
		func(s *Status, v string) error { return readInt(&s.ZoneID, v) }},
	{"type", func(b []byte, _ *Status) []byte { return append(b, "process"...) },
		func(_ *Status, v string) error { return readType(v) }},
	{"state", func(b []byte, s *Status) []byte { return append(b, s.State.String()...) },
		func(s *Status, v string) error { return readState(&s.State, v) }},
	{"holder", func(b []byte, s *Status) []byte { return appendUnless(b, s.Holder, 0) },
		func(s *Status, v string) error { return readUnless(&s.Holder, v, 0) }},
	{"nevents", func(b []byte, s *Status) []byte { return strconv.AppendInt(b, int64(s.Unacked), 10) },
		func(s *Status, v string) error { return readInt(&s.Unacked, v) }},
	{"qtime", func(b []byte, s *Status) []byte { return appendUnless(b, s.QuantumMs, -1) },
		func(s *Status, v string) error { return readUnless(&s.QuantumMs, v, -1) }},
	{"ntime", func(b []byte, s *Status) []byte { return appendUnless(b, s.NegotiateMs, -1) },
		func(s *Status, v string) error { return readUnless(&s.NegotiateMs, v, -1) }},
	{"nevid", func(b []byte, s *Status) []byte { return appendCount(b, uint64(s.NegotiateEv)) },
		func(s *Status, v string) (err error) {
			n, err := readCount(v)
			s.NegotiateEv = EventID(n)
			return err
		}},
	{"informative", func(b []byte, s *Status) []byte { return AppendEvents(b, s.Terms.Informative) },
		func(s *Status, v string) (err error) { s.Terms.Informative, err = ParseEvents(v); return }},
	{"critical", func(b []byte, s *Status) []byte { return AppendEvents(b, s.Terms.Critical) },
		func(s *Status, v string) (err error) { s.Terms.Critical, err = ParseEvents(v); return }},
	{"fatal", func(b []byte, s *Status) []byte { return AppendEvents(b, s.Terms.Fatal) },
		func(s *Status, v string) (err error) { s.Terms.Fatal, err = ParseEvents(v); return }},
	{"params", func(b []byte, s *Status) []byte { return AppendParams(b, s.Terms.Params) },
		func(s *Status, v string) (err error) { s.Terms.Params, err = ParseParams(v); return }},
	{"cookie", func(b []byte, s *Status) []byte { return AppendCookie(b, s.Terms.Cookie) },
		func(s *Status, v string) (err error) { s.Terms.Cookie, err = parseNumber(v); return }},
	{"members", func(b []byte, s *Status) []byte { return appendList(b, s.Members) },
		func(s *Status, v string) (err error) { s.Members, err = readList[int32](v); return }},
	{"initial", func(b []byte, s *Status) []byte { return appendInitial(b, s.Initial) },
		func(s *Status, v string) error { return readInitial(&s.Initial, v) }},
	{"contracts", func(b []byte, s *Status) []byte { return appendList(b, s.Inherits) },
		func(s *Status, v string) (err error) { s.Inherits, err = readList[ID](v); return }},
	{"svc_fmri", func(b []byte, s *Status) []byte { return appendText(b, s.Terms.FMRI) },
		func(s *Status, v string) error { return readText(&s.Terms.FMRI, v) }},
	{"svc_ctid", func(b []byte, s *Status) []byte { return appendCount(b, uint64(s.FMRICT)) },
		func(s *Status, v string) error { return readID(&s.FMRICT, v) }},
	{"creator", func(b []byte, s *Status) []byte { return appendText(b, s.Creator) },
		func(s *Status, v string) error { return readText(&s.Creator, v) }},
	{"svc_aux", func(b []byte, s *Status) []byte { return appendText(b, s.Terms.Aux) },
		func(s *Status, v string) error { return readText(&s.Terms.Aux, v) }},
	{"born", func(b []byte, s *Status) []byte { return appendMoment(b, s.Born) },
		func(s *Status, v string) error { return readMoment(&s.Born, v) }},
	{"lastevent", func(b []byte, s *Status) []byte { return appendMoment(b, s.LastEvent) },
		func(s *Status, v string) error { return readMoment(&s.LastEvent, v) }},
	{"sources", func(b []byte, s *Status) []byte { return appendText(b, s.Sources) },
		func(s *Status, v string) error { return readText(&s.Sources, v) }},
	{"lost", func(b []byte, s *Status) []byte { return strconv.AppendUint(b, s.LostEvents, 10) },
		func(s *Status, v string) (err error) { s.LostEvents, err = readCount(v); return }},
	{"project", func(b []byte, s *Status) []byte { return appendProject(b, s.Within.Project) },
		func(s *Status, v string) (err error) { s.Within.Project, err = readProject(v); return }},
	{"pool", func(b []byte, s *Status) []byte { return appendText(b, s.Within.Pool) },
		func(s *Status, v string) error { return readText(&s.Within.Pool, v) }},
}

// AppendStatus writes a status file. Of the terms the one that only a template has (Transfer)
// is not in it.
func AppendStatus(dst []byte, s *Status) []byte {
	for _, l := range statusLines {
		dst = append(append(dst, l.key...), ' ')
		dst = append(l.write(dst, s), '\n')
	}
	return dst
}

// ParseStatus understands a status file. Lines that it does not know are those of a newer
// server, and passed over; what is missing is not there, but for the number.
func ParseStatus(text []byte) (Status, error) {
	s := Status{ZoneID: -1, NegotiateMs: -1, QuantumMs: -1}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok {
			return Status{}, ErrText
		}
		for _, l := range statusLines {
			if l.key != key {
				continue
			}
			if err := l.read(&s, value); err != nil {
				return Status{}, err
			}
		}
	}
	if s.ID == 0 {
		return Status{}, ErrText
	}
	return s, nil
}

func appendText(b []byte, s string) []byte {
	switch s {
	case "":
		return append(b, nothing...)
	case nothing:
		return append(b, `\055`...)
	}
	return AppendEscaped(b, s)
}

func readText(to *string, v string) (err error) {
	if v == nothing {
		v = ""
	}
	*to, err = Unescape(v)
	return err
}

// appendInitial writes "PID START".
func appendInitial(b []byte, i Initial) []byte {
	if i.Pid == 0 {
		return append(b, nothing...)
	}
	b = append(strconv.AppendInt(b, int64(i.Pid), 10), ' ')
	return strconv.AppendUint(b, i.Start, 10)
}

func readInitial(i *Initial, v string) error {
	if v == nothing {
		return nil
	}
	pid, start, ok := strings.Cut(v, " ")
	if !ok {
		return ErrText
	}
	n, err := strconv.ParseInt(pid, 10, 32)
	if err != nil || n <= 0 {
		return ErrText
	}
	i.Pid = int32(n)
	i.Start, err = parseDecimal(start, 64)
	return err
}

// appendProject writes "ID NAME".
func appendProject(b []byte, p *Project) []byte {
	if p == nil {
		return append(b, nothing...)
	}
	return appendText(append(strconv.AppendUint(b, uint64(p.ID), 10), ' '), p.Name)
}

func readProject(v string) (*Project, error) {
	if v == nothing {
		return nil, nil
	}
	id, name, ok := strings.Cut(v, " ")
	n, err := parseDecimal(id, 31)
	if !ok || err != nil {
		return nil, ErrText
	}
	p := &Project{ID: uint32(n)}
	return p, readText(&p.Name, name)
}

func appendUnless(b []byte, n, not int64) []byte {
	if n == not {
		return append(b, nothing...)
	}
	return strconv.AppendInt(b, n, 10)
}

func readUnless(to *int64, v string, not int64) error {
	*to = not
	if v == nothing {
		return nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return ErrText
	}
	*to = n
	return nil
}

func readInt(to *int, v string) error {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return ErrText
	}
	*to = int(n)
	return nil
}

func appendCount(b []byte, n uint64) []byte {
	if n == 0 {
		return append(b, nothing...)
	}
	return strconv.AppendUint(b, n, 10)
}

func readCount(v string) (uint64, error) {
	if v == nothing {
		return 0, nil
	}
	return parseDecimal(v, 64)
}

func readID(to *ID, v string) error {
	n, err := readCount(v)
	if err != nil || n > 1<<32-1 {
		return ErrText
	}
	*to = ID(n)
	return nil
}

func readType(v string) error {
	if v != "process" {
		return ErrText
	}
	return nil
}

func readState(to *State, v string) error {
	for s, word := range stateWords {
		if word == v {
			*to = State(s)
			return nil
		}
	}
	return ErrText
}

func appendList[T int32 | ID](b []byte, list []T) []byte {
	from := len(b)
	for _, n := range list {
		b = appendWord(b, from, strconv.FormatInt(int64(n), 10))
	}
	if len(b) == from {
		return append(b, nothing...)
	}
	return b
}

func readList[T int32 | ID](v string) ([]T, error) {
	if v == nothing {
		return nil, nil
	}
	var list []T
	for word := range strings.SplitSeq(v, " ") {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || int64(T(n)) != n {
			return nil, ErrText
		}
		list = append(list, T(n))
	}
	return list, nil
}

func appendMoment(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, nothing...)
	}
	return appendTime(b, t.Unix(), t.Nanosecond())
}

func readMoment(to *time.Time, v string) (err error) {
	*to = time.Time{}
	if v != nothing {
		*to, err = parseTime(v)
	}
	return err
}
