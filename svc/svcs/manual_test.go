package svcs

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestManual: the manual page describes each option, column and code that there is, and no other
// option.
func TestManual(t *testing.T) {
	data, err := os.ReadFile("../../docs/man/svcs.1")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), `\&?`, "?")
	for c := byte('!'); c <= '~'; c++ {
		_, alone := parse([]string{"-" + string(c), "state"})
		_, given := parse([]string{"-" + string(c), "svc:/a:b", "x"})
		is := !errors.Is(alone, misuse{}) || !errors.Is(given, misuse{})
		if described := strings.Contains(text, "\n.It Fl "+string(c)+"\n") || strings.Contains(text, "\n.It Fl "+string(c)+" "); c != '-' && is != described {
			t.Errorf("-%c: there is such an option: %v; it is described: %v", c, is, described)
		}
	}
	for i := range columns {
		if !strings.Contains(text, "\n.It Sy "+columns[i].name+"\n") {
			t.Errorf("column %s is not described", columns[i].name)
		}
	}
	for _, code := range []string{
		codeDisabled, codeTemporarily, codeBadRestarter, codeNoRestarter, codeUninitialized, codeRestarterDown, codeRequested, codeRepeated, codeMethod, codeNone,
		codeUnknown, codeStarting, codeDegraded, codeAbsent, codeExcluded, codeDependency, codeCycle, codeInvalid, codeStart, codeTooQuickly, codeState, codeTransition, codeByService,
	} {
		if !strings.Contains(text, "\n.It Sy "+strings.TrimPrefix(code, "SMF-8000-")+"\n") {
			t.Errorf("code %s is not described", code)
		}
	}
	for _, key := range []string{
		"zone", "fmri", "scope", "service", "instance", "state", "next_state", "state_time", "auxiliary_state", "auxiliary_detail", "enabled", "temporary", "comment",
		"restarter", "description", "logfile", "contracts", "processes",
	} {
		if !strings.Contains(text, "\n.It Va "+key+"\n") && !strings.Contains(text, "\n.It Va "+key+" , ") && !strings.Contains(text, " , "+key) {
			t.Errorf("key %s is not described", key)
		}
	}
}
