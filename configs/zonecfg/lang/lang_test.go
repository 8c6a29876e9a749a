package lang

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// show writes a command unambiguously.
func show(c *Command) string {
	s := fmt.Sprintf("%d:%s", c.Line, c.Verb)
	for _, i := range c.Items {
		switch {
		case i.Name != "":
			s += " " + i.Name + "=" + i.Value.String()
		case i.Option():
			s += " " + i.Value.Text
		default:
			s += " <" + i.Value.String() + ">"
		}
	}
	return s
}

// all reads a whole text; a mistake is shown as !line.
func all(text string) string {
	var out []string
	p := NewParser(text)
	for range 100000 {
		c, err := p.Next()
		if err != nil {
			var se *SyntaxError
			if !errors.As(err, &se) {
				return "not a SyntaxError: " + err.Error()
			}
			out = append(out, fmt.Sprintf("!%d %s", se.Line, se.Why))
			continue
		}
		if c == nil {
			return strings.Join(out, " | ")
		}
		out = append(out, show(c))
	}
	return "endless"
}

func TestParse(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", ""},
		{"\n;;\n ; \t\n", ""},
		{"info", "1:info"},
		{"info\r\nend\r\n", "1:info | 2:end"},
		{"# one\n  # two\ncommit;# three\nexit", "3:commit | 4:exit"},
		{"set zonepath=/zones/a#b", "1:set zonepath=/zones/a#b"},
		{"set bootargs=-m", "1:set bootargs=\"-m\""},
		{`set bootargs="-m verbose; x = [y]"`, `1:set bootargs="-m verbose; x = [y]"`},
		{"set  zonepath = /a ; set autoboot=true", "1:set zonepath=/a | 1:set autoboot=true"},
		{"set pool=\"\"", `1:set pool=""`},
		{"set limitpriv=default,-sys_time,!proc_info", "1:set limitpriv=\"default,-sys_time,!proc_info\""},
		{"create -F -t SUNWblank", "1:create -F -t <SUNWblank>"},
		{`create "-F"`, `1:create <"-F">`},
		{"add options [ro, nodev]", "1:add <options> <[ro,nodev]>"},
		{"set options=[]", "1:set options=[]"},
		{"set options=ro", "1:set options=ro"},
		{"set options=[ro]", "1:set options=[ro]"},
		{"add value (priv=privileged,limit=10,action=deny)", "1:add <value> <(priv=privileged,limit=10,action=deny)>"},
		{"set value=[(priv=a,limit=1,action=b),(priv=c)]", "1:set value=[(priv=a,limit=1,action=b),(priv=c)]"},
		{`add value (priv="a,b",limit=1)`, `1:add <value> <(priv="a,b",limit=1)>`},
		{"remove fs dir=/a type=lofs", "1:remove <fs> dir=/a type=lofs"},
		{`set value="say \"hi\" \\ c:\dir"`, `1:set value="say \"hi\" \\ c:\\dir"`},
		{"a,b c,d", "1:a,b <\"c,d\">"},
		{"help -?", "1:help -?"},

		{"set x=", "!1 want a value, found the end"},
		{"set x=\ninfo", "!1 want a value, found the end of the line | 2:info"},
		{"set x==y", "!1 want a value, found '='"},
		{"=x\ninfo", "!1 want a subcommand, found '=' | 2:info"},
		{`"info"`, "!1 want a subcommand, found 'info'"},
		{"set x=\"abc\ninfo", "!1 the closing quote is missing | 2:info"},
		{"set x=\"abc", "!1 the closing quote is missing"},
		{"set x=[a,b\ninfo", "!1 want ',' or ']', found the end of the line | 2:info"},
		{"set x=[a b]", "!1 want ',' or ']', found 'b'"},
		{"set x=[,]", "!1 want a value, found ','"},
		{"set x=[a,]", "!1 want a value, found ']'"},
		{"set x=[[a]]", "!1 want a value, found '['"},
		{"set x=(a)", "!1 want '=', found ')'"},
		{"set x=()", "!1 want a property name, found ')'"},
		{"set x=(a=)", "!1 want a simple value, found ')'"},
		{"set x=(a=b", "!1 want ',' or ')', found the end"},
		{"set x=(a=(b=c))", "!1 want a simple value, found '('"},
		{"info ]", "!1 want a value, found ']'"},
		{"set a=b=c", "!1 want a value, found '='"},
		{"info \xff\nend", `!1 "\xff" is not UTF-8 text | 2:end`},
		{"info \x00", "!1 a zero byte is not allowed"},
	} {
		if got := all(tc.text); got != tc.want {
			t.Errorf("%q:\n got %s\nwant %s", tc.text, got, tc.want)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("a ", itemsMax+10),
		"set x=[" + strings.Repeat("a,", itemsMax+10) + "a]",
		"set x=(" + strings.Repeat("a=b,", itemsMax+10) + "a=b)",
		strings.Repeat("#", textBytesMax+1),
	} {
		if got := all(text); !strings.Contains(got, "more than") {
			t.Errorf("%.20q...: %.100s", text, got)
		}
	}
}

func TestQuoteIsReadBack(t *testing.T) {
	for _, s := range []string{"a", "", "-F", "#x", "a b", "a=b", `"`, `\`, `\\`, `\"`, "a;b", "[a]", "(a=b)", "a,b", "äöü", "a\tb"} {
		p := NewParser("set x=" + Quote(s) + "\nset y=[" + Quote(s) + "]\nset z=(" + Quote("n"+s) + "=" + Quote(s) + ")")
		for range 3 {
			c, err := p.Next()
			if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			v := c.Items[0].Value.Elements()[0]
			got := v.Text
			if v.Kind == Complex {
				got = v.Pairs[0].Value
			}
			if got != s {
				t.Errorf("%q became %q as %s", s, got, Quote(s))
			}
		}
	}
}

func TestElements(t *testing.T) {
	if e := (Value{Text: "a"}).Elements(); len(e) != 1 || e[0].Text != "a" {
		t.Error(e)
	}
	if e := (Value{Kind: List}).Elements(); len(e) != 0 {
		t.Error(e)
	}
}

// FuzzParse: no text makes the parser panic or hang, and what was read reads the same
// when written again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"create -b\nset zonepath=/a\nadd fs\nset dir=/x\nadd options [ro,\"a=b\"]\nend\ncommit\n",
		"add value (priv=privileged,limit=1,action=deny);exit -F",
		"set x=\"a\\\"b\" # c", "set [(", "\"\n", ";;;", "a=[b,(c=d)]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := NewParser(text)
		for n := 0; ; n++ {
			if n > len(text)+1 {
				t.Fatal("endless")
			}
			c, err := p.Next()
			if err != nil {
				continue
			}
			if c == nil {
				return
			}
			again := Quote(c.Verb)
			if again != c.Verb {
				continue // a verb is never quoted
			}
			for _, i := range c.Items {
				switch {
				case i.Option():
					again += " " + i.Value.Text
				case i.Name != "":
					again += " " + Quote(i.Name) + "=" + i.Value.String()
				default:
					again += " " + i.Value.String()
				}
			}
			if strings.ContainsAny(again, "\n\r") {
				continue
			}
			d, err := NewParser(again).Next()
			if err != nil || d == nil {
				t.Fatalf("%q wrote as %q: %v", text, again, err)
			}
			d.Line = c.Line
			if show(d) != show(c) {
				t.Fatalf("%q wrote as %q: %s, was %s", text, again, show(d), show(c))
			}
		}
	})
}
