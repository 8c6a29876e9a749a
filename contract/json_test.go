package contract

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The JSON forms as golden files: their names are an interface.
func TestJSONGolden(t *testing.T) {
	var out []byte
	for _, name := range []string{"owned", "inherited", "dead", "odd"} {
		s := statuses[name]
		out = append(s.AppendJSON(out), '\n')
	}
	for _, c := range lines {
		c.e.Time = someTime
		out = append(c.e.AppendJSON(out, ""), '\n')
	}
	e := lines[5].e
	out = append(e.AppendJSON(out, "web"), '\n')
	golden := filepath.Join("testdata", "json.golden")
	if *update {
		if err := os.WriteFile(golden, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(out) != string(want) {
		t.Errorf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// FuzzQuoted: any string is written as JSON that means it.
func FuzzQuoted(f *testing.F) {
	f.Add("a\"\\\x1b[2J\u2028\x80\u009b\u202e\u061c\ufffd")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		text := appendQuoted(nil, s)
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%q is written %s: %v", s, text, err)
		}
		if want := string([]rune(s)); back != want {
			t.Fatalf("%q is read %q", s, back)
		}
		for _, c := range text {
			if c < ' ' || c == 0x7f {
				t.Fatalf("%q is written with a control character: %q", s, text)
			}
		}
		// What turns the direction of writing, or is a control character of 8 bits.
		if strings.ContainsAny(string(text), "\u0080\u009b\u009f\u2028\u202e\u2066\u200f") {
			t.Fatalf("%q is written %s", s, text)
		}
	})
}
