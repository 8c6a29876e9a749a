package svcs

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// objects prints the rows as an array of objects.
func (r *run) objects(members func(*row) []int) {
	for i, x := range r.rows {
		if i == 0 {
			r.print("[\n")
		} else {
			r.print(",\n")
		}
		o := object{b: []byte("  {")}
		r.fill(&o, x)
		if members != nil {
			r.fillProcesses(&o, members(x))
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

// fill has what columns have. What is not known, or not set, is not there.
func (r *run) fill(o *object, x *row) {
	o.text("zone", showZone(r, x))
	o.text("fmri", x.fmri)
	if x.path == "" {
		o.text("scope", showScope(r, x))
		o.text("service", x.on.Service)
		o.text("instance", x.on.Instance)
	}
	o.some("state", x.state())
	o.some("next_state", x.next())
	if at, is := x.since(); is {
		o.text("state_time", at.UTC().Format(time.RFC3339Nano))
	}
	if x.path == "" {
		o.some("auxiliary_state", x.of("auxiliary_state"))
		o.some("auxiliary_detail", x.of("auxiliary_detail"))
		if enabled, temporary, is := x.effective(); is {
			o.raw("enabled", strconv.FormatBool(enabled))
			o.raw("temporary", strconv.FormatBool(temporary))
		}
		o.some("comment", x.comment())
		o.text("restarter", x.restarter())
		o.some("description", commonName(x.ran))
		o.some("logfile", x.of("logfile"))
	}
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

func (o *object) text(key, value string) { o.raw(key, string(appendJSON(nil, value))) }

func (o *object) some(key, value string) {
	if value != "" {
		o.text(key, value)
	}
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
