package svcs

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// objects prints the rows as an array of objects.
func (r *run) objects(members func(*row) Held) {
	for i, x := range r.rows {
		if i == 0 {
			r.print("[\n")
		} else {
			r.print(",\n")
		}
		o := object{b: []byte("  {")}
		r.fill(&o, x)
		if members != nil {
			r.fillProcesses(&o, members(x).Pids)
		}
		r.print(string(append(o.b, '}')))
	}
	if len(r.rows) == 0 {
		r.print("[")
	} else {
		r.print("\n")
	}
	r.print("]\n")
}

// fill has what columns have, and more. Each object has the same keys: what is not known, or not
// set, is null.
func (r *run) fill(o *object, x *row) {
	var service, instance, scope, restarter, since string
	if x.path == "" {
		service, instance, scope, restarter = x.on.Service, x.on.Instance, showScope(r, x), x.restarter()
	}
	if at, is := x.since(); is {
		since = at.UTC().Format(time.RFC3339Nano)
	}
	enabled, temporary := "null", "null"
	if on, now, is := x.effective(); is {
		enabled, temporary = strconv.FormatBool(on), strconv.FormatBool(now)
	}
	o.text("zone", showZone(r, x))
	o.text("fmri", x.fmri)
	o.text("scope", scope)
	o.text("service", service)
	o.text("instance", instance)
	o.text("state", x.state())
	o.text("next_state", x.next())
	o.text("state_time", since)
	o.text("auxiliary_state", x.of("auxiliary_state"))
	o.text("auxiliary_detail", x.of("auxiliary_detail"))
	o.raw("enabled", enabled)
	o.raw("temporary", temporary)
	o.text("comment", x.comment())
	o.text("restarter", restarter)
	o.text("description", commonName(x.ran))
	o.text("logfile", x.of("logfile"))
	list := []byte{'['}
	for i, id := range x.contracts("contract") {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendUint(list, id, 10)
	}
	o.raw("contracts", string(append(list, ']')))
}

func (r *run) fillProcesses(o *object, pids []int) {
	list := []byte{'['}
	for _, pid := range pids {
		p, is := r.env.Process(pid)
		if !is {
			continue
		}
		if len(list) > 1 {
			list = append(list, ',')
		}
		each := object{b: []byte{'{'}}
		each.raw("pid", strconv.Itoa(pid))
		each.text("name", p.Name)
		each.text("command", p.Args)
		each.text("start_time", p.Start.UTC().Format(time.RFC3339))
		list = append(append(list, each.b...), '}')
	}
	o.raw("processes", string(append(list, ']')))
}

// object is a JSON object in the making.
type object struct {
	b   []byte
	has bool
}

func (o *object) raw(key, value string) {
	if o.has {
		o.b = append(o.b, ',')
	}
	o.has = true
	o.b = append(appendJSON(o.b, key), ':')
	o.b = append(o.b, value...)
}

// text is a string, or null when it is empty.
func (o *object) text(key, value string) {
	if value == "" {
		o.raw(key, "null")
		return
	}
	o.raw(key, string(appendJSON(nil, value)))
}

// appendJSON writes a string. What is not UTF-8 becomes the mark for that; what a terminal might
// take for more than text is escaped.
func appendJSON(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < ' ' || 0x7f <= c && c < 0xa0 || c == 0x061c || 0x200e <= c && c <= 0x200f || 0x2028 <= c && c <= 0x202e || 0x2066 <= c && c <= 0x2069:
			b = append(b, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}
