package svccfg

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg/lang"
	"github.com/linuxzones/zones/svc/svcprop"
)

// fataler ends a test, or an attempt of rapid's.
type fataler interface {
	Fatalf(format string, args ...any)
}

// printed is what svcprop prints of config/x.
func printed(t fataler, s door.Store) string {
	var out, errs bytes.Buffer
	env := &svcprop.Env{Out: &out, Err: &errs, Open: func() (door.Store, error) { return kept{s}, nil }}
	if code := svcprop.Main(context.Background(), env, []string{"-p", "config/x", "svc:/web"}); code != 0 {
		t.Fatalf("svcprop: %d %s", code, &errs)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

var texts = rapid.StringMatching("[a-z \t\n\"'\\\\()=>#;&|$ä*]{0,12}")

// value is one of the type.
func value(t *rapid.T, kind prop.Type) string {
	switch kind {
	case prop.Count:
		return rapid.StringMatching("0|[1-9][0-9]{0,18}").Draw(t, "count")
	case prop.Integer:
		return rapid.StringMatching("0|-?[1-9][0-9]{0,17}").Draw(t, "integer")
	case prop.Boolean:
		return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "boolean")
	case prop.Opaque:
		return rapid.StringMatching("([0-9a-f]{2}){0,6}").Draw(t, "opaque")
	}
	return texts.Draw(t, "text")
}

// TestAnyValues: what setprop sets, svcprop prints, and setprop sets again from it.
func TestAnyValues(t *testing.T) {
	s := newStore(t)
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]prop.Type{prop.AString, prop.UString, prop.Count, prop.Integer, prop.Boolean, prop.Opaque}).Draw(t, "type")
		want := make([]string, rapid.IntRange(0, 5).Draw(t, "number"))
		for i := range want {
			want[i] = value(t, kind)
		}
		set := func(list []string) {
			text := "select web\nsetprop config/x = " + kind.String() + ": " + prop.List(list) + "\n"
			if out, errs, code := svccfg(s, text); code != 0 || out+errs != "" {
				t.Fatalf("%s: %d %s%s", text, code, out, errs)
			}
		}
		get := func() []string {
			p, err := s.Property(web, door.Direct, "config", "x")
			if err != nil || p.Type != kind {
				t.Fatalf("%+v %v", p, err)
			}
			return p.Values
		}
		set(want)
		if got := get(); !slices.Equal(got, want) {
			t.Fatalf("set %q, there is %q", want, got)
		}
		line := printed(t, s)
		again, err := prop.ParseShell(line)
		if err != nil || !slices.Equal(again, want) {
			t.Fatalf("svcprop prints %q, which is %q %v", line, again, err)
		}
		if _, errs, code := svccfg(s, "select web\ndelprop config/x\n"); code != 0 {
			t.Fatalf("%s", errs)
		}
		set(again)
		if got := get(); !slices.Equal(got, want) {
			t.Fatalf("set again %q, there is %q", want, got)
		}
	})
}

// TestShapes: every command has its help, and refuses what its shape does not have.
func TestShapes(t *testing.T) {
	s := newStore(t)
	for i := range commands {
		c := &commands[i]
		if helps[c.name] == "" || !strings.HasPrefix(helps[c.name], c.name) {
			t.Errorf("%s has no help", c.name)
		}
		for part := range strings.FieldsSeq(c.shape) {
			known := part == "w" || part == "w?" || part == "w*" || part == "v" || part == ">" || len(part) == 2 && part[0] == '-'
			if !known {
				t.Errorf("%s: shape %q", c.name, part)
			}
		}
		if strings.Contains(c.shape, "v") {
			continue
		}
		for _, extra := range []string{" a b c d >", " ( a )", " = a", " a > b c"} {
			_, errs, code := svccfg(s, c.name+extra+"\n")
			if code != 1 || errs != "svccfg (<stdin>, line 1): Syntax error.\n" {
				t.Errorf("%s%s: %d %s", c.name, extra, code, errs)
			}
		}
	}
	if len(helps) != len(commands) {
		t.Errorf("help of %d commands, of which there are %d", len(helps), len(commands))
	}
}

// TestLimits: what is too long or too much is an error, and nothing is done.
func TestLimits(t *testing.T) {
	s := newStore(t)
	long := strings.Repeat("x", prop.ValueBytesMax+1)
	many := strings.Repeat(` "v"`, 1025)
	for text, want := range map[string]string{
		"add " + strings.Repeat("x", fmri.NameBytesMax+1):        "Invalid name.",
		"select " + strings.Repeat("x", fmri.BytesMax+1):         "is too long, ignoring",
		"select web\nsetprop config/x = astring: " + long:        `Invalid "astring" value "xxx`,
		"select web\nsetprop config/x = astring: (" + many + ")": "more than 1024 values",
		"add \"" + strings.Repeat("x", lang.CommandBytesMax+1):   lang.ErrTooLong.Error(),
		"import" + strings.Repeat(" a", lang.WordsMax+1):         lang.ErrTooMany.Error(),
	} {
		before, _ := s.Generation()
		out, errs, code := svccfg(s, text+"\n")
		if code != 1 || !strings.Contains(errs, want) || out != "" || len(errs) > 4096 {
			t.Errorf("%.60s: %d %.200s", text, code, errs)
		}
		if after, _ := s.Generation(); after != before {
			t.Errorf("%.60s did something", text)
		}
	}
}

// TestOneRead: commands run as they come, though they come byte by byte.
func TestOneRead(t *testing.T) {
	s := newStore(t)
	var out, errs bytes.Buffer
	env := &Env{In: &bytewise{"select web\nsetprop config/x = astring: (\"a\n\" \"b\")\nlistprop config/x\nadd"}, Out: &out, Err: &errs, Open: func() (door.Store, error) { return kept{s}, nil }}
	if code := Main(env, nil); code != 1 || !strings.HasPrefix(out.String(), "config/x  astring  \"a\n\" \"b\"\n") || errs.String() != "svccfg (<stdin>, line 5): Syntax error.\n" {
		t.Errorf("%d %s%s", code, &out, &errs)
	}
}

// FuzzCommands: whatever is on standard input, svccfg ends with 0 or 1, says why not 0, and the
// repository is sound.
func FuzzCommands(f *testing.F) {
	for _, text := range []string{
		"list\n", "select web\nlistprop\n", "setprop a/b = (", "add \"\\", "\x00", "help\nset -v\nend\nx", "select web:one\nselectsnap x\nrevert", "addpg a b P\n", "> > >", "delete -f web\nlist", "#\n\\\n", "setenv -s A \"\"", "describe -vt x", "select web\naddpropvalue config/x astring: \"\n\"\ndelpropvalue config/x *",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, word := range []string{"repository", "export", "archive", "extract", "validate", "inventory", ">"} {
			if strings.Contains(text, word) {
				return // these touch files
			}
		}
		s := newStore(t)
		out, errs, code := svccfg(s, text)
		switch {
		case code != 0 && code != 1:
			t.Fatalf("%q: status %d", text, code)
		case code == 1 && !strings.HasPrefix(errs, "svccfg (<stdin>, line "):
			t.Fatalf("%q: %q %q", text, out, errs)
		case strings.ContainsAny(errs, "\x00\x1b"):
			t.Fatalf("%q: %q", text, errs)
		}
		if err := s.Verify(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// TestWithheld: what may not be read is not lost by those who cannot read it.
func TestWithheld(t *testing.T) {
	s := newStore(t)
	put(t, s, func(b *repo.Batch) {
		b.SetProperty(web, "config", counts("n", "1"))
		b.CreateGroup(web, "method_context", "framework", 0)
	})
	for command, want := range map[string]string{
		"addpropvalue config/n 2": "Permission denied.",
		"delpropvalue config/n 2": "Permission denied.",
		"setenv -s A 1":           "Permission denied.",
		"export -a web":           "No permission to read property group svc:/web/:properties/config.",
		"archive -a":              "No permission to read property group svc:/web/:properties/config.",
	} {
		_, errs, code := svccfg(secret{s}, "select web\n"+command+"\n")
		if code != 1 || errs != "svccfg (<stdin>, line 2): "+want+"\n" {
			t.Errorf("%s: %d %s", command, code, errs)
		}
	}
	if out, errs, code := svccfg(secret{s}, "select web\nsetprop config/n = 2\nlistprop config/n\n"); code != 0 || errs != "" || out != "config/n  count   \n" {
		t.Errorf("%d %q%s", code, out, errs)
	}
	if got := values(t, s, "n"); !slices.Equal(got, []string{"2"}) {
		t.Errorf("%v", got)
	}
}
