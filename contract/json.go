package contract

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/linuxzones/zones/internal/printable"
)

// The JSON forms. Their names are an interface: add, never rename. They are written by hand,
// since a general encoder would be half of a program that a zone links.

// AppendJSON writes a status as one object. Times are in RFC 3339; what is not there is null;
// a cookie is a string, since it can be larger than what other languages take for a number. Project
// and pool are there where the contract has one.
func (s *Status) AppendJSON(b []byte) []byte {
	o := object{b: append(b, '{')}
	o.number("ctid", int64(s.ID))
	o.text("zone", s.Zone)
	o.number("zoneid", int64(s.ZoneID))
	o.text("type", "process")
	o.text("state", s.State.String())
	o.numberUnless("holder", s.Holder, 0)
	o.number("nevents", int64(s.Unacked))
	o.numberUnless("qtime", s.QuantumMs, -1)
	o.numberUnless("ntime", s.NegotiateMs, -1)
	o.numberUnless("nevid", int64(s.NegotiateEv), 0)
	o.text("cookie", string(AppendCookie(nil, s.Terms.Cookie)))
	o.words("informative", s.Terms.Informative.String())
	o.words("critical", s.Terms.Critical.String())
	o.words("fatal", s.Terms.Fatal.String())
	o.words("params", s.Terms.Params.String())
	numbers(&o, "members", s.Members)
	if s.Initial.Pid != 0 {
		numbers(&o, "initial", []int64{int64(s.Initial.Pid), int64(s.Initial.Start)})
	} else {
		o.key("initial")
		o.b = append(o.b, "null"...)
	}
	numbers(&o, "contracts", s.Inherits)
	o.text("svc_fmri", s.Terms.FMRI)
	o.numberUnless("svc_ctid", int64(s.FMRICT), 0)
	o.text("creator", s.Creator)
	o.text("svc_aux", s.Terms.Aux)
	o.time("born", s.Born)
	o.time("lastevent", s.LastEvent)
	o.words("sources", s.Sources)
	o.count("lost", s.LostEvents)
	if p := s.Within.Project; p != nil {
		o.number("projid", int64(p.ID))
		o.text("project", p.Name)
	}
	if s.Within.Pool != "" {
		o.text("pool", s.Within.Pool)
	}
	return append(o.b, '}')
}

// AppendJSON writes an event as one object. zone is that of its contract, empty when it is not
// known.
func (e *Event) AppendJSON(b []byte, zone string) []byte {
	o := object{b: append(b, '{')}
	o.number("ctid", int64(e.CT))
	o.count("evid", uint64(e.ID))
	if zone != "" {
		o.text("zone", zone)
	}
	o.boolean("critical", e.Critical)
	o.boolean("acknowledged", e.Acked)
	o.text("type", "process")
	o.text("event", kindWords[e.Kind])
	if e.Kind != Lost {
		o.numberUnless("pid", int64(e.Pid), 0)
	}
	switch e.Kind {
	case Fork:
		o.number("ppid", int64(e.PPid))
	case Exit:
		o.number("status", int64(e.Status))
	case Core, Signal:
		o.number("signal", int64(e.Sig))
	case Lost:
		o.count("count", e.Count)
	}
	if e.Kind == Core {
		o.boolean("core", e.CoreFile)
	}
	if e.Sender.Kind != NoSender {
		o.key("sender")
		o.b = e.Sender.appendJSON(o.b)
	}
	o.time("time", e.Time)
	return append(o.b, '}')
}

func (s *Sender) appendJSON(b []byte) []byte {
	o := object{b: append(b, '{')}
	if s.Kind != FromProcess {
		o.text("kind", s.Kind.String())
		return append(o.b, '}')
	}
	o.text("kind", "process")
	o.numberUnless("pid", int64(s.Pid), 0)
	o.numberUnless("ctid", int64(s.CT), 0)
	o.numberUnless("uid", s.UID, -1)
	o.text("command", s.Comm)
	if s.Zone != "" {
		o.text("zone", s.Zone)
	}
	return append(o.b, '}')
}

// String is the kind as an event's line has it, "process" for a process.
func (k SenderKind) String() string {
	if k == FromProcess {
		return "process"
	}
	if int(k) < len(senderWords) {
		return senderWords[k]
	}
	return ""
}

// object is a JSON object that is being written.
type object struct {
	b   []byte
	any bool
}

func (o *object) key(name string) {
	if o.any {
		o.b = append(o.b, ',')
	}
	o.any = true
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) number(name string, n int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, n, 10)
}

func (o *object) count(name string, n uint64) {
	o.key(name)
	o.b = strconv.AppendUint(o.b, n, 10)
}

func (o *object) numberUnless(name string, n, not int64) {
	if n == not {
		o.key(name)
		o.b = append(o.b, "null"...)
		return
	}
	o.number(name, n)
}

func (o *object) boolean(name string, is bool) {
	o.key(name)
	o.b = strconv.AppendBool(o.b, is)
}

func (o *object) text(name, s string) {
	o.key(name)
	o.b = appendQuoted(o.b, s)
}

// words writes a list of words as an array of strings.
func (o *object) words(name, s string) {
	o.key(name)
	o.b = append(o.b, '[')
	if s != noWords {
		for i, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }) {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.b = appendQuoted(o.b, word)
		}
	}
	o.b = append(o.b, ']')
}

func numbers[T int32 | int64 | ID](o *object, name string, list []T) {
	o.key(name)
	o.b = append(o.b, '[')
	for i, n := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = strconv.AppendInt(o.b, int64(n), 10)
	}
	o.b = append(o.b, ']')
}

func (o *object) time(name string, t time.Time) {
	o.key(name)
	if t.IsZero() {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = append(t.UTC().AppendFormat(append(o.b, '"'), time.RFC3339Nano), '"')
}

// appendQuoted writes a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r != utf8.RuneError && printable.Risky(r): // none is beyond four digits
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
