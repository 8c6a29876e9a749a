package prop

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestShell(t *testing.T) {
	for value, want := range map[string]string{
		"": `""`, "plain": "plain", "a b": `a\ b`, `"'` + "`": `\"\'\` + "`", `a\b`: `a\\b`, "a;b&c|d^e": `a\;b\&c\|d\^e`,
		"(<>)": `\(\<\>\)`, "a\nb\tc": "a\\\nb\\\tc", "$x*?[~#=%": "$x*?[~#=%", "/lib/svc/method/x %m": `/lib/svc/method/x\ %m`,
	} {
		if got := Shell(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for value, want := range map[string]string{"": `""`, "a b": `"a b"`, `a"b\c`: `"a\"b\\c"`, "a\nb": "\"a\nb\""} {
		if got := Quote(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	if got := List([]string{"a", "", `"`}); got != `( "a" "" "\"" )` {
		t.Error(got)
	}
	if got := List(nil); got != "( )" {
		t.Error(got)
	}
}

func TestParseList(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
		err  error
	}{
		{"", nil, nil},
		{"a", []string{"a"}, nil},
		{`""`, []string{""}, nil},
		{`"a b"`, []string{"a b"}, nil},
		{`a\ b`, []string{"a b"}, nil},
		{`a"b c"d`, []string{"ab cd"}, nil},
		{`"a\"b\\\n"`, []string{`a"b\n`}, nil},
		{`:default`, []string{":default"}, nil},
		{"()", nil, nil},
		{"( )", nil, nil},
		{"(a)", []string{"a"}, nil},
		{`("a b" "c")`, []string{"a b", "c"}, nil},
		{"  ( a\tb\nc ) ", []string{"a", "b", "c"}, nil},
		{`(")" \))`, []string{")", ")"}, nil},
		{"(a(b)", []string{"a(b"}, nil},
		{"a)", []string{"a)"}, nil},

		{"a b", nil, ErrTooMany},
		{`"a`, nil, ErrQuoting},
		{`a\`, nil, ErrQuoting},
		{`"a\"`, nil, ErrQuoting},
		{"(", nil, ErrQuoting},
		{"(a", nil, ErrQuoting},
		{`("a)`, nil, ErrQuoting},
		{"(a) b", nil, ErrQuoting},
		{"(a))", nil, ErrQuoting},
		{"(" + strings.Repeat("a ", ListMax+1) + ")", nil, ErrTooMany},
	} {
		got, err := ParseList(c.text)
		if !errors.Is(err, c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%.30q: %q %v, want %q %v", c.text, got, err, c.want, c.err)
		}
	}
}

// TestRoundTrips: what is written is read as what it was.
func TestRoundTrips(t *testing.T) {
	value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ab"\\ ()\n\t'`+"`"+`;]{0,8}`),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(value, 0, 5).Draw(t, "values")
		got, err := ParseList(List(values))
		if err != nil || !slices.Equal(got, values) {
			t.Fatalf("%s: %q %v", List(values), got, err)
		}
		printed := make([]string, len(values))
		for i, v := range values {
			printed[i] = Shell(v)
			if one, err := ParseList(Quote(v)); err != nil || len(one) != 1 || one[0] != v {
				t.Fatalf("%s: %q %v", Quote(v), one, err)
			}
		}
		if got, err = ParseShell(strings.Join(printed, " ")); err != nil || !slices.Equal(got, values) {
			t.Fatalf("%q: %q %v", printed, got, err)
		}
	})
}

// TestTheShellReads: a real shell makes of what Shell writes the value, but for a newline, which
// a backslash takes away, and what the original leaves to the shell.
func TestTheShellReads(t *testing.T) {
	for _, value := range []string{"", "a b", `"'` + "`\\", "a;b&c|d^e(f)<g>", "tab\there", "100%", "a=b"} {
		out, err := exec.Command("sh", "-c", "printf %s "+Shell(value)).Output()
		if err != nil || string(out) != value {
			t.Errorf("%q: the shell reads %q: %v", value, out, err)
		}
	}
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{`("a b" c)`, `"a\"b"`, "(", `a\ b`, "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseList(text)
		if err != nil {
			return
		}
		again, err := ParseList(List(list))
		if err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q is %q, then %q: %v", text, list, again, err)
		}
		if shell, err := ParseShell(text); err == nil && len(shell) > ListMax {
			t.Fatalf("%d values", len(shell))
		}
	})
}
