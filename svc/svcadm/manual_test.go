package svcadm

import (
	"os"
	"strings"
	"testing"
)

// TestManual: the manual page describes each option and command that there is, and no other.
func TestManual(t *testing.T) {
	data, err := os.ReadFile("../../docs/man/svcadm.8")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	letters := "SvZz"
	for _, c := range commands {
		if !strings.Contains(text, "\n.It Cm "+c.name+" ") {
			t.Errorf("%s is not described", c.name)
		}
		letters += strings.ReplaceAll(c.options, ":", "")
	}
	for c := byte('!'); c <= '~'; c++ {
		described := strings.Contains(text, "\n.It Fl "+string(c)+"\n") || strings.Contains(text, "\n.It Fl "+string(c)+" ") ||
			strings.Contains(text, " Oo Fl \\&It Oc Cm maintenance") && (c == 'I' || c == 't') || c == 'd' && strings.Contains(text, " Oo Fl d Oc ")
		if is := strings.IndexByte(letters, c) >= 0; is != described {
			t.Errorf("-%c: there is such an option: %v; it is described: %v", c, is, described)
		}
	}
	for _, c := range commands {
		if !strings.Contains(usage, "\n\tsvcadm "+c.name+" ") {
			t.Errorf("usage has no %s", c.name)
		}
	}
}
