package tool

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
)

func webWatch() *fake {
	return &fake{zone: "web", events: map[contract.ID][]contract.Event{0: webEvents(), 12: webEvents()[:2], 13: webEvents()[2:3]}}
}

func TestWatchGolden(t *testing.T) {
	for name, args := range map[string][]string{
		"watch": nil, "watch-v": {"-v", "process"}, "watch-Z": {"-Z", "process", "12"}, "watch-json": {"-o", "json"}, "watch-12": {"12"},
	} {
		f := webWatch()
		env, out, errs := host(f)
		if code := Main(env, "ctwatch", args); code != 0 || errs.Len() > 0 {
			t.Errorf("%q: %d, %s", args, code, errs)
		}
		golden(t, name, out.Bytes())
		if f.closed != len(f.opened) || len(f.opened) != 1 {
			t.Errorf("%q: %d opened, %d closed", args, len(f.opened), f.closed)
		}
	}
}

func TestWatchJSONIsJSON(t *testing.T) {
	env, out, _ := host(webWatch())
	Main(env, "ctwatch", []string{"-ojson"})
	for line := range bytes.Lines(out.Bytes()) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil || e["zone"] != "web" || e["event"] == "" {
			t.Errorf("%v: %s", err, line)
		}
	}
}

func TestWatchOptions(t *testing.T) {
	for args, want := range map[string]Watch{
		"": {}, "-f": {Front: true}, "-r": {Reliable: true}, "-rf": {Front: true, Reliable: true}, "-frv process": {Front: true, Reliable: true},
	} {
		f := webWatch()
		env, _, _ := host(f)
		if code := Main(env, "ctwatch", strings.Fields(args)); code != 0 || len(f.opened) != 1 || f.opened[0] != want {
			t.Errorf("%q: %d, %+v", args, code, f.opened)
		}
	}
}

// Several contracts and several zones end up in one list.
func TestWatchMany(t *testing.T) {
	mail := &fake{zone: "mail", events: map[contract.ID][]contract.Event{0: webEvents()[3:4], 7: webEvents()[4:5]}}
	env, out, errs := host(webWatch(), mail)
	if code := Main(env, "ctwatch", []string{"7", "12", "13"}); code != 0 || strings.Count(out.String(), "\n") != 1+1+2+1 || errs.Len() > 0 {
		t.Errorf("%d, %s, %q", code, out, errs)
	}
	env, out, _ = host(webWatch(), mail)
	if code := Main(env, "ctwatch", nil); code != 0 || strings.Count(out.String(), "\n") != 1+len(webEvents())+1 {
		t.Errorf("%d, %s", code, out)
	}
	env, out, _ = host(webWatch(), mail)
	if code := Main(env, "ctwatch", []string{"-z", "mail,x"}); code != 0 || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%d, %s", code, out)
	}
}

func TestWatchErrors(t *testing.T) {
	for name, c := range map[string]struct {
		sources []Source
		args    string
		says    string
		lines   int
	}{
		"no such contract":        {[]Source{webWatch()}, "99", "ctwatch: contract 99: no such contract\n", 0},
		"one of two":              {[]Source{webWatch()}, "12 99", "ctwatch: contract 99: no such contract\n", 3},
		"no zone of that name":    {[]Source{webWatch()}, "-z mail", "ctwatch: there is nothing to watch\n", 0},
		"nothing":                 {nil, "", "ctwatch: there is nothing to watch\n", 0},
		"not allowed":             {[]Source{&fake{zone: "web", err: &sys.Error{Op: "watch reliably", What: "bundle", Errno: unix.EPERM}}}, "-r", "ctwatch: zone 'web': watch reliably bundle: operation not permitted\n", 0},
		"breaks off":              {[]Source{&fake{events: webWatch().events, end: &sys.Error{Op: "read", What: "bundle", Errno: unix.EIDRM}}}, "12", "ctwatch: read bundle: identifier removed\n", 3},
		"a line not understood":   {[]Source{&fake{events: webWatch().events, end: contract.ErrText}}, "12", "ctwatch: not understood\n", 3},
		"one zone cannot be told": {[]Source{webWatch(), &fake{zone: "mail", err: unix.EIO}}, "", "ctwatch: zone 'mail': input/output error\n", 1 + len(webEvents())},
	} {
		env, out, errs := host(c.sources...)
		code := Main(env, "ctwatch", strings.Fields(c.args))
		if code != 1 || errs.String() != c.says || strings.Count(out.String(), "\n") != c.lines {
			t.Errorf("%s: %d, %q, %s", name, code, errs, out)
		}
	}
}

func TestWatchUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-x"}, {"-o"}, {"-o", "text"}, {"-z", ""}, {"device"}, {"0"}, {"12x"}, {"-1"}, {""}, {"process", "x"}, {"\x1b[2J"}, {"99999999999"}, {"--", "-v"},
	} {
		env, out, errs := host(webWatch())
		if code := Main(env, "ctwatch", args); code != 2 || out.Len() > 0 || !strings.HasPrefix(errs.String(), "ctwatch: ") || !strings.Contains(errs.String(), "\nusage: ctwatch ") || strings.Contains(errs.String(), "\x1b") {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
}
