package svccfg

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestManual: the manual page has each command with its options, and no other.
func TestManual(t *testing.T) {
	data, err := os.ReadFile("../../docs/man/svccfg.8")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(data), "\n.Sh SUBCOMMANDS\n")
	text, _, _ = strings.Cut(text, "\n.Sh ")
	items := map[string]string{} // what follows a command's name, of all its forms
	for _, m := range regexp.MustCompile(`(?m)^\.It Cm ([a-z]+)((?: , [a-z]+)*)( .*)?$`).FindAllStringSubmatch(text, -1) {
		for _, name := range append(strings.FieldsFunc(m[2], func(c rune) bool { return c == ' ' || c == ',' }), m[1]) {
			items[name] += m[3] + " "
		}
	}
	letter := regexp.MustCompile(`-([a-zA-Z])\b`)
	for i := range commands {
		c := &commands[i]
		item, has := items[c.name]
		if !has {
			t.Errorf("%s is not described", c.name)
		}
		delete(items, c.name)
		synopsis, _, _ := strings.Cut(helps[c.name], "\n\n")
		synopsis = strings.ReplaceAll(synopsis, "-vV", "-v -V")
		for _, m := range letter.FindAllStringSubmatch(synopsis, -1) {
			// Fl takes several letters, and several words: "Fl vV", "Fl s | i".
			if !regexp.MustCompile(`Fl ([a-zA-Z] \| )*[a-zA-Z]*` + m[1]).MatchString(item) {
				t.Errorf("%s: -%s is not described", c.name, m[1])
			}
		}
	}
	// These are no commands, but forms of URIs.
	for name := range items {
		if !slices.Contains([]string{"mailto", "snmp"}, name) {
			t.Errorf("%s is described, and is no command", name)
		}
	}
}
