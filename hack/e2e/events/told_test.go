package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// told is one event as a reader was told of it.
type told struct {
	ct, ev uint64
	crit   bool
	acked  bool
	fact
	uid   int64 // of the sender, -1 when it is not told
	comm  string
	zone  string
	count uint64 // of lost
}

// fact is what an event says, and what is held against the workload's log.
type fact struct {
	kind      string // fork, signal, core, exit, empty, hwerr, lost, left
	pid, ppid int
	status    int
	sig       int
	// sender is a pid, or outside, kernel, oom, contract; empty when nothing is told.
	sender   string
	senderCT uint64
}

func (f fact) String() string {
	s := fmt.Sprintf("%s of %d", f.kind, f.pid)
	switch f.kind {
	case "fork":
		s += fmt.Sprintf(" by %d", f.ppid)
	case "exit":
		s += fmt.Sprintf(" with 0x%x", f.status)
	case "signal", "core":
		s += fmt.Sprintf(" of signal %d", f.sig)
	}
	if f.sender != "" {
		s += " from " + f.sender
		if f.senderCT != 0 {
			s += fmt.Sprintf(" of contract %d", f.senderCT)
		}
	}
	return s
}

// lineKeys are the keys of an event's line in their order.
var lineKeys = []string{"pid", "ppid", "status", "signal", "core", "sender", "senderct", "uid", "comm", "zone", "count", "time"}

// parseLine takes a line of an events file apart. It is strict: the form is an interface.
func parseLine(line string) (told, error) {
	e := told{uid: -1}
	bad := func(what string) (told, error) { return told{}, fmt.Errorf("%s: %q", what, line) }
	w := strings.Split(line, " ")
	if len(w) < 7 || w[4] != "process" {
		return bad("not an event")
	}
	var err [2]error
	e.ct, err[0] = strconv.ParseUint(w[0], 10, 31)
	e.ev, err[1] = strconv.ParseUint(w[1], 10, 64)
	// What a slow reader lost has no number, and in a queue of many contracts none of these.
	if err[0] != nil || err[1] != nil || (e.ct == 0 || e.ev == 0) && w[5] != "lost" {
		return bad("bad numbers")
	}
	if w[2] != "crit" && w[2] != "info" || w[3] != "ack" && w[3] != "noack" {
		return bad("bad words")
	}
	e.crit, e.acked, e.kind = w[2] == "crit", w[3] == "ack", w[5]
	next := 0
	for _, pair := range w[6:] {
		key, value, _ := strings.Cut(pair, "=")
		for next < len(lineKeys) && lineKeys[next] != key {
			next++
		}
		if next == len(lineKeys) {
			return bad("key " + key + " is unknown, or out of order")
		}
		next++
		if !e.take(key, value) {
			return bad("bad value of " + key)
		}
	}
	if next != len(lineKeys) {
		return bad("no time")
	}
	return e, nil
}

func (e *told) take(key, value string) bool {
	n, err := strconv.ParseInt(value, 10, 64)
	switch key {
	case "pid":
		e.pid = int(n)
	case "ppid":
		e.ppid = int(n)
	case "status":
		e.status = int(n)
	case "signal":
		e.sig = int(n)
	case "core":
		return value == "yes" || value == "no"
	case "sender":
		e.sender = value
		return err == nil || value == "outside" || value == "kernel" || value == "oom" || value == "contract"
	case "senderct":
		e.senderCT = uint64(n)
	case "uid":
		e.uid = n
	case "comm":
		e.comm, err = value, nil
	case "zone":
		e.zone, err = value, nil
	case "count":
		e.count = uint64(n)
	case "time":
		seconds, rest, ok := strings.Cut(value, ".")
		_, err = strconv.ParseUint(seconds, 10, 63)
		return ok && err == nil && len(rest) == 9
	}
	return err == nil
}

// parseLines takes whole lines apart; what is after the last newline is not looked at.
func parseLines(text string) ([]told, error) {
	var all []told
	for line := range strings.Lines(text) {
		line, whole := strings.CutSuffix(line, "\n")
		if !whole {
			break
		}
		e, err := parseLine(line)
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// parseJSON takes what `ctwatch -o json` prints apart.
func parseJSON(text string) ([]told, error) {
	var all []told
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var j struct {
			CTID, EVID             uint64
			Critical, Acknowledged bool
			Type, Event, Time      string
			PID, PPID              int
			Status, Signal         int
			Count                  uint64
			Sender                 struct {
				Kind, Command, Zone string
				PID                 *int
				CTID                uint64
				UID                 *int64
			}
		}
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			return all, fmt.Errorf("%w: %q", err, line)
		}
		e := told{ct: j.CTID, ev: j.EVID, crit: j.Critical, acked: j.Acknowledged, uid: -1, count: j.Count, comm: j.Sender.Command, zone: j.Sender.Zone}
		e.fact = fact{kind: j.Event, pid: j.PID, ppid: j.PPID, status: j.Status, sig: j.Signal, sender: j.Sender.Kind, senderCT: j.Sender.CTID}
		if j.Sender.Kind == "process" {
			e.sender = "0"
			if j.Sender.PID != nil {
				e.sender = strconv.Itoa(*j.Sender.PID)
			}
			if j.Sender.UID != nil {
				e.uid = *j.Sender.UID
			}
		}
		all = append(all, e)
	}
	return all, nil
}

// tableKinds are the words of ctwatch's summaries behind "process PID".
var tableKinds = map[string]string{
	"was created": "fork", "exited": "exit", "dumped core": "core", "received a fatal signal": "signal",
	"was killed by a hardware error": "hwerr", "was moved out of the contract, and is killed": "left",
}

// tableSenders are the words of `ctwatch -v` for a sender that is no process.
var tableSenders = map[string]string{
	"outside of the zone": "outside", "the kernel (a terminal, a timer or a limit)": "kernel",
	"the kernel: out of memory": "oom", "the contract's own terms": "contract",
}

// parseTable takes what `ctwatch -v` prints apart.
func parseTable(text string) ([]told, error) {
	var all []told
	for line := range strings.Lines(text) {
		line, whole := strings.CutSuffix(line, "\n")
		if !whole {
			break
		}
		if strings.HasPrefix(line, "CTID ") {
			continue
		}
		if label, value, ok := strings.Cut(strings.TrimPrefix(line, "\t"), ":"); ok && line[0] == '\t' {
			if len(all) == 0 || !all[len(all)-1].detail(label, strings.TrimSpace(value)) {
				return all, fmt.Errorf("detail %q", line)
			}
			continue
		}
		w := strings.Fields(line)
		if len(w) < 6 {
			return all, fmt.Errorf("row %q", line)
		}
		e := told{uid: -1, crit: w[2] == "crit", acked: w[3] == "yes"}
		e.ct, _ = strconv.ParseUint(w[0], 10, 31)
		e.ev, _ = strconv.ParseUint(w[1], 10, 64)
		switch {
		case w[5] == "contract":
			e.kind = "empty"
		case w[5] == "process" && len(w) > 7:
			e.pid, _ = strconv.Atoi(w[6])
			e.kind = tableKinds[strings.Join(w[7:], " ")]
		default:
			e.kind = "lost"
			e.count, _ = strconv.ParseUint(w[5], 10, 64)
		}
		if (e.ct == 0 || e.ev == 0) && e.kind != "lost" || e.kind == "" {
			return all, fmt.Errorf("row %q", line)
		}
		all = append(all, e)
	}
	return all, nil
}

// detail takes a line of an event's details.
func (e *told) detail(label, value string) bool {
	word, _, _ := strings.Cut(value, " ")
	n, err := strconv.ParseInt(word, 0, 64)
	switch label {
	case "parent pid":
		e.ppid = int(n)
	case "wait status":
		e.status = int(n)
	case "signal":
		e.sig = int(n)
	case "sender pid":
		if e.sender = word; word == "-" {
			e.sender = "0"
			return true
		}
	case "sender ctid":
		if word != "-" {
			e.senderCT = uint64(n)
		}
		return err == nil || word == "-"
	case "sender command":
		e.comm = value
		return true
	case "sender uid":
		if err == nil {
			e.uid = n
		}
		return err == nil || word == "-"
	case "sender zone":
		e.zone = value
		return true
	case "sender":
		e.sender = tableSenders[value]
		return e.sender != ""
	case "core file", "time":
		return value != ""
	default:
		return false
	}
	return err == nil
}
