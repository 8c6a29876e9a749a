package manifest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestManual: the manual page has each element that there is with its attributes and what they may be.
func TestManual(t *testing.T) {
	data, err := os.ReadFile("../../docs/man/service_bundle.5")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	said := regexp.MustCompile(`<([a-z_:]+)([^<>]*)>`).FindAllStringSubmatch(text, -1)
	for name, e := range elements() {
		if strings.HasSuffix(name, "_list") || name == root || strings.HasPrefix(name, "xi:") { // <TYPE_list>, and in the examples
			continue
		}
		var all string
		found := false
		for _, m := range said {
			if m[1] == name {
				found, all = true, all+" "+strings.NewReplacer("[", " [", "]", "] ", "{", " {", "}", "} ").Replace(m[2])+" "
			}
		}
		if !found {
			t.Errorf("<%s> is not described", name)
		}
		for _, a := range e.attrs {
			want := " " + a.name + " "
			switch {
			case a.need == defaulted:
				want = "[" + a.name + "]"
			case a.need != required:
				want = "{" + a.name + "}"
			}
			if !strings.Contains(all, want) {
				t.Errorf("<%s>: attribute %s is not described as %q", name, a.name, want)
			}
			for _, word := range a.words {
				if a.name != "type" && !regexp.MustCompile(`\b`+word+`\b`).MatchString(text) {
					t.Errorf("<%s>: %s may be %s, which is not described", name, a.name, word)
				}
			}
		}
	}
	for _, m := range said {
		if elements()[m[1]] == nil && m[1] != "type_list" {
			t.Errorf("<%s> is described, and is no element", m[1])
		}
	}
}
