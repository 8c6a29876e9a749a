package manifest

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
)

// binding says how much of the DTD holds.
type binding int

const (
	bound binding = iota // all of it
	lax                  // a profile's
)

// checker holds a tree against the table of elements.
type checker struct {
	faults  *faults
	profile bool
}

// check looks at an element and what is below it, and gives it the attributes that the DTD has a
// value for.
func (c *checker) check(n *node, b binding) {
	rule := elements()[n.name]
	if rule == nil {
		c.faults.invalid(n, "there is no such element")
		return
	}
	if rule.strict {
		b = bound
	}
	c.attributes(n, rule, b)
	if n.stray && !rule.any {
		c.complain(n, b, "text does not belong here")
	}
	if !rule.any {
		c.kids(n, rule, b)
	}
	for _, kid := range n.kids {
		if rule.any || rule.has(kid.name) {
			c.check(kid, b)
		}
	}
}

// complain says what the DTD forbids: an error where it binds, a warning elsewhere.
func (c *checker) complain(n *node, b binding, format string, args ...any) {
	e := n.fault(ErrInvalid, format, args...)
	if b == bound {
		c.faults.add(e)
	} else {
		c.faults.warn(e)
	}
}

func (e *element) has(kid string) bool { return e.step(kid) >= 0 }

// step is the place of a child's name in the sequence.
func (e *element) step(kid string) int {
	return slices.IndexFunc(e.kids, func(p particle) bool { return slices.Contains(p.names, kid) })
}

func (c *checker) attributes(n *node, rule *element, b binding) {
	for _, a := range n.attrs {
		i := slices.IndexFunc(rule.attrs, func(x attribute) bool { return x.name == a.name })
		if i < 0 {
			c.complain(n, b, "has no attribute %s", printable.Cut(a.name, 40))
			continue
		}
		if words := rule.attrs[i].words; words != nil && !slices.Contains(words, a.value) {
			c.faults.invalid(n, "%s cannot be %s, only %s", a.name, quote(a.value), strings.Join(words, ", "))
		}
	}
	for _, a := range rule.attrs {
		if _, there := n.lookup(a.name); there {
			continue
		}
		switch {
		case a.need == defaulted:
			n.attrs = append(n.attrs, attr{a.name, a.fallback})
		case a.need != required || a.untyped && c.profile:
		case a.lax && b == lax:
		default:
			c.faults.invalid(n, "lacks attribute %s", a.name)
		}
	}
}

// kids holds the children against the sequence that the DTD wants them in.
func (c *checker) kids(n *node, rule *element, b binding) {
	counts := make([]int, len(rule.kids))
	last := 0
	for _, kid := range n.kids {
		step := rule.step(kid.name)
		if step < 0 {
			c.misplaced(n, kid)
			continue
		}
		p := rule.kids[step]
		if counts[step]++; counts[step] == p.max+1 {
			c.complain(kid, b, "<%s> may have only one", n.name)
		}
		if step < last && !rule.either {
			c.complain(kid, b, "belongs before <%s>", rule.kids[last].names[0])
		}
		if step > last {
			last = step
		}
	}
	for i, p := range rule.kids {
		if counts[i] < p.min {
			c.complain(n, b, "lacks a <%s>", strings.Join(p.names, "> or <"))
		}
		if rule.either && i < last && counts[i] > 0 {
			c.complain(n, b, "holds both <%s> and <%s>", p.names[0], rule.kids[last].names[0])
		}
	}
}

func (c *checker) misplaced(n, kid *node) {
	if elements()[kid.name] == nil {
		c.faults.invalid(kid, "there is no such element")
		return
	}
	c.faults.invalid(kid, "does not belong into <%s>", n.name)
}
