package ctfs

import (
	"strings"
	"testing"
)

func TestParseTemplate(t *testing.T) {
	for _, c := range []struct {
		text string
		verb verb
		ok   bool
	}{
		{"activate", vActivate, true},
		{"activate\n", vActivate, true},
		{"  activate \n\n", vActivate, true},
		{"activate x", vActivate, false},
		{"activate move", vActivate, true},
		{"activate move\n", vActivate, true},
		{"activate move move", vActivate, false},
		{"clear move", vClear, false},
		{"activate\ncookie 5", vActivate, false},
		{"cookie 5\nactivate", vTerms, true}, // which the table refuses
		{"clear", vClear, true},
		{"create", vCreate, true},
		{"born 5", vBorn, true},
		{"born 0x10\n", vBorn, true},
		{"born", vBorn, false},
		{"born 5 6", vBorn, false},
		{"born +5", vBorn, false},
		{"born 1_0", vBorn, false},
		{"born five", vBorn, false},
		{"Activate", vTerms, true},
		{"activated", vTerms, true},
		{"", vTerms, true},
		{"\x00", vTerms, true},
	} {
		got, ok := parseTemplate([]byte(c.text))
		if ok != c.ok || ok && got.verb != c.verb || ok && c.verb == vTerms && string(got.text) != c.text {
			t.Errorf("%q: %+v %v", c.text, got, ok)
		}
	}
}

func TestParseCtl(t *testing.T) {
	for _, c := range []struct {
		text   string
		verb   verb
		number uint64
		ok     bool
	}{
		{"abandon\n", vAbandon, 0, true},
		{"adopt", vAdopt, 0, true},
		{"ack 18446744073709551615", vAck, 1<<64 - 1, true},
		{"ack 18446744073709551616", vAck, 0, false},
		{"ack 010", vAck, 8, true},
		{"qack 0xff\n", vQAck, 255, true},
		{"nack 1", vNAck, 1, true},
		{"newct 3", vNewCT, 3, true},
		{"newct", vNewCT, 0, false},
		{"abandon 3", vAbandon, 0, false},
		{"abandon\nadopt", vAbandon, 0, false},
		{"", noVerb, 0, false},
		{"\nabandon", noVerb, 0, false},
		{"activate", noVerb, 0, false},
	} {
		got, ok := parseCtl([]byte(c.text))
		if ok != c.ok || ok && (got.verb != c.verb || got.number != c.number) {
			t.Errorf("%q: %+v %v", c.text, got, ok)
		}
	}
}

func TestPid(t *testing.T) {
	for n, want := range map[uint64]bool{0: false, 1: true, 1<<31 - 1: true, 1 << 31: false, 1<<64 - 1: false} {
		if _, ok := (command{number: n}).pid(); ok != want {
			t.Errorf("%d: %v", n, ok)
		}
	}
}

// Whatever is written, a command is what its words say, and nothing panics.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"activate", "born 1", "ack 5\n", "cookie 0x1\nparams none\n", "\x00\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, ok := parseTemplate(text); ok && c.verb != vTerms && len(strings.Fields(string(text))) > 2 {
			t.Errorf("%q is a command", text)
		}
		if c, ok := parseCtl(text); ok && (c.verb < vAbandon || len(strings.Fields(string(text))) > 2) {
			t.Errorf("%q is a command", text)
		}
		IsBorn(text)
	})
}
