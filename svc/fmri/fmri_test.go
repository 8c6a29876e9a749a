package fmri

import (
	"errors"
	"strings"
	"testing"
)

var longest = strings.Repeat("x", NameBytesMax)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want FMRI
		says string // canonical, when it differs
	}{
		{"svc:/name", FMRI{Scheme: Service, Service: "name"}, ""},
		{"svc:/a/b:inst", FMRI{Scheme: Service, Service: "a/b", Instance: "inst"}, ""},
		{"svc://localhost/a/b:inst", FMRI{Scheme: Service, Service: "a/b", Instance: "inst"}, "svc:/a/b:inst"},
		{"svc:///a", FMRI{Scheme: Service, Service: "a"}, "svc:/a"},
		{"svc:/a/b:i/:properties/pg/prop", FMRI{Scheme: Service, Service: "a/b", Instance: "i", Group: "pg", Property: "prop"}, ""},
		{"svc:/a/b:i/:properties/pg", FMRI{Scheme: Service, Service: "a/b", Instance: "i", Group: "pg"}, ""},
		{"svc:/a/b/:properties/pg/prop", FMRI{Scheme: Service, Service: "a/b", Group: "pg", Property: "prop"}, ""},
		{"svc:/SUNW,a/com.sun,b:org.x,i", FMRI{Scheme: Service, Service: "SUNW,a/com.sun,b", Instance: "org.x,i"}, ""},
		{"svc:/" + longest + ":" + longest, FMRI{Scheme: Service, Service: longest, Instance: longest}, ""},
		{"file:///etc/passwd", FMRI{Scheme: File, Path: "/etc/passwd"}, ""},
		{"file://localhost/etc/passwd", FMRI{Scheme: File, Path: "/etc/passwd"}, "file:///etc/passwd"},
		{"file:/etc/a b", FMRI{Scheme: File, Path: "/etc/a b"}, "file:///etc/a b"},
		{"lrc:/etc/rc2_d/S90x", FMRI{Scheme: Legacy, Path: "/etc/rc2_d/S90x"}, ""},
		{"lrc://localhost/etc/rc2_d/S90x", FMRI{Scheme: Legacy, Path: "/etc/rc2_d/S90x"}, "lrc:/etc/rc2_d/S90x"},
	} {
		got, err := Parse(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v %v", c.text, got, err)
			continue
		}
		says := c.says
		if says == "" {
			says = c.text
		}
		if got.String() != says {
			t.Errorf("%s is written %s", c.text, got)
		}
	}
	if (FMRI{}).String() != "" {
		t.Error("none has a text")
	}
	f, _ := Parse("svc:/a:b/:properties/c/d")
	if f.Entity().String() != "svc:/a:b" {
		t.Errorf("entity: %v", f.Entity())
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{"", ErrSyntax},
		{"a/b", ErrSyntax},
		{"svc:", ErrSyntax},
		{"svc:/", ErrSyntax},
		{"svc:a", ErrSyntax},
		{"svc://", ErrSyntax},
		{"svc://localhost", ErrSyntax},
		{"svc://localhost/", ErrSyntax},
		{"svc://elsewhere/a", ErrScope},
		{"file://elsewhere/a", ErrScope},
		{"svc:/a:", ErrSyntax},
		{"svc:/a:b:c", ErrName},
		{"svc:/a//b", ErrName},
		{"svc:/a/", ErrName},
		{"svc:/1a", ErrName},
		{"svc:/a/1", ErrName},
		{"svc:/a b", ErrName},
		{"svc:/a\x00", ErrName},
		{"svc:/a.b", ErrName},
		{"svc:/,a", ErrName},
		{"svc:/a,", ErrName},
		{"svc:/a,b,c", ErrName},
		{"svc:/ä", ErrName},
		{"svc:/a:b/c", ErrName},
		{"svc:/a:b/:properties", ErrName},
		{"svc:/a:b/:properties/", ErrSyntax},
		{"svc:/a:b/:properties/g/", ErrSyntax},
		{"svc:/a:b/:properties//p", ErrSyntax},
		{"svc:/a:b/:properties/g/p/q", ErrName},
		{"svc:/" + longest + "x", ErrTooLong},
		{"svc:/a:" + longest + "x", ErrTooLong},
		{"file:///" + strings.Repeat("x", BytesMax), ErrTooLong},
		{"file:", ErrSyntax},
		{"file:///", ErrSyntax},
		{"file:///a\x00b", ErrSyntax},
		{"file:relative", ErrSyntax},
		{"lrc:", ErrSyntax},
		{"http://localhost/", ErrSyntax},
		{"SVC:/a", ErrSyntax},
	} {
		if f, err := Parse(c.text); !errors.Is(err, c.want) {
			t.Errorf("%q: %+v %v, want %v", c.text, f, err, c.want)
		} else if strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 200 {
			t.Errorf("%q: no line: %q", c.text, err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]error{
		"a": nil, "Ab-c_9": nil, "SUNW,x": nil, "com.sun-x,y": nil, longest: nil,
		"": ErrName, "9": ErrName, "-a": ErrName, "_a": ErrName, "a.b": ErrName, "a/b": ErrName, "a:b": ErrName,
		"1,b": ErrName, "a,9": ErrName, longest + "x": ErrTooLong,
	} {
		if err := CheckName(name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	if err := CheckService("a/b/c"); err != nil {
		t.Error(err)
	}
}

// FuzzParse: what is accepted has one canonical form, within the limits, that reads as itself.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"svc:/a/b:c/:properties/d/e", "svc://localhost/a", "file://localhost/x", "lrc:/x", "svc:/a,b", "ssh", "net*", ":default", "[a-", `\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := ParsePattern(text); err == nil {
			p.MatchInstance("network/ssh", "default")
			p.MatchService("network/ssh")
			p.MatchLegacy("/etc/rc2_d/S1")
		}
		x, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(x.String())
		if err != nil && !errors.Is(err, ErrTooLong) {
			t.Fatalf("%q gives %q: %v", text, x, err)
		}
		if err == nil && again != x {
			t.Fatalf("%q gives %+v, then %+v", text, x, again)
		}
		if x.Scheme != Service {
			return
		}
		p, err := ParsePattern(x.Entity().String())
		if err != nil || p.Kind() != Exact || !p.MatchInstance(x.Service, x.Instance) {
			t.Fatalf("%q does not match itself: %v", text, err)
		}
	})
}
