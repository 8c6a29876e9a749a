package contract

import (
	"strconv"
	"strings"
	"time"
)

// ParseEvent understands an event's line, with or without its newline. Keys that it does not
// know are those of a newer server, and passed over.
func ParseEvent(line string) (Event, error) {
	f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	const facts = 6
	if len(f) < facts || f[4] != "process" {
		return Event{}, ErrText
	}
	var e Event
	ct, err := parseDecimal(f[0], 32)
	if err != nil {
		return Event{}, err
	}
	id, err := parseDecimal(f[1], 64)
	if err != nil {
		return Event{}, err
	}
	e.CT, e.ID = ID(ct), EventID(id)
	var ok [3]bool
	e.Critical, ok[0] = either(f[2], "crit", "info")
	e.Acked, ok[1] = either(f[3], "ack", "noack")
	e.Kind, ok[2] = kindOf(f[5])
	if !ok[0] || !ok[1] || !ok[2] {
		return Event{}, ErrText
	}
	timed := false
	for _, pair := range f[facts:] {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return Event{}, ErrText
		}
		if err := e.fact(key, value); err != nil {
			return Event{}, err
		}
		timed = timed || key == "time"
	}
	if !timed {
		return Event{}, ErrText
	}
	e.tidy()
	return e, nil
}

// tidy makes one of events that are written alike.
func (e *Event) tidy() {
	if e.Sender.Kind != FromProcess {
		e.Sender = Sender{Kind: e.Sender.Kind}
	}
	if e.Kind == Lost {
		e.Pid = 0
	}
	switch e.Kind {
	case Fork:
		e.Status, e.Sig, e.CoreFile = 0, 0, false
	case Exit:
		e.PPid, e.Sig, e.CoreFile = 0, 0, false
	case Core:
		e.PPid, e.Status = 0, 0
	case Signal:
		e.PPid, e.Status, e.CoreFile = 0, 0, false
	default:
		e.PPid, e.Status, e.Sig, e.CoreFile = 0, 0, 0, false
	}
	if e.Kind != Lost {
		e.Count = 0
	}
}

func kindOf(word string) (Events, bool) {
	for kind, w := range kindWords {
		if w == word {
			return kind, true
		}
	}
	return 0, false
}

// either understands one of two words.
func either(s, yes, no string) (is, ok bool) { return s == yes, s == yes || s == no }

// fact takes one key=value of an event's line.
func (e *Event) fact(key, value string) (err error) {
	switch key {
	case "pid":
		e.Pid, err = parsePid(value)
	case "ppid":
		e.PPid, err = parsePid(value)
	case "signal":
		e.Sig, err = parsePid(value)
	case "status":
		var n uint64
		n, err = parseDecimal(value, 32)
		e.Status = uint32(n)
	case "core":
		var ok bool
		if e.CoreFile, ok = either(value, "yes", "no"); !ok {
			err = ErrText
		}
	case "count":
		e.Count, err = parseDecimal(value, 64)
	case "time":
		e.Time, err = parseTime(value)
	default:
		return e.Sender.fact(key, value)
	}
	return err
}

func (s *Sender) fact(key, value string) (err error) {
	switch key {
	case "sender":
		s.UID = -1
		for kind, word := range senderWords {
			if word != "" && word == value {
				s.Kind = SenderKind(kind)
				return nil
			}
		}
		s.Kind = FromProcess
		s.Pid, err = parsePid(value)
	case "senderct":
		var n uint64
		n, err = parseDecimal(value, 32)
		s.CT = ID(n)
	case "uid":
		var n uint64
		n, err = parseDecimal(value, 63)
		s.UID = int64(n)
	case "comm":
		s.Comm, err = Unescape(value)
	case "zone":
		s.Zone, err = Unescape(value)
	}
	return err
}

// parseDecimal understands a number of this many bits in the form in which it is written.
func parseDecimal(s string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		return 0, ErrText
	}
	return n, nil
}

func parsePid(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, ErrText
	}
	return int32(n), nil
}

// parseTime understands seconds since 1970, a point and nine digits.
func parseTime(s string) (time.Time, error) {
	seconds, rest, ok := strings.Cut(s, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if !ok || err != nil || len(rest) != 9 {
		return time.Time{}, ErrText
	}
	ns, err := strconv.ParseUint(rest, 10, 32)
	if err != nil {
		return time.Time{}, ErrText
	}
	t := time.Unix(n, int64(ns))
	if t.IsZero() {
		return time.Time{}, nil
	}
	return t, nil
}
