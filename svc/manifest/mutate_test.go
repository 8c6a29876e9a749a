package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// mutation is one change to an element of a tree; it says whether it changed anything.
type mutation struct {
	name   string
	change func(parent *node, i int) bool
}

var mutations = []mutation{
	{"dropped", func(p *node, i int) bool { p.kids = append(p.kids[:i:i], p.kids[i+1:]...); return true }},
	{"doubled", func(p *node, i int) bool {
		p.kids = append(p.kids[:i:i], append([]*node{p.kids[i].clone()}, p.kids[i:]...)...)
		return true
	}},
	{"moved to the front", func(p *node, i int) bool {
		if i == 0 {
			return false
		}
		p.kids = append([]*node{p.kids[i]}, append(p.kids[:i:i], p.kids[i+1:]...)...)
		return true
	}},
	{"moved into its neighbour", func(p *node, i int) bool {
		if i == 0 {
			return false
		}
		to := p.kids[i-1]
		to.kids = append(to.kids, p.kids[i])
		p.kids = append(p.kids[:i:i], p.kids[i+1:]...)
		return true
	}},
	{"renamed", func(p *node, i int) bool { p.kids[i].name = "nothing"; return true }},
	{"emptied", func(p *node, i int) bool { n := p.kids[i]; n.kids, n.text = nil, ""; return true }},
	{"replaced by its content", func(p *node, i int) bool {
		p.kids = append(append(p.kids[:i:i], p.kids[i].kids...), p.kids[i+1:]...)
		return true
	}},
	{"without attributes", func(p *node, i int) bool { p.kids[i].attrs = nil; return true }},
	{"with one attribute less", func(p *node, i int) bool {
		n := p.kids[i]
		if len(n.attrs) == 0 {
			return false
		}
		n.attrs = n.attrs[1:]
		return true
	}},
	{"with the last attribute less", func(p *node, i int) bool {
		n := p.kids[i]
		if len(n.attrs) == 0 {
			return false
		}
		n.attrs = n.attrs[:len(n.attrs)-1]
		return true
	}},
	{"with garbled attributes", func(p *node, i int) bool { return garble(p.kids[i], "\u202e/:,'\"&<>\n\x7f") }},
	{"with empty attributes", func(p *node, i int) bool { return garble(p.kids[i], "") }},
	{"with long attributes", func(p *node, i int) bool { return garble(p.kids[i], strings.Repeat("x", 5000)) }},
	{"with an attribute more", func(p *node, i int) bool {
		p.kids[i].attrs = append(p.kids[i].attrs, attr{"more", "x"})
		return true
	}},
	{"with text", func(p *node, i int) bool { p.kids[i].text = "text <&>"; return true }},
}

func garble(n *node, value string) bool {
	for i := range n.attrs {
		n.attrs[i].value = value
	}
	return len(n.attrs) > 0
}

// count is the number of elements below a node.
func (n *node) count() int {
	total := 0
	for _, kid := range n.kids {
		total += 1 + kid.count()
	}
	return total
}

// at changes the i-th element below a node.
func (n *node) at(i int, change func(parent *node, i int) bool) bool {
	for k, kid := range n.kids {
		if i == 0 {
			return change(n, k)
		}
		if i--; i < kid.count() {
			return kid.at(i, change)
		}
		i -= kid.count()
	}
	return false
}

// Of each document each element is broken in each way: the result is an error that names a line,
// or data that survives an export.
func TestMutations(t *testing.T) {
	tried, refused, stride := 0, 0, 0
	for name, data := range corpus(t) {
		r, err := readTree(name, data, new(int))
		if err != nil {
			t.Fatal(err)
		}
		// Our own documents are broken everywhere; of the many real ones every 29th element,
		// another one in each way.
		step := 29
		if r.root.attr("name") == "every" || r.root.attr("name") == "site" || r.root.attr("name") == "none" {
			step = 1
		}
		for _, m := range mutations {
			for i := stride % step; i < r.root.count(); i += step {
				top := r.root.clone()
				if !top.at(i, m.change) {
					continue
				}
				tried++
				if mutated(t, fmt.Sprintf("%s: element %d %s", name, i, m.name), top) {
					refused++
				}
			}
			stride++
		}
	}
	t.Logf("%d documents, of which %d were refused", tried, refused)
	if tried < 1000 || refused < tried/4 || refused > tried*19/20 {
		t.Error("either nothing is refused, or everything")
	}
}

// mutated parses a tree that may be broken, and says whether it was refused.
func mutated(t *testing.T, what string, top *node) bool {
	t.Helper()
	text, err := write(top)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	b, err := Parse("f.xml", text, Options{Include: emptyProfile})
	if err != nil {
		wrong(t, what, string(text), Options{Include: emptyProfile})
		return true
	}
	survives(t, what, b)
	return false
}

// survives holds a bundle to what holds for every one: an export of it is read as the same.
func survives(t testing.TB, what string, b *Bundle) {
	t.Helper()
	if b.Type == Profile {
		return
	}
	o := exportOptions(b)
	for i := range b.Services {
		whole := b.Services[i].Whole()
		out, err := Export(&whole, o)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		again, err := Parse("again.xml", out, Options{Want: Manifest})
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, out)
			continue
		}
		if got := again.Services[0].Whole(); !equal(&got, &whole) {
			t.Errorf("%s: read again as\n%+v\nwas\n%+v\n%s", what, got, whole, out)
		}
	}
}

// Profiles are not bound by all of the DTD, nor is what is asked to be lax.
func TestLax(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		warning string // empty for an error
	}{
		"order":               {"<instance name='a' enabled='true'/><property_group name='g' type='t'/>", "<property_group>: belongs before <instance>"},
		"unknown attribute":   {"<property_group name='g' type='t' colour='red'/>", "has no attribute colour"},
		"text":                {"<property_group name='g' type='t'>hello</property_group>", "text does not belong here"},
		"an empty list":       {"<property_group name='g' type='t'><property name='p' type='count'><count_list/></property></property_group>", "lacks a <value_node>"},
		"unknown element":     {"<thing/>", ""},
		"an element inside":   {"<property_group name='g' type='t'><instance name='a' enabled='true'/></property_group>", ""},
		"no name":             {"<property_group type='t'/>", ""},
		"order of a method":   {"<exec_method type='method' name='m' exec='e' timeout_seconds='0'><propval name='a' type='count' value='1'/><stability value='Stable'/></exec_method>", ""},
		"text in a method":    {"<exec_method type='method' name='m' exec='e' timeout_seconds='0'>x</exec_method>", ""},
		"attribute of one":    {"<dependency name='d' type='service' grouping='require_all' restart_on='none' x='y'/>", ""},
		"bad enumeration":     {"<property_group name='g' type='t' delete='perhaps'/>", ""},
		"enabled":             {"<instance name='a' enabled='yes'/>", ""},
		"two of a kind":       {"<method_context project='a'/><method_context resource_pool='b'/>", "<service> may have only one"},
		"event at the end":    {"<notification_parameters><type name='smtp'/><event value='all'/></notification_parameters>", "<event>: belongs before <type>"},
		"two events":          {"<notification_parameters><event value='all'/><event value='all'/><type name='smtp'/></notification_parameters>", ""},
		"no event":            {"<notification_parameters><type name='smtp'/></notification_parameters>", ""},
		"same property twice": {"<property_group name='g' type='t'><propval name='p' type='count' value='1'/><propval name='p' type='count' value='1'/></property_group>", ""},
	} {
		list, err := Parse("f.xml", []byte(doc(c.content)), Options{Validation: Lax})
		if c.warning == "" {
			if err == nil {
				t.Errorf("%s: %+v", name, list)
			}
			continue
		}
		if err != nil || len(list.Warnings) != 1 || !strings.Contains(list.Warnings[0].Error(), c.warning) || list.Warnings[0].Line != 3 {
			t.Errorf("%s: %v, %v", name, list, err)
		}
		if strict := wrong(t, name, doc(c.content), Options{}); !errors.Is(strict, ErrInvalid) || !strings.Contains(strict.Error(), c.warning) {
			t.Errorf("%s: %v", name, strict)
		}
		profile := bytes.Replace([]byte(doc(c.content)), []byte("'manifest'"), []byte("'profile'"), 1)
		if b, err := Parse("f.xml", profile, Options{}); err != nil || len(b.Warnings) != 1 {
			t.Errorf("%s in a profile: %v, %v", name, b, err)
		}
	}
}

// What a profile may leave out, a lax document may, too.
func TestLaxMisses(t *testing.T) {
	text := doctype + "<service_bundle type='manifest' name='n'><service name='a'><instance name='i'/>" +
		"<template><common_name><loctext>n</loctext></common_name></template></service></service_bundle>"
	b, err := Parse("f.xml", []byte(text), Options{Validation: Lax})
	if err != nil || len(b.Warnings) != 0 {
		t.Fatalf("%+v, %v", b, err)
	}
	s := b.Services[0]
	if s.Kind != "" || s.Version != "" || s.Instances["i"].Enabled != Unset || s.Config.Group(groupCommonName).Prop(unknownLocale) == nil {
		t.Errorf("%+v", s)
	}
	wrong(t, "not lax", text, Options{})
}
