package zoned

import (
	"strings"
	"testing"
)

// FuzzBootArgs: whatever a caller or a configuration has for boot arguments, init is given words of
// it, and nothing that was not among them.
func FuzzBootArgs(f *testing.F) {
	for _, s := range []string{"", "-s", "unix -m verbose -i /sbin/other", "-i", "-m", "-mx -i/a", "-x stray -f", "- -- -\x00", "kernel\t-s\n-s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := parseBootArgs(s)
		words := strings.Fields(s)
		if len(b.args) > 2*len(words) || len(b.bad) > len(words) {
			t.Fatalf("%q: %+v", s, b)
		}
		for _, w := range append(append([]string{b.altInit}, b.args...), b.bad...) {
			if !strings.Contains(s, strings.TrimPrefix(w, "-m")) || strings.ContainsAny(w, " \t\n") {
				t.Fatalf("%q: %q came from nowhere", s, w)
			}
		}
	})
}

// FuzzLoginSlot: a keeper's slot that is taken for a login's names a process that can be.
func FuzzLoginSlot(f *testing.F) {
	for _, s := range []string{"login.0123", "login.a.17.z", "login.a.-17.z", "login.a.0.0", "pty", "login.", "login...", "login.a.1.ffffffffffffff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		id, pid, _, ok := parseLoginSlot(name)
		if ok && (pid < 0 || !strings.HasPrefix(name, slotLogin+id)) {
			t.Fatalf("%q: login %q of process %d", name, id, pid)
		}
	})
}
