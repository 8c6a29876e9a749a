package manifest

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
	"pgregory.net/rapid"
)

// Names that elements have, and others: what is generated is often nearly an element.
var (
	anyName   = rapid.StringMatching(`([a-z][a-z.]{0,4},)?[A-Za-z][A-Za-z0-9_-]{0,8}`)
	groupName = rapid.OneOf(anyName, rapid.SampledFrom([]string{
		"general", "dependents", "method_context", "manifestfiles", "start", "stop", "to-online", "from-maintenance", "list.suspect,fmnotify",
		"tm_common_name", "tm_description", "tm_man_a1", "tm_doc_b", "tm_pgpat_", "tm_pgpatn_a", "tm_pgpatnt_a", "tm_proppat_n_a_p", "tm_proppat_nt_a_p",
	}))
	groupType = rapid.SampledFrom([]string{
		"application", "framework", "method", "dependency", "template", "template_pg_pattern", "template_prop_pattern", "notify_params",
	})
	propertyName = rapid.OneOf(anyName, rapid.SampledFrom([]string{
		"type", "exec", "timeout_seconds", "user", "group", "use_profile", "profile", "environment", "project", "working_directory", "stability",
		"grouping", "restart_on", "entities", "external", "enabled", "restarter", "single_instance", "entity_stability", "read_authorization",
		"name", "title", "section", "manpath", "uri", "target", "required", "pg_pattern", "C", "common_name_C", "description_C", "units_C", "visibility",
		"cardinality_min", "cardinality_max", "internal_separators", "values_name", "constraint_name", "constraint_range", "choices_name",
		"choices_include_values", "value_ME------_common_name_C", "smtp,active", "smtp,to",
	}))
	words = rapid.SampledFrom([]string{
		"", "method", "monitor", ":true", "service", "require_all", "none", "Stable", "true", "1", "a", "p", "0,1", "-5,3", "this", "instance", "all",
		"tm_pgpatn_a", "tm_pgpatnt_a", "A=b", "SMF_A=b", "hidden", "constraints", ":default", " ", "\n", "<&>'\"", "svc:/a:b", "svc:/a",
	})
	anyText = rapid.OneOf(words, rapid.StringOfN(rapid.RuneFrom([]rune("ab 'é\t\n\r\"<>&;#]\u00a0\u2028\U0001F600")), 0, 12, -1))
)

// generators are of canonical values.
var generators = map[prop.Type]*rapid.Generator[string]{
	prop.Boolean:      rapid.SampledFrom([]string{"true", "false"}),
	prop.Count:        rapid.Map(rapid.Uint64(), func(n uint64) string { return fmt.Sprint(n) }),
	prop.Integer:      rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(n) }),
	prop.Time:         rapid.SampledFrom([]string{"0", "1700000000", "1.500000000", "-3"}),
	prop.Opaque:       rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return fmt.Sprintf("%x", b) }),
	prop.AString:      anyText,
	prop.UString:      anyText,
	prop.URI:          rapid.SampledFrom([]string{"http://a/b?c=d&e=f", "file:///x", "a%20b"}),
	prop.FMRI:         rapid.SampledFrom([]string{"svc:/a", "svc:/a/b:default", "file://localhost/etc/x"}),
	prop.Host:         rapid.SampledFrom([]string{"a.b", "192.0.2.1", "::1"}),
	prop.Hostname:     rapid.SampledFrom([]string{"a", "b-c.d"}),
	prop.NetAddress:   rapid.SampledFrom([]string{"192.0.2.1", "2001:db8::1"}),
	prop.NetAddressV4: rapid.SampledFrom([]string{"192.0.2.1", "10.0.0.0/8"}),
	prop.NetAddressV6: rapid.SampledFrom([]string{"::", "2001:db8::/32"}),
}

// usual are the types that properties of elements have.
var usual = map[string]prop.Type{
	"timeout_seconds": prop.Count, "use_profile": prop.Boolean, "entities": prop.FMRI, "external": prop.Boolean, "enabled": prop.Boolean,
	"restarter": prop.FMRI, "single_instance": prop.Boolean, "required": prop.Boolean, "C": prop.UString, "common_name_C": prop.UString,
	"description_C": prop.UString, "units_C": prop.UString, "cardinality_min": prop.Count, "cardinality_max": prop.Count,
	"value_ME------_common_name_C": prop.UString, "smtp,active": prop.Boolean,
}

func genProperty(t *rapid.T, name string) tree.Property {
	kind, ok := usual[name]
	if !ok {
		kind = prop.AString
	}
	if rapid.IntRange(0, 3).Draw(t, "odd") == 0 {
		kind = prop.Type(rapid.IntRange(int(prop.Boolean), int(prop.NetAddressV6)).Draw(t, "type"))
	}
	n := rapid.SampledFrom([]int{1, 1, 1, 1, 0, 2, 3}).Draw(t, "values")
	return tree.Property{Name: name, Type: kind, Values: rapid.SliceOfN(generators[kind], n, n).Draw(t, "value")}
}

// likely are the properties that groups of a type have.
var likely = map[string][]string{
	"method":                {"type", "exec", "timeout_seconds"},
	"dependency":            {"type", "grouping", "restart_on", "entities"},
	"notify_params":         {"smtp,active"},
	"template_pg_pattern":   {"name", "type", "required", "target"},
	"template_prop_pattern": {"name", "type", "required", "pg_pattern"},
	"template":              {"C"},
}

func genGroups(t *rapid.T) []tree.Group {
	var groups []tree.Group
	for _, name := range rapid.SliceOfNDistinct(groupName, 0, 6, rapid.ID).Draw(t, "groups") {
		g := tree.Group{Name: name, Type: groupType.Draw(t, "type")}
		names := rapid.SliceOfN(propertyName, 0, 5).Draw(t, "names")
		if rapid.Bool().Draw(t, "whole") {
			names = append(names, likely[g.Type]...)
		}
		seen := map[string]bool{}
		for _, n := range names {
			if !seen[n] {
				seen[n] = true
				g.Props = append(g.Props, genProperty(t, n))
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// exportable takes away what an export leaves out.
func exportable(groups []tree.Group, service bool) []tree.Group {
	var left []tree.Group
	for _, g := range groups {
		if !external(&g) && !(service && g.Name == groupManifestFiles && g.Type == typeFramework) {
			left = append(left, g)
		}
	}
	return left
}

// Any service is read as it was exported.
func TestRoundTripOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tree.Service{Name: rapid.SampledFrom([]string{"a", "site/x", "system/svc/global", "system/fm/notify-params"}).Draw(t, "service"), Groups: genGroups(t)}
		for _, name := range rapid.SampledFrom([][]string{nil, {"default"}, {"default", "x"}, {"x,y"}}).Draw(t, "instances") {
			i := tree.Instance{Name: name, Groups: genGroups(t)}
			// An instance without general/enabled has it after an import: that is the format.
			i.Groups = deleteGroup(i.Groups, groupGeneral)
			i.Groups = append(i.Groups, tree.Group{Name: groupGeneral, Type: typeFramework, Props: []tree.Property{
				{Name: propEnabled, Type: prop.Boolean, Values: []string{generators[prop.Boolean].Draw(t, "enabled")}}}})
			s.Instances = append(s.Instances, i)
		}
		s.Sort()
		kind := rapid.SampledFrom([]string{"service", "restarter", "milestone"}).Draw(t, "kind")
		out, err := Export(&s, ExportOptions{Values: All, About: func(string) (kind2, version string) { return kind, "7" }})
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		b, err := Parse("again.xml", out, Options{Want: Manifest})
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		s.Groups = exportable(s.Groups, true)
		for i := range s.Instances {
			s.Instances[i].Groups = exportable(s.Instances[i].Groups, false)
		}
		if got := b.Services[0].Whole(); !equal(&got, &s) || b.Services[0].Kind != kind || b.Services[0].Version != "7" {
			t.Fatalf("%+v\nis read as\n%+v\n%s", s, got, out)
		}
	})
}

func deleteGroup(groups []tree.Group, name string) []tree.Group {
	var left []tree.Group
	for _, g := range groups {
		if g.Name != name {
			left = append(left, g)
		}
	}
	return left
}

// Nothing that is read makes it panic, an error has a line, and what is read can be exported.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"small", "profile", "archive"} {
		data, err := os.ReadFile("testdata/" + name + ".xml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	every, err := os.ReadFile("testdata/every.xml")
	if err != nil {
		f.Fatal(err)
	}
	r, err := readTree("every", every, new(int))
	if err != nil {
		f.Fatal(err)
	}
	for _, part := range r.root.kids[0].kids {
		var b bytes.Buffer
		part.write(&b, 0)
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// As a document, and as the content of a service of one.
		for _, text := range []string{string(data), doc(string(data))} {
			for _, o := range []Options{{Include: emptyProfile}, {Validation: Lax, Include: emptyProfile}} {
				fuzzed(t, text, o)
			}
		}
	})
}

func fuzzed(t *testing.T, text string, o Options) {
	b, err := Parse("f.xml", []byte(text), o)
	if err == nil {
		survives(t, "fuzz", b)
		return
	}
	for _, e := range err.(*Errors).List {
		if e.Line < 1 || strings.Contains(e.Error(), "\n") {
			t.Fatalf("%q", e.Error())
		}
	}
}

// The comparison of round trips is none that everything passes.
func TestEqualTellsServicesApart(t *testing.T) {
	a := tree.Service{Name: "a", Groups: []tree.Group{g("x", "t")}, Instances: []tree.Instance{{Name: "i"}}}
	for what, b := range map[string]tree.Service{
		"name": {Name: "b", Groups: a.Groups, Instances: a.Instances}, "groups": {Name: "a", Instances: a.Instances},
		"instances": {Name: "a", Groups: a.Groups}, "type": {Name: "a", Groups: []tree.Group{g("x", "u")}, Instances: a.Instances},
	} {
		if equal(&a, &b) {
			t.Errorf("another %s is equal", what)
		}
	}
	if !equal(&a, &a) {
		t.Error("not equal to itself")
	}
}
