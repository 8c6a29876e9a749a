package tool

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
)

func TestStatGolden(t *testing.T) {
	for name, args := range map[string][]string{
		"stat": nil, "stat-a": {"-a"}, "stat-av": {"-av"}, "stat-Z": {"-Z"}, "stat-json": {"-ao", "json"},
		"stat-i": {"-i", "4,12"}, "stat-z": {"-z", "web", "-t", "process"},
	} {
		env, out, errs := host(&fake{zone: "web", statuses: webStatuses()}, &fake{zone: "mail\x1b[2J", statuses: mailStatuses()})
		if code := Main(env, "ctstat", args); code != 0 || errs.Len() > 0 {
			t.Errorf("%q: %d, %s", args, code, errs)
		}
		golden(t, name, out.Bytes())
	}
}

func TestStatJSONIsJSON(t *testing.T) {
	for _, sources := range [][]Source{nil, {&fake{statuses: webStatuses()}}, {&fake{statuses: webStatuses()}, &fake{statuses: mailStatuses()}}} {
		env, out, _ := host(sources...)
		if code := Main(env, "ctstat", []string{"-o", "json", "-a"}); code != 0 {
			t.Errorf("%d", code)
		}
		var list []map[string]any
		if err := json.Unmarshal(out.Bytes(), &list); err != nil || list == nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

func TestStatNothing(t *testing.T) {
	env, out, errs := host()
	if code := Main(env, "ctstat", nil); code != 0 || strings.Count(out.String(), "\n") != 1 || errs.Len() > 0 {
		t.Errorf("a host without a server: %d, %q, %q", code, out, errs)
	}
	env, out, errs = host()
	env.Serve = nil
	if code := Main(env, "ctstat", nil); code != 1 || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("a zone without its file system: %d, %q, %q", code, out, errs)
	}
}

// What can not be told is said, and the rest is shown.
func TestStatErrors(t *testing.T) {
	broken := &fake{zone: "mail", err: &sys.Error{Op: "ask", What: "zone mail", Errno: unix.EIO}}
	env, out, errs := host(&fake{zone: "web", statuses: webStatuses()}, broken)
	if code := Main(env, "ctstat", nil); code != 1 || !strings.Contains(out.String(), "svc") && !strings.Contains(out.String(), "12      3") {
		t.Errorf("%d, %s", code, out)
	}
	if want := "ctstat: zone 'mail': ask zone mail: input/output error\n"; errs.String() != want {
		t.Errorf("%q", errs)
	}
	broken.err = errors.New("zone 'mail': gone")
	env, _, errs = host(broken)
	if code := Main(env, "ctstat", nil); code != 1 || errs.String() != "ctstat: zone 'mail': gone\n" {
		t.Errorf("%d, %q", code, errs)
	}
	env, out, errs = host(&fake{zone: "web", statuses: webStatuses()})
	if code := Main(env, "ctstat", []string{"-i", "12 99"}); code != 1 || !strings.Contains(out.String(), "\n12 ") || errs.String() != "ctstat: contract 99: no such contract\n" {
		t.Errorf("%d, %s, %q", code, out, errs)
	}
	env.Sources = func() ([]Source, error) { return nil, errors.New("cannot list zones") }
	errs.Reset()
	if code := Main(env, "ctstat", nil); code != 1 || errs.String() != "ctstat: cannot list zones\n" {
		t.Errorf("%d, %q", code, errs)
	}
}

func TestStatUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-x"}, {"-i"}, {"-i", ""}, {"-i", "x"}, {"-i", "0"}, {"-i", "-1"}, {"-i", "1,x"}, {"-i", "2147483648"}, {"-t", "device"}, {"-t", ""}, {"-t"},
		{"-T"}, {"-T", "x"}, {"-T", "ud"}, {"-o", "xml"}, {"-o", "json", "-T", "u"}, {"-z", ""}, {"0"}, {"-1"}, {"1.5"}, {"1s"}, {"1", "0"}, {"1", "x"}, {"1", "2", "3"},
		{"99999999999999999999"}, {"--help"}, {"-\xff"}, {"-é"}, {"-:"}, {"-i", "\x1b[2J"}, {"--", "-a"},
	} {
		env, out, errs := host(&fake{statuses: webStatuses()})
		code := Main(env, "ctstat", args)
		if code != 2 || out.Len() > 0 || !strings.HasPrefix(errs.String(), "ctstat: ") || !strings.Contains(errs.String(), "\nusage: ctstat ") {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
		if strings.ContainsAny(strings.ReplaceAll(errs.String(), "\n", ""), "\x1b\xff") {
			t.Errorf("%q: unprintable: %q", args, errs)
		}
	}
}

func TestStatRepeats(t *testing.T) {
	env, out, _ := host(&fake{statuses: webStatuses()})
	if code := Main(env, "ctstat", []string{"-T", "u", "1", "2"}); code != 0 {
		t.Errorf("%d", code)
	}
	if !regexp.MustCompile(`^(\d{10,}\nCTID .*\n3 .*\n12 .*\n){2}$`).MatchString(out.String()) {
		t.Errorf("%s", out)
	}
	out.Reset()
	if code := Main(env, "ctstat", []string{"-Td"}); code != 0 || !regexp.MustCompile(`^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \S+ \d{4}\nCTID`).MatchString(out.String()) {
		t.Errorf("%d, %s", code, out)
	}
}

// failing is standard output that cannot be written.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestOutputIsGone(t *testing.T) {
	for _, name := range []string{"ctstat", "ctwatch"} {
		f := &fake{statuses: webStatuses(), events: map[contract.ID][]contract.Event{0: webEvents()}}
		env, _, errs := host(f)
		env.Out = failing{unix.ENOSPC}
		if code := Main(env, name, nil); code != 1 || errs.String() != name+": write: no space left on device\n" {
			t.Errorf("%s: %d, %q", name, code, errs)
		}
	}
}

func TestUnknownName(t *testing.T) {
	env, _, errs := host()
	if code := Main(env, "ctx", nil); code != 2 || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("%d, %q", code, errs)
	}
}
