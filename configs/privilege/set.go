package privilege

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrUnknown: a name is not a privilege's. The text is the original's.
var ErrUnknown = errors.New("Specified privilege is unknown")

// Set is a set of privilege names.
type Set map[string]struct{}

// Of makes a set of names that are known to the program; it panics on others, since
// they are a mistake in the program.
func Of(names ...string) Set {
	s := make(Set, len(names))
	for _, n := range names {
		if !Known(n) {
			panic("privilege.Of: " + n)
		}
		s[n] = struct{}{}
	}
	return s
}

// Known says whether a name is a privilege's.
func Known(name string) bool {
	_, ok := table[name]
	return ok
}

// Names lists all privileges in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(table)) }

// Basic is the set that the word basic stands for.
func Basic() Set {
	s := Set{}
	for n, i := range table {
		if i.basic {
			s[n] = struct{}{}
		}
	}
	return s
}

// All is the set that the word all stands for.
func All() Set { return Of(Names()...) }

// Has says whether the set holds a privilege.
func (s Set) Has(name string) bool {
	_, ok := s[name]
	return ok
}

// Union gives a new set of what is in either.
func (s Set) Union(t Set) Set {
	u := maps.Clone(s)
	if u == nil {
		u = Set{}
	}
	maps.Copy(u, t)
	return u
}

// Minus gives a new set of what is in s and not in t.
func (s Set) Minus(t Set) Set {
	u := Set{}
	for n := range s {
		if !t.Has(n) {
			u[n] = struct{}{}
		}
	}
	return u
}

// Both gives a new set of what is in s and in t.
func (s Set) Both(t Set) Set { return s.Minus(s.Minus(t)) }

// Sorted lists the set in alphabetical order.
func (s Set) Sorted() []string { return slices.Sorted(maps.Keys(s)) }

// String is the list with commas that Parse reads.
func (s Set) String() string {
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s.Sorted(), ",")
}

// Capabilities lists the capabilities behind the set, in alphabetical order.
func (s Set) Capabilities() []string {
	caps := map[string]struct{}{}
	for n := range s {
		for _, c := range table[n].caps {
			caps[c] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(caps))
}

// Parse reads a specification as limitpriv has it: names with commas, from left to
// right; - or ! takes a name away; the words default, basic, zone, all and none stand
// for sets. Names may be in capitals and may carry the prefix PRIV_, as in the
// original's priv_str_to_set. def is what default and zone stand for. A name that is
// not known is ErrUnknown.
func Parse(spec string, def Set) (Set, error) {
	s, _, err := ParseDenied(spec, def)
	return s, err
}

// ParseDenied is Parse, and says which privileges were taken away by name (or by a set's) and
// not given back behind that. A capability stands behind more than one privilege; who denies
// one of them means it.
func ParseDenied(spec string, def Set) (s, denied Set, err error) {
	s, denied = Set{}, Set{}
	for _, item := range strings.Split(spec, ",") {
		name := strings.ToLower(strings.TrimSpace(item))
		take := strings.HasPrefix(name, "-") || strings.HasPrefix(name, "!")
		name = strings.TrimPrefix(name[min(len(name), boolInt(take)):], "priv_")
		t, err := meaning(name, def)
		if err != nil {
			return nil, nil, err
		}
		if take {
			s, denied = s.Minus(t), denied.Union(t)
		} else {
			s, denied = s.Union(t), denied.Minus(t)
		}
	}
	return s, denied, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// meaning is the set that one word stands for.
func meaning(name string, def Set) (Set, error) {
	switch name {
	case "default", "zone":
		return def, nil
	case "basic":
		return Basic(), nil
	case "all":
		return All(), nil
	case "none":
		return Set{}, nil
	case "":
		return nil, fmt.Errorf("%w: empty name between commas", ErrUnknown)
	}
	if !Known(name) {
		return nil, fmt.Errorf("%w: %.64q", ErrUnknown, name)
	}
	return Of(name), nil
}
