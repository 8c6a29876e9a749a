package manifest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
)

// A DTD as it is written, in one form for the table and the original's file.
type dtdText struct {
	elements, attributes map[string]string
}

// ofTable writes the table as a DTD has it, for manifests or for profiles.
func ofTable(profile bool) dtdText {
	d := dtdText{map[string]string{}, map[string]string{}}
	for name, e := range elements() {
		d.elements[name] = plainModel(e.model())
		for _, a := range e.attrs {
			d.attributes[name+" "+a.name] = a.declaration(profile)
		}
	}
	return d
}

func (e *element) model() string {
	switch {
	case e.any:
		return "ANY"
	case e.text:
		return "(#PCDATA)"
	case e.kids == nil:
		return "EMPTY"
	}
	var steps []string
	for _, p := range e.kids {
		names := slices.Sorted(slices.Values(p.names))
		times := map[[2]int]string{{1, 1}: "", {0, 1}: "?", {0, unbounded}: "*", {1, unbounded}: "+"}[[2]int{p.min, p.max}]
		if len(names) == 1 {
			steps = append(steps, names[0]+times)
		} else {
			steps = append(steps, "("+strings.Join(names, "|")+")"+times)
		}
	}
	separator := ","
	if e.either {
		separator = "|"
	}
	return "(" + strings.Join(steps, separator) + ")"
}

func (a *attribute) declaration(profile bool) string {
	kind := "CDATA"
	if a.words != nil {
		kind = "(" + strings.Join(slices.Sorted(slices.Values(a.words)), "|") + ")"
	}
	switch {
	case a.need == defaulted:
		return fmt.Sprintf("%s %q", kind, a.fallback)
	case a.need == required && !(profile && a.untyped):
		return kind + " #REQUIRED"
	}
	return kind + " #IMPLIED"
}

var (
	dtdComment     = regexp.MustCompile(`(?s)<!--.*?-->`)
	dtdSection     = regexp.MustCompile(`(?s)<!\[%(profile|manifest);\[(.*?)\]\]>`)
	dtdDeclaration = regexp.MustCompile(`<!(ELEMENT|ATTLIST)\s+([\w:]+)([^>]*)>`)
	dtdAttribute   = regexp.MustCompile(`(?s)(\S+)\s+(CDATA|\(.*?\))\s+(#REQUIRED|#IMPLIED|#FIXED\s+"[^"]*"|"[^"]*")`)
	dtdAlternative = regexp.MustCompile(`\(([^()]*\|[^()]*)\)`)
)

// ofFile reads a DTD, for manifests or for profiles.
func ofFile(data string, profile bool) dtdText {
	data = dtdComment.ReplaceAllString(data, "")
	data = dtdSection.ReplaceAllStringFunc(data, func(s string) string {
		m := dtdSection.FindStringSubmatch(s)
		if (m[1] == "profile") == profile {
			return m[2]
		}
		return ""
	})
	d := dtdText{map[string]string{}, map[string]string{}}
	for _, m := range dtdDeclaration.FindAllStringSubmatch(data, -1) {
		if m[1] == "ELEMENT" {
			d.elements[m[2]] = plainModel(m[3])
			continue
		}
		for _, a := range dtdAttribute.FindAllStringSubmatch(m[3], -1) {
			if a[1] != "xmlns:xi" { // name spaces are none of the table's
				d.attributes[m[2]+" "+a[1]] = sortWords(strip(a[2])) + " " + a[3]
			}
		}
	}
	return d
}

func strip(s string) string { return strings.Join(strings.Fields(s), "") }

func sortWords(s string) string {
	return dtdAlternative.ReplaceAllStringFunc(s, func(s string) string {
		words := strings.Split(strings.Trim(s, "()"), "|")
		sort.Strings(words)
		return "(" + strings.Join(words, "|") + ")"
	})
}

// plainModel is a content model without spaces, its alternatives in order, and without
// parentheses around what has some.
func plainModel(s string) string {
	s = sortWords(strip(s))
	if inner, ok := strings.CutPrefix(s, "(("); ok {
		group, rest, _ := strings.Cut(inner, ")")
		if !strings.Contains(group, "(") && (rest == ")" || len(rest) == 2) {
			return "(" + group + ")" + strings.TrimSuffix(rest, ")")
		}
	}
	// That every include has a fallback is what the file says, and not what documents do.
	return strings.Replace(s, "(xi:fallback)", "(xi:fallback?)", 1)
}

// The table says what the original's file says, where that file is.
func TestTableIsTheDTD(t *testing.T) {
	data := []byte(sampleDTD)
	want := map[string]bool{root: true, "property": true, "loctext": true, "method_context": true}
	if dir := shared(); dir != "" {
		real, err := os.ReadFile(filepath.Join(dir, "service_bundle.dtd.1"))
		if err != nil {
			t.Fatal(err)
		}
		data, want = real, nil
	}
	for _, profile := range []bool{false, true} {
		table, file := ofTable(profile), ofFile(string(data), profile)
		if want != nil { // only what the sample has
			maps.DeleteFunc(table.elements, func(name, _ string) bool { return !want[name] })
			maps.DeleteFunc(table.attributes, func(name, _ string) bool { return !want[strings.Fields(name)[0]] })
		}
		compare(t, "element", table.elements, file.elements)
		compare(t, "attribute", table.attributes, file.attributes)
		t.Logf("profile %v: %d elements, %d attributes", profile, len(file.elements), len(file.attributes))
	}
}

func compare(t *testing.T, what string, table, file map[string]string) {
	t.Helper()
	for name, model := range file {
		if table[name] != model {
			t.Errorf("%s %s: the table has %q, the file %q", what, name, table[name], model)
		}
	}
	for name, model := range table {
		if _, ok := file[name]; !ok {
			t.Errorf("%s %s: the file has none, the table %q", what, name, model)
		}
	}
	if len(file) == 0 {
		t.Errorf("the file has no %ss", what)
	}
}

// sampleDTD is enough of the language for the comparison itself to be tried.
const sampleDTD = `
<!-- of bundles -->
<!ELEMENT service_bundle ( service_bundle* | service* | xi:include* )>
<!ATTLIST service_bundle
	type CDATA #REQUIRED
	name CDATA #REQUIRED>
<![%profile;[
<!ELEMENT property ( count_list | integer_list | opaque_list | host_list | hostname_list | net_address_list | boolean_list |
  net_address_v4_list | net_address_v6_list | time_list | astring_list | ustring_list | fmri_list | uri_list )? >
<!ATTLIST property name CDATA #REQUIRED override ( true | false ) "false"
	type ( count | integer | opaque | host | hostname | net_address | net_address_v4 | net_address_v6 | time |
	astring | ustring | boolean | fmri | uri ) #IMPLIED >
]]>
<![%manifest;[
<!ELEMENT property ( count_list | integer_list | opaque_list | host_list | hostname_list | net_address_list | boolean_list |
  net_address_v4_list | net_address_v6_list | time_list | astring_list | ustring_list | fmri_list | uri_list )? >
<!ATTLIST property name CDATA #REQUIRED override ( true | false ) "false"
	type ( count | integer | opaque | host | hostname | net_address | net_address_v4 | net_address_v6 | time |
	astring | ustring | boolean | fmri | uri ) #REQUIRED >
]]>
<!ELEMENT loctext (#PCDATA) >
<!ATTLIST loctext xml:lang CDATA #REQUIRED>
<!ELEMENT method_context ( (method_profile | method_credential)?, method_environment? ) >
<!ATTLIST method_context security_flags CDATA #IMPLIED working_directory CDATA #IMPLIED
	project CDATA #IMPLIED resource_pool CDATA #IMPLIED >
`

func TestSampleIsRead(t *testing.T) {
	d := ofFile(sampleDTD, true)
	if len(d.elements) != 4 || len(d.attributes) != 10 || d.attributes["property type"] == ofFile(sampleDTD, false).attributes["property type"] {
		t.Errorf("%d elements, %d attributes: %v", len(d.elements), len(d.attributes), d)
	}
}
