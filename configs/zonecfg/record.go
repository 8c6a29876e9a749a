package zonecfg

import (
	"path"
	"slices"
	"strings"

	"github.com/linuxzones/zones/configs/zonecfg/lang"
)

// record is a resource while it is edited: its properties as they are written. A simple
// property has one value.
type record map[string][]lang.Value

// text gives a simple property, empty when not set.
func (r record) text(name string) string {
	if v := r[name]; len(v) > 0 {
		return v[0].Text
	}
	return ""
}

// setText sets a simple property; an empty value clears it.
func (r record) setText(name, value string) {
	if value == "" {
		delete(r, name)
		return
	}
	r[name] = []lang.Value{{Text: value}}
}

func (r record) clone() record {
	c := make(record, len(r))
	for n, v := range r {
		c[n] = slices.Clone(v)
	}
	return c
}

// texts gives a list of simple values.
func (r record) texts(name string) []string {
	var out []string
	for _, v := range r[name] {
		out = append(out, v.Text)
	}
	return out
}

func (r record) setTexts(name string, values []string) {
	for _, v := range values {
		r[name] = append(r[name], lang.Value{Text: v})
	}
}

// pair gives the value of a name in a complex value.
func pair(v lang.Value, name string) string {
	for _, p := range v.Pairs {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// fixed is a record of simple properties: names and values in turn.
func fixed(pairs ...string) record {
	r := record{}
	for i := 0; i+1 < len(pairs); i += 2 {
		r.setText(pairs[i], pairs[i+1])
	}
	return r
}

// condition is a name=value of info, select and remove.
type condition struct{ name, value string }

// matches says whether a record fulfils all conditions.
func (r record) matches(kind *resource, conditions []condition) bool {
	for _, c := range conditions {
		if !matchValue(kind, c, r.text(c.name)) {
			return false
		}
	}
	return true
}

// matchValue compares as the original does: equal, or by the wildcards of fnmatch, or
// for addresses of a net resource without regard to a missing prefix length.
func matchValue(kind *resource, c condition, value string) bool {
	if value == c.value {
		return true
	}
	if kind.name == "net" && (c.name == "address" || c.name == "allowed-address") {
		host, _, _ := strings.Cut(value, "/")
		if !strings.Contains(c.value, "/") && host == c.value {
			return true
		}
	}
	return value != "" && fnmatch(c.value, value)
}

// fnmatch matches with * ? and [], which also match slashes: path.Match treats the slash
// alone differently, so it is hidden from it, and has ^ for the shell's !. A malformed pattern matches nothing.
func fnmatch(pattern, s string) bool {
	hide := strings.NewReplacer("/", "\x00", "[!", "[^")
	ok, err := path.Match(hide.Replace(pattern), strings.ReplaceAll(s, "/", "\x00"))
	return ok && err == nil
}
