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
		{"cookie 5\nactivate", vActivate, true},
		{"cookie 5\nfatal core\nactivate move\n", vActivate, true},
		{"cookie 5\nactivate x", vActivate, false},
		{"cookie 5\nactivate\n\n", vTerms, true}, // which the table refuses
		{"cookie 5\nactivate\ncookie 6", vTerms, true},
		{"cookie 5\nclear", vTerms, true},
		{"cookie 5\nborn 7", vTerms, true},
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

// Terms that are set before an activation are all that stands before it.
func TestTermsBeforeActivation(t *testing.T) {
	for text, want := range map[string]string{
		"activate\n": "", "activate move": "", "cookie 5\nactivate": "cookie 5\n", "cookie 5\nsvc_aux activate\nactivate move\n": "cookie 5\nsvc_aux activate\n",
	} {
		c, ok := parseTemplate([]byte(text))
		if !ok || string(c.text) != want || strings.Contains(text, "move") != (c.number == 1) {
			t.Errorf("%q: %+v %v", text, c, ok)
		}
	}
}

func TestParseCtls(t *testing.T) {
	for text, want := range map[string]command{"12 abandon\n": {verb: vAbandon}, "12 ack 0x10": {verb: vAck, number: 16}, "12  adopt ": {verb: vAdopt}} {
		id, c, ok := parseCtls([]byte(text))
		if !ok || id != 12 || c.verb != want.verb || c.number != want.number {
			t.Errorf("%q: %d %+v %v", text, id, c, ok)
		}
	}
	for _, text := range []string{
		"", "12", "12 ", " 12 abandon", "012 abandon", "0 abandon", "-1 abandon", "+12 abandon", "4294967308 abandon", "abandon", "abandon 12",
		"12 12 abandon", "12 abandon 3", "12 abandon\n13 abandon\n", "12\tabandon", "12 activate", "x abandon",
	} {
		if id, c, ok := parseCtls([]byte(text)); ok {
			t.Errorf("%q is taken: %d %+v", text, id, c)
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
	for _, s := range []string{"activate", "born 1", "ack 5\n", "cookie 0x1\nparams none\n", "cookie 1\nactivate\n", "5 abandon", "\x00\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, ok := parseTemplate(text); ok && c.verb != vTerms && len(strings.Fields(strings.TrimPrefix(string(text), string(c.text)))) > 2 {
			t.Errorf("%q is a command", text)
		}
		if id, c, ok := parseCtls(text); ok && (id == 0 || c.verb < vAbandon || len(strings.Fields(string(text))) > 3) {
			t.Errorf("%q is a command", text)
		}
		if c, ok := parseCtl(text); ok && (c.verb < vAbandon || len(strings.Fields(string(text))) > 2) {
			t.Errorf("%q is a command", text)
		}
		IsBorn(text)
	})
}
