package notify

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", StatusBytesMax+1)
	for text, want := range map[string]Fields{
		"READY=1":                                  {Ready: true},
		"READY=1\n":                                {Ready: true},
		"READY=0":                                  {},
		"READY=1\nREADY=0":                         {Ready: true},
		"READY=11":                                 {},
		"ready=1":                                  {},
		"READY=":                                   {},
		"\n\nREADY=1\n\n":                          {Ready: true},
		"no field\nREADY=1":                        {Ready: true},
		"STATUS=reading\nREADY=1":                  {Ready: true, HasStatus: true, Status: "reading"},
		"STATUS=a\nSTATUS=b":                       {HasStatus: true, Status: "b"},
		"STATUS=":                                  {HasStatus: true},
		"STATUS=a=b\tc\x1b[31m":                    {HasStatus: true, Status: "a=b?c?[31m"},
		"STATUS=" + long:                           {HasStatus: true, Status: long[:StatusBytesMax] + "..."},
		"STATUS=" + strings.Repeat("é", 200):       {HasStatus: true, Status: strings.Repeat("é", 128) + "..."},
		"STATUS=\xff\u202e":                        {HasStatus: true, Status: "??"},
		"EXTEND_TIMEOUT_USEC=2500000":              {Extend: 2500 * time.Millisecond},
		"EXTEND_TIMEOUT_USEC=0":                    {},
		"EXTEND_TIMEOUT_USEC=-1":                   {},
		"EXTEND_TIMEOUT_USEC=1s":                   {},
		"EXTEND_TIMEOUT_USEC=1.5":                  {},
		"EXTEND_TIMEOUT_USEC=":                     {},
		"EXTEND_TIMEOUT_USEC=9223372036854775":     {Extend: 9223372036854775 * time.Microsecond},
		"EXTEND_TIMEOUT_USEC=18446744073709551615": {Extend: 9223372036854775 * time.Microsecond},
		"EXTEND_TIMEOUT_USEC=18446744073709551616": {},
		"STOPPING=1":                               {},
		"RELOADING=1\nMONOTONIC_USEC=5":            {},
		"MAINPID=4711\nERRNO=2\nBUSERROR=x\nWATCHDOG=1": {},
		"BARRIER=1":                   {},
		"FDSTORE=1\nX_OWN=1\nREADY=1": {Ready: true},
		"STATUS=x\n" + strings.Repeat("A=1\n", fieldsMax-3) + "READY=1": {Ready: true, HasStatus: true, Status: "x"},
	} {
		if f, ok := Parse(text); !ok || f != want {
			t.Errorf("%.60q: %+v %t, want %+v", text, f, ok, want)
		}
	}
}

// TestNoMessage: what is none has no part that counts.
func TestNoMessage(t *testing.T) {
	for _, text := range []string{
		"", "\n", "READY", "READY 1", "=1", "READY=1\n=1", "READY=1\x00", "\x00", "READY=1\nSTATUS=a\x00b",
		strings.Repeat("x", 4096), "READY=1\n" + strings.Repeat("\n", fieldsMax),
		"STATUS=" + strings.Repeat("x", BytesMax-len("STATUS=")+1), strings.Repeat("READY=1\n", fieldsMax),
	} {
		if f, ok := Parse(text); ok || f != (Fields{}) {
			t.Errorf("%.60q: %+v %t", text, f, ok)
		}
	}
	if f, ok := Parse("STATUS=" + strings.Repeat("x", BytesMax-len("STATUS="))); !ok || !f.HasStatus {
		t.Errorf("the longest message: %+v %t", f, ok)
	}
}

// FuzzParse: whatever is written, it does no harm: what is kept is plain text of a bounded length,
// times are not below 0, and what is put behind a whole message does not change what it says.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"READY=1\nSTATUS=x", "EXTEND_TIMEOUT_USEC=1000000\n", "=", "A=\x00", "STATUS=\xc3\x28\u2028", "BARRIER=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := Parse(text)
		if !ok {
			if m != (Fields{}) {
				t.Fatalf("%q is no message and says %+v", text, m)
			}
			return
		}
		if len(m.Status) > StatusBytesMax+len("...") || !utf8.ValidString(m.Status) || strings.ContainsAny(m.Status, "\n\r\x00\x1b") || m.Extend < 0 || m.Status != "" && !m.HasStatus {
			t.Fatalf("%q: %+v", text, m)
		}
		if m.Ready && !strings.Contains("\n"+text+"\n", "\nREADY=1\n") {
			t.Fatalf("%q is ready", text)
		}
		if again, ok := Parse(text + "\nX_OWN=1"); ok && again != m {
			t.Fatalf("%q: %+v, and with more %+v", text, m, again)
		}
	})
}
