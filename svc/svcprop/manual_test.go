package svcprop

import (
	"os"
	"strings"
	"testing"
)

// TestManual: the manual page describes each option that there is, and no other.
func TestManual(t *testing.T) {
	data, err := os.ReadFile("../../docs/man/svcprop.1")
	if err != nil {
		t.Fatal(err)
	}
	for c := byte('!'); c <= '~'; c++ {
		_, bad := parse([]string{"-" + string(c), "x", "y"})
		_, alone := parse([]string{"-" + string(c)}) // -a takes no operand, -w one
		_, one := parse([]string{"-" + string(c), "x"})
		is := bad == nil || alone == nil || one == nil
		if described := strings.Contains(string(data), "\n.It Fl "+string(c)+"\n") || strings.Contains(string(data), "\n.It Fl "+string(c)+" "); c != '-' && is != described {
			t.Errorf("-%c: there is such an option: %v; it is described: %v", c, is, described)
		}
	}
}
