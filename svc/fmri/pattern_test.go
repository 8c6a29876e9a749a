package fmri

import (
	"errors"
	"strings"
	"testing"
)

// TestAbbreviations are those of smf(7), and some more.
func TestAbbreviations(t *testing.T) {
	for _, c := range []struct {
		text              string
		kind              Kind
		service, instance bool // matches network/smtp, network/smtp:sendmail
	}{
		{"svc:/network/smtp:sendmail", Exact, false, true},
		{"svc://localhost/network/smtp:sendmail", Exact, false, true},
		{"svc:/network/smtp", Exact, true, true},
		{"sendmail", Abbreviation, false, true},
		{":sendmail", Abbreviation, false, true},
		{"smtp", Abbreviation, true, true},
		{"smtp:sendmail", Abbreviation, false, true},
		{"network/smtp", Abbreviation, true, true},
		{"/network/smtp", Abbreviation, true, true},
		{"network/smtp:sendmail", Abbreviation, false, true},

		{"mail", Abbreviation, false, false},
		{"network", Abbreviation, false, false},
		{"network/smt", Abbreviation, false, false},
		{"work/smtp", Abbreviation, false, false},
		{"smtp:mail", Abbreviation, false, false},
		{":smtp", Abbreviation, false, false},
		{"svc:/smtp", Exact, false, false},
		{"svc:/network/smtp:x", Exact, false, false},
		{"file:///network/smtp", Exact, false, false},
		{"lrc:/network/smtp", Exact, false, false},

		{"*", Glob, true, true},
		{"smt?", Glob, true, true},
		{"network/*", Glob, true, true},
		{"svc:/net*", Glob, true, true},
		{"svc://localhost/net*", Glob, true, true},
		{"*:sendmail", Glob, false, true},
		{"send*", Glob, false, true},
		{"smtp:s*", Glob, false, true},
		{"sm[a-t]p", Glob, true, true},
		{"sm[!t]p", Glob, false, false},
		{"*mail", Glob, false, true},
		{"work*", Glob, false, false},
		{"*smt", Glob, false, false},
		{"file:*", Glob, false, false},
	} {
		p, err := ParsePattern(c.text)
		if err != nil || p.Kind() != c.kind {
			t.Errorf("%s: kind %d %v", c.text, p.Kind(), err)
			continue
		}
		if got := p.MatchService("network/smtp"); got != c.service {
			t.Errorf("%s: the service: %v", c.text, got)
		}
		if got := p.MatchInstance("network/smtp", "sendmail"); got != c.instance {
			t.Errorf("%s: the instance: %v", c.text, got)
		}
	}
}

func TestLegacyPatterns(t *testing.T) {
	for text, want := range map[string]bool{
		"lrc:/etc/rc2_d/S90x": true, "lrc:/etc/rc2_d/S9": false, "lrc:*": true, "*S90*": true, "S90x": true,
		"rc2_d/S90x": true, "90x*": false, "svc:/etc/rc2_d/S90x": false,
	} {
		p, err := ParsePattern(text)
		if err != nil || p.MatchLegacy("/etc/rc2_d/S90x") != want {
			t.Errorf("%s: not %v (%v)", text, want, err)
		}
	}
}

func TestPatternsRefused(t *testing.T) {
	for text, want := range map[string]error{
		"": ErrPattern, ":": ErrPattern, "a:": ErrPattern, "a b": ErrPattern, "a//b": ErrPattern, "a:b:c": ErrPattern, "/": ErrPattern,
		"svc:/a b": ErrName, "svc:/a:b/:properties/c": ErrPattern, "svc://x/a": ErrScope,
		strings.Repeat("*", BytesMax+1): ErrTooLong,
	} {
		if _, err := ParsePattern(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if p := (Pattern{}); p.MatchService("a") || p.MatchInstance("a", "b") || p.MatchLegacy("a") {
		t.Error("no pattern matches")
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "", true}, {"?", "", false},
		{"a*b*c", "a/x/b/c", true}, {"a*b*c", "a/x/c/b", false}, {"*a", "aaab", false}, {"*ab", "aab", true},
		{"[abc]", "b", true}, {"[!abc]", "b", false}, {"[^abc]", "d", true}, {"[a-c]x", "bx", true}, {"[c-a]", "b", false},
		{"[]]", "]", true}, {"[!]]", "a", true}, {"[a-]", "-", true}, {"[", "[", true}, {"[a", "[a", true}, {"[a", "a", false},
		{`\*`, "*", true}, {`\*`, "x", false}, {`\`, `\`, false}, {`[\]]`, "]", true}, {`a\bc`, "abc", true}, {`[\`, "[", false},
		{"[a-\\", "[", false}, {"?/?", "a/b", true}, {"a", "ab", false}, {"ab", "a", false},
		{strings.Repeat("*a", 300), strings.Repeat("a", 1000) + "b", false}, // not for ever
	} {
		if got := Match(c.pattern, c.text); got != c.want {
			t.Errorf("%.20q on %.20q: %v", c.pattern, c.text, got)
		}
	}
}
