package svccfg

import (
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// validateInstance holds an instance against its templates.
func (s *Session) validateInstance(e repo.Entity, view door.View) error {
	t, err := s.templates(e)
	if err != nil {
		return err
	}
	groups, err := s.store.Groups(e, view)
	if err != nil {
		return err
	}
	return s.invalid(t.check(e, groups))
}

// invalid tells what is wrong, if anything is.
func (s *Session) invalid(faults []string) error {
	if len(faults) == 0 {
		return nil
	}
	for _, f := range faults {
		s.say(f)
	}
	return problem("Validation failed.")
}

// CheckTemplates says what of a manifest's instances breaks templates, a line for each: its own,
// and those of the repository that are about them.
func CheckTemplates(store door.Store, b *manifest.Bundle) (faults []string, err error) {
	for i := range b.Services {
		whole := b.Services[i].Whole()
		for j := range whole.Instances {
			groups := composed(whole.Groups, whole.Instances[j].Groups)
			t, err := templatesOf(store, groups)
			if err != nil {
				return nil, err
			}
			faults = append(faults, t.check(repo.Entity{Service: whole.Name, Instance: whole.Instances[j].Name}, groups)...)
		}
	}
	return faults, nil
}

// composed is an instance's groups above its service's.
func composed(under, over []tree.Group) (groups []door.Group) {
	for i := range over {
		groups = append(groups, door.Group{Group: over[i].Clone()})
	}
	for i := range under {
		at := slices.IndexFunc(over, func(g tree.Group) bool { return g.Name == under[i].Name })
		if at < 0 {
			groups = append(groups, door.Group{Group: under[i].Clone()})
			continue
		}
		for _, p := range under[i].Props {
			if over[at].Prop(p.Name) == nil {
				groups[at].Props = append(groups[at].Props, p)
			}
		}
	}
	for i := range groups {
		slices.SortFunc(groups[i].Props, func(a, b tree.Property) int { return strings.Compare(a.Name, b.Name) })
	}
	return groups
}

// check says what of an instance breaks its templates, a line for each.
func (t *templates) check(e repo.Entity, groups []door.Group) (faults []string) {
	for i := range groups {
		g := &groups[i]
		of, level := t.group(&g.Group)
		for _, p := range propertiesOf(of, level) {
			where := e.String() + "/:properties/" + g.Name + "/" + p.one("name")
			x := g.Prop(p.one("name"))
			switch {
			case x == nil && p.one("required") == "true":
				faults = append(faults, where+": Required property missing.")
			case x != nil && !g.Withheld:
				for _, what := range p.faults(x) {
					faults = append(faults, where+": "+what)
				}
			}
		}
	}
	for _, level := range t.levels {
		for i := range level {
			p := pattern{&level[i].Group}
			name, kind := p.one("name"), p.one("type")
			if p.Type == typePgPattern && p.one("required") == "true" && name+kind != "" && !has(groups, name, kind) {
				faults = append(faults, e.String()+": Required property group missing: "+strings.TrimSpace(name+" "+kind)+".")
			}
		}
	}
	return faults
}

func has(groups []door.Group, name, kind string) bool {
	for i := range groups {
		if (name == "" || groups[i].Name == name) && (kind == "" || groups[i].Type == kind) {
			return true
		}
	}
	return false
}

// faults are those of a property against its pattern.
func (p pattern) faults(x *tree.Property) (faults []string) {
	if word := p.one("type"); word != "" && word != x.Type.String() {
		faults = append(faults, "Incorrect property type "+x.Type.String()+", which should be "+word+".")
	}
	n := uint64(len(x.Values))
	if low, err := strconv.ParseUint(p.one("cardinality_min"), 10, 64); err == nil && n < low {
		faults = append(faults, "Number of values violates cardinality restriction: "+strconv.FormatUint(n, 10)+" of at least "+p.one("cardinality_min")+".")
	}
	// A most of 0 says nothing, as with the original.
	if high, err := strconv.ParseUint(p.one("cardinality_max"), 10, 64); err == nil && high > 0 && n > high {
		faults = append(faults, "Number of values violates cardinality restriction: "+strconv.FormatUint(n, 10)+" of at most "+p.one("cardinality_max")+".")
	}
	names, ranges := p.values("constraint_name"), p.values("constraint_range")
	if len(names)+len(ranges) == 0 {
		return faults
	}
	for _, v := range x.Values {
		if !allowed(x.Type, v, names, ranges) {
			faults = append(faults, "Value "+prop.Quote(v)+" violates its constraint.")
		}
	}
	return faults
}

// allowed says whether a value is one of the names, or in one of the ranges.
func allowed(t prop.Type, value string, names, ranges []string) bool {
	for _, name := range names {
		if c, err := prop.Canonical(t, name); err == nil && c == value {
			return true
		}
	}
	for _, r := range ranges {
		low, high, _ := strings.Cut(r, ",")
		if t == prop.Integer && within(value, low, high, func(s string) (int64, error) { return strconv.ParseInt(s, 0, 64) }) ||
			t == prop.Count && within(value, low, high, func(s string) (uint64, error) { return strconv.ParseUint(s, 0, 64) }) {
			return true
		}
	}
	return false
}

func within[N int64 | uint64](value, low, high string, parse func(string) (N, error)) bool {
	v, errV := parse(value)
	a, errA := parse(strings.TrimSpace(low))
	b, errB := parse(strings.TrimSpace(high))
	return errV == nil && errA == nil && errB == nil && a <= v && v <= b
}
