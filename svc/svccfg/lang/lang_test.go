package lang

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// show writes tokens so that their kinds can be seen.
func show(c *Command) string {
	var words []string
	for _, t := range c.Tokens {
		switch t.Kind {
		case Word:
			words = append(words, t.Text)
		case String:
			words = append(words, fmt.Sprintf("%q", t.Text))
		default:
			words = append(words, "<"+t.Text+">")
		}
	}
	return fmt.Sprintf("%d: %s", c.Line, strings.Join(words, " "))
}

// all gives what a whole text says, errors among it.
func all(p *Parser, final bool) (said []string) {
	for {
		c, err := p.Next(final)
		switch {
		case err != nil:
			var e *Error
			if !errors.As(err, &e) {
				return append(said, "no place: "+err.Error())
			}
			said = append(said, fmt.Sprintf("%d! %v", e.Line, err))
		case c == nil:
			return said
		default:
			said = append(said, show(c))
		}
	}
}

func TestCommands(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		" \n\t\n# nothing\n":                  "",
		"list":                                "1: list",
		"select network/ssh\n":                "1: select network/ssh",
		"list *ssh*\r\nend\r\n":               "1: list *ssh*|2: end",
		"# first\n\n  list # why\nend":        "3: list|4: end",
		"setprop a/b = count: 22":             "1: setprop a/b <=> count: 22",
		"setprop a/b=count:22":                "1: setprop a/b <=> count:22",
		`setprop a/b = astring: "x y"`:        `1: setprop a/b <=> astring: "x y"`,
		`setprop a/b = ("1" 2)`:               `1: setprop a/b <=> <(> "1" 2 <)>`,
		"setprop a/b = (1\n # more\n 2)\nend": "1: setprop a/b <=> <(> 1 2 <)>|4: end",
		"setprop a/b \\\n = 1\nend":           "1: setprop a/b <=> 1|3: end",
		`addpropvalue a/b "say \"hi\" \\ \n"`: `1: addpropvalue a/b "say \"hi\" \\ n"`,
		"setprop a/b = \"two\nlines\"\nend":   "1: setprop a/b <=> \"two\\nlines\"|3: end",
		`x ""`:                                `1: x ""`,
		"export a > /tmp/x":                   "1: export a <>> /tmp/x",
		"export a >/tmp/x":                    "1: export a <>> /tmp/x",
		"a#b":                                 "1: a#b",
		`a"b"c`:                               `1: a "b" c`,
		"import /a/b.xml /c\nimport d":        "1: import /a/b.xml /c|2: import d",
		"listprop )\nend":                     "1! Syntax error|2: end",
		"setprop a = ((1))\nend":              "1! Syntax error|2: end",
		"setprop a = (1":                      "1! parenthesis is not closed",
		"\n\nsetprop a = \"1":                 "3! quote is not closed",
		"a\x00b\nend":                         "1! zero byte in a command|2: end",
		"\"a\x00b\"\nend":                     "1! zero byte in a command|2: end",
		"= a":                                 "1: <=> a",
		strings.Repeat("w ", WordsMax+1) + "\nend":         "1! command has more than 16384 words|2: end",
		strings.Repeat("w", CommandBytesMax+2) + " x\nend": "1! command is longer than 1 MiB|2: end",
	} {
		p := NewParser()
		p.Feed(text)
		if got := strings.Join(all(p, true), "|"); got != want {
			t.Errorf("%.60q: %.200s; want %s", text, got, want)
		}
	}
}

// Text that comes byte by byte says the same, and More is true exactly within a command.
func TestPieces(t *testing.T) {
	const text = "# c\nlist a\nsetprop a/b = (\"x\ny\" # in\n 2)\nsetprop a \\\n = 3\nend\n"
	p := NewParser()
	var said []string
	for i := range len(text) {
		p.Feed(text[i : i+1])
		said = append(said, all(p, false)...)
		if text[i] != '\n' {
			continue
		}
		within := strings.HasSuffix(text[:i+1], "\"x\n") || strings.HasSuffix(text[:i+1], "# in\n") || strings.HasSuffix(text[:i+1], "\\\n")
		if p.More() != within {
			t.Errorf("after %q: more %v", text[:i+1], p.More())
		}
	}
	want := []string{"2: list a", `3: setprop a/b <=> <(> "x\ny" 2 <)>`, "6: setprop a <=> 3", "8: end"}
	if strings.Join(said, "|") != strings.Join(want, "|") {
		t.Errorf("%q, want %q", said, want)
	}
}

// A command that never ends is refused as soon as it is too long, however it comes.
func TestEndless(t *testing.T) {
	for _, begin := range []string{"a \"", "a (", "a "} {
		p := NewParser()
		p.Feed(begin)
		var err error
		for n := 0; n <= CommandBytesMax+1<<17 && err == nil; n += 1 << 16 {
			p.Feed(strings.Repeat("x", 1<<16))
			_, err = p.Next(false)
		}
		if !errors.Is(err, ErrTooLong) {
			t.Errorf("%q: %v", begin, err)
		}
		p.Feed("\nend\n")
		if said := all(p, true); len(said) == 0 || !strings.HasSuffix(said[len(said)-1], ": end") {
			t.Errorf("%q: then %q", begin, said)
		}
	}
}

func TestName(t *testing.T) {
	for text, want := range map[string]string{"list x": "list", "= x": "", `"list" x`: ""} {
		p := NewParser()
		p.Feed(text)
		c, err := p.Next(true)
		if err != nil || c.Name() != want {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
	if (&Command{}).Name() != "" {
		t.Error("a command without words has a name")
	}
}

// Whatever comes, the whole and the pieces say the same, and it ends.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{"list a\nsetprop a = (\"1\" 2)\n", "\"", "(\n)", "a \\\n b", "#\n\n=>", "\\\n\\\nx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		whole := NewParser()
		whole.Feed(text)
		want := all(whole, true)
		pieces := NewParser()
		for i := range len(text) {
			pieces.Feed(text[i : i+1])
		}
		if got := all(pieces, true); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("%q, want %q", got, want)
		}
		for _, line := range want {
			if strings.HasPrefix(line, "no place") {
				t.Fatal(line)
			}
		}
	})
}
