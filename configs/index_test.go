package configs

import (
	"errors"
	"strings"
	"testing"
)

const uuidA = "2f0b6a4e-1111-4222-8333-0123456789ab"

func TestIndexRoundTrip(t *testing.T) {
	const text = "# a comment, kept\n\n#\nglobal:installed:/:\nweb:installed:/zones/web:" + uuidA + "\n" +
		"   # indented\ndb:configured:\"/zones/with:colon\":\nnopath:configured::\nx.y-z_1:incomplete:/a b:" + uuidA + "\n"
	x, err := decodeIndex("index", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(x.encode()); got != text {
		t.Errorf("got:\n%s\nwant:\n%s", got, text)
	}
	entries := x.entries()
	if len(entries) != 4 || entries[1].Path != "/zones/with:colon" || entries[0].UUID != uuidA || entries[3].State != Incomplete {
		t.Errorf("%+v", entries)
	}
}

// The original leaves the last field out, and the end of the last line may be missing.
func TestIndexOfOriginal(t *testing.T) {
	x, err := decodeIndex("index", []byte("global:installed:/\nold:configured:/zones/old\nq:installed:\"/a:b\""))
	if err != nil {
		t.Fatal(err)
	}
	if e := x.entries(); len(e) != 2 || e[0].Path != "/zones/old" || e[1].Path != "/a:b" {
		t.Errorf("%+v", e)
	}
}

func TestIndexRefused(t *testing.T) {
	for _, tc := range []struct {
		text string
		line int
		why  string
	}{
		{"web\n", 1, "want name:state"},
		{"# ok\nweb:installed\n", 2, "zonepath missing"},
		{"web:running:/a:\n", 1, "allowed are configured, incomplete, installed"},
		{"web:bogus:/a:\n", 1, "allowed are"},
		{":installed:/a:\n", 1, "Bogus zone name"},
		{"-web:installed:/a:\n", 1, "Bogus zone name"},
		{"SUNWx:installed:/a:\n", 1, "reserved"},
		{strings.Repeat("x", 64) + ":installed:/a:\n", 1, "63"},
		{"web:installed:/a:\nweb:installed:/b:\n", 2, "twice"},
		{"web:installed:relative:\n", 1, "absolute"},
		{"web:installed:\"/a:b:\n", 1, "closing quote"},
		{"web:installed:\"/a\"x:\n", 1, "after the quoted"},
		{"web:installed:/a:nouuid\n", 1, "uuid"},
		{"web:installed:/a\x1b[2J:\n", 1, "printable"},
		{"web:installed:/\xff:\n", 1, "printable"},
		{"web:installed:/" + strings.Repeat("a", 5000) + ":\n", 1, "absolute"},
		{strings.Repeat("\n", indexLinesMax+1), indexLinesMax + 1, "more than"},
		{strings.Repeat("#", indexBytesMax+1), 0, "larger than"},
	} {
		_, err := decodeIndex("index", []byte(tc.text))
		var fe *FormatError
		if !errors.As(err, &fe) || fe.Line != tc.line || !strings.Contains(fe.Why, tc.why) {
			t.Errorf("%.60q: %v, want line %d: %s", tc.text, err, tc.line, tc.why)
		}
	}
}

func TestIndexEdit(t *testing.T) {
	x := newIndex()
	x.put("a", Entry{Name: "a", Path: "/a"})
	x.put("b", Entry{Name: "b", Path: "/b"})
	x.put("a", Entry{Name: "c", Path: "/c"})
	x.drop("b")
	x.drop("nobody")
	if e := x.entries(); len(e) != 1 || e[0].Name != "c" || x.find("a") >= 0 {
		t.Errorf("%+v", e)
	}
	if !strings.HasPrefix(string(x.encode()), indexHead+"global:installed:/:\n") {
		t.Errorf("%s", x.encode())
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte("# c\nglobal:installed:/\nweb:installed:\"/a:b\":" + uuidA + "\n"))
	f.Add([]byte("web:configured::\n\n#"))
	f.Add([]byte("a:b:c:d:e:f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := decodeIndex("index", data)
		if err != nil {
			return
		}
		once := x.encode()
		y, err := decodeIndex("index", once)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", data, once, err)
		}
		if twice := y.encode(); string(twice) != string(once) {
			t.Fatalf("%q, then %q", once, twice)
		}
		if len(x.entries()) != len(y.entries()) {
			t.Fatalf("%q lost a zone in %q", data, once)
		}
	})
}

func FuzzIntent(f *testing.F) {
	f.Add([]byte(`{"version":1,"files":{"index":"","a.xml":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := decodeIntent("intent", data)
		if err != nil {
			return
		}
		for name := range in.Files {
			if strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
				t.Fatalf("%q names file %q", data, name)
			}
		}
	})
}
