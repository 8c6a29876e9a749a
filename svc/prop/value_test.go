package prop

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

const long = "x123456789012345678901234567890123456789012345678901234567890123" // 64

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		t     Type
		texts string // each accepted as it is, or "text>canonical"
	}{
		{Boolean, "true false 1>true 0>false"},
		{Count, "0 1 18446744073709551615 007>7 0x1F>31 0XfF>255 +5>5 00>0"},
		{Integer, "0 -1 9223372036854775807 -9223372036854775808 -0x8000000000000000>-9223372036854775808 -010>-8 +5>5 -0>0"},
		{Time, "0 1 -1 1285683201.212453000 1.5>1.500000000 1.000000001 1.0>1 -0.5>-0.500000000 01>1 9223372036854775807 -0>0"},
		{Opaque, "00 0aff 0AFF>0aff"},
		{AString, "a ä \xff\xfe a\tb"},
		{UString, "a ä 日本"},
		{URI, "http://a/b?c#d mailto:x@y a/b ../a:b urn:isbn:0 http://[::1]/ a%20b file:///etc #x"},
		{FMRI, "svc:/a/b:c svc://localhost/a file:///x file://localhost/x lrc:/etc/rc2_d/S1 svc:/a:b/:properties/c/d"},
		{Host, "a a.b. 1.2.3.4 ::1 1.2.3.0/24"},
		{Hostname, "a a.b a.b. 3com.example x-y 1.a " + long[:63]},
		{NetAddress, "1.2.3.4 1.2.3.4/0 ::1 fe80::/10 ::ffff:1.2.3.4"},
		{NetAddressV4, "0.0.0.0 255.255.255.255/32"},
		{NetAddressV6, ":: ::1/128 2001:db8::1"},
	} {
		for text := range strings.SplitSeq(c.texts, " ") {
			text, want, differs := strings.Cut(text, ">")
			if !differs {
				want = text
			}
			if got, err := Canonical(c.t, text); err != nil || got != want {
				t.Errorf("%v %q: %q %v, want %q", c.t, text, got, err, want)
			}
		}
	}
	for _, kind := range []Type{AString, UString, Opaque} {
		if got, err := Canonical(kind, ""); err != nil || got != "" {
			t.Errorf("an empty %v: %q %v", kind, got, err)
		}
	}
	if got, err := Canonical(Count, " \t12"); err != nil || got != "12" {
		t.Errorf("white space before a number: %q %v", got, err)
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for _, c := range []struct {
		t     Type
		texts []string
		want  error
	}{
		{Boolean, []string{"", "yes", "True", "2", "true "}, ErrValue},
		{Count, []string{"", "x", "1 ", "1x", "0x", "0xg", "08", "+", "+-1", "0x-1", "0-1", "1_000", "1e3"}, ErrValue},
		{Count, []string{"-1", "-0", "18446744073709551616", "0x10000000000000000"}, ErrRange},
		{Integer, []string{"", "-", "--1", "1.0", "-0x"}, ErrValue},
		{Integer, []string{"9223372036854775808", "-9223372036854775809"}, ErrRange},
		{Time, []string{"", ".5", "1.", "1.x", "-", "--1", "1.-5", "1.5.5", "0x1", "+1"}, ErrValue},
		{Time, []string{"1.0000000001", "9223372036854775808"}, ErrRange},
		{Opaque, []string{"0", "0g", "0x00"}, ErrValue},
		{AString, []string{"a\x00b"}, ErrValue},
		{UString, []string{"\xff", "a\x00"}, ErrValue},
		{URI, []string{"", ":a", "1:b", "http:", "a b", "a%2", "a%zz", "a#b#c", "ä", "a\\b", "a<b>"}, ErrValue},
		{FMRI, []string{"", "a", "svc:/", "svc:/a b", "http://x", "file:x", "svc://other/a"}, ErrValue},
		{Host, []string{"", "1.2.3", "a_b", "1.2.3.4/33"}, ErrValue},
		{Hostname, []string{"", ".", "a..b", "-a", "a-", "1.2.3.4", "123", long, strings.Repeat("a.", 130) + "a"}, ErrValue},
		{NetAddress, []string{"", "1.2.3", "1.2.3.256", "1.2.3.4/33", "::1/129", "::1/", "::1/+1", "::1/0001", "fe80::1%eth0", "1.2.3.4/-1"}, ErrValue},
		{NetAddressV4, []string{"::1", "01.2.3.4"}, ErrValue},
		{NetAddressV6, []string{"1.2.3.4", ":::"}, ErrValue},
		{AString, []string{strings.Repeat("x", ValueBytesMax+1)}, ErrTooLong},
		{Invalid, []string{"x"}, ErrType},
		{typeCount, []string{"x"}, ErrType},
	} {
		for _, text := range c.texts {
			got, err := Canonical(c.t, text)
			if !errors.Is(err, c.want) {
				t.Errorf("%v %.40q: %q %v, want %v", c.t, text, got, err, c.want)
			} else if len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("%v %.40q: no line: %q", c.t, text, err)
			}
		}
	}
	if _, err := Canonical(AString, strings.Repeat("x", ValueBytesMax)); err != nil {
		t.Errorf("the longest: %v", err)
	}
}

// laws are what holds of every type and text.
func laws(t interface{ Fatalf(string, ...any) }, kind Type, text string) {
	c, err := Canonical(kind, text)
	if err != nil {
		return
	}
	again, err := Canonical(kind, c)
	if err != nil || again != c {
		t.Fatalf("%v %q is %q, and that is %q: %v", kind, text, c, again, err)
	}
	for up := kind.Parent(); up != Invalid; up = up.Parent() {
		if v, err := Canonical(up, c); err != nil || v != c {
			t.Fatalf("%v %q is no %v: %q %v", kind, c, up, v, err)
		}
	}
	if kind.Is(UString) && !utf8.ValidString(c) {
		t.Fatalf("%v %q is not UTF-8", kind, c)
	}
}

func FuzzCanonical(f *testing.F) {
	for kind := Boolean; kind < typeCount; kind++ {
		for _, text := range []string{"", "1", "-0.5", "0x1f", "a.b", "::1/64", "svc:/a:b", "http://a/%20"} {
			f.Add(uint8(kind), text)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string) { laws(t, Type(kind), text) })
}

func TestCanonicalLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := Type(rapid.IntRange(0, int(typeCount)).Draw(t, "type"))
		laws(t, kind, rapid.StringMatching(`[-+ ]?(0x)?[0-9a-f.:/]{0,12}|[a-z]{1,5}:/{0,3}[a-z/:.]{0,9}`).Draw(t, "text"))
	})
}

// TestNumbers: a number is the same in each base.
func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n")
		want := strconv.FormatUint(n, 10)
		for _, text := range []string{want, "0x" + strconv.FormatUint(n, 16), "0" + strconv.FormatUint(n, 8)} {
			if got, err := Canonical(Count, text); err != nil || got != want {
				t.Fatalf("%s is %s, want %s: %v", text, got, want, err)
			}
		}
		i := rapid.Int64().Draw(t, "i")
		if got, err := Canonical(Integer, strconv.FormatInt(i, 10)); err != nil || got != strconv.FormatInt(i, 10) {
			t.Fatalf("%d is %s: %v", i, got, err)
		}
	})
}
