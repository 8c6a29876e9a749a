package method

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// TestKinds: what exec is.
func TestKinds(t *testing.T) {
	for exec, want := range map[string]Method{
		":true":             {Kind: Null},
		":kill":             {Kind: Kill, Signal: unix.SIGTERM},
		":kill  ":           {Kind: Kill, Signal: unix.SIGTERM},
		":kill -HUP":        {Kind: Kill, Signal: unix.SIGHUP},
		":kill\t-SIGUSR1 ":  {Kind: Kill, Signal: unix.SIGUSR1},
		":kill -9":          {Kind: Kill, Signal: unix.SIGKILL},
		":kill -64":         {Kind: Kill, Signal: 64},
		":true ":            {Kind: Exec, Command: ":true "},
		":killall":          {Kind: Exec, Command: ":killall"},
		"/bin/x start":      {Kind: Exec, Command: "/bin/x start"},
		"/bin/x %m 100%% %": {Kind: Exec, Command: "/bin/x start 100% "},
		"":                  {Kind: Exec},
	} {
		m, err := instance(grp("start", str("exec", exec))).Method("start")
		if err != nil || m.Kind != want.Kind || m.Command != want.Command || m.Signal != want.Signal {
			t.Errorf("%q: %+v, %v", exec, m, err)
		}
	}
	for _, exec := range []string{":kill HUP", ":kill -", ":kill -0", ":kill -65", ":kill -NONE", ":kill -hup", ":kill -HUP -INT", ":kill --9", ":kill -sigHUP", "a\x00b"} {
		m, err := instance(grp("stop", str("exec", exec))).Method("stop")
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrMethod) || e.Code != ExitConfig || strings.ContainsAny(e.Text, "\n\x00") || m.Kind == Kill {
			t.Errorf("%q: %+v, %v", exec, m, err)
		}
	}
}

// TestAbsent: what is not there is no failure, and what is something else is one.
func TestAbsent(t *testing.T) {
	i := instance(grp("refresh", count("timeout_seconds", "3")), grp("bad", str("exec", "a", "b")), grp("none", str("exec")), grp("number", count("exec", "1")))
	for name, want := range map[string]Kind{"start": NoGroup, "refresh": NoExec} {
		if m, err := i.Method(name); err != nil || m.Kind != want || m.Name != name {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	for _, name := range []string{"bad", "none", "number"} {
		if _, err := i.Method(name); !errors.Is(err, ErrMethod) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A string of any kind is one, and so is nothing that is looked up nowhere.
	if m, err := instance(grp("start", typed(prop.URI, "exec", "file:/x"))).Method("start"); err != nil || m.Command != "file:/x" {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := (&Instance{}).Method("start"); err != nil || m.Kind != NoGroup {
		t.Errorf("%+v, %v", m, err)
	}
	broken := errors.New("broken")
	for name, c := range map[string]failing{"start": {"start", broken}, "startd": {"startd", broken}} {
		if _, err := (&Instance{Running: c}).Method("start"); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// failing is a repository of one method of which one group cannot be read.
type failing struct {
	group string
	err   error
}

func (f failing) Group(name string) (tree.Group, error) {
	if name == f.group {
		return tree.Group{}, f.err
	}
	return Groups{grp("start", str("exec", "/bin/x %{a/b}")), grp("method_context")}.Group(name)
}

func TestTimeout(t *testing.T) {
	for _, c := range []struct {
		p      []tree.Property
		want   time.Duration
		notice bool
	}{
		{nil, 0, false},
		{[]tree.Property{count("timeout_seconds", "60")}, time.Minute, false},
		{[]tree.Property{count("timeout_seconds", "0")}, 0, false},
		{[]tree.Property{count("timeout_seconds", "18446744073709551615")}, 0, false},
		{[]tree.Property{count("timeout_seconds", "-1")}, 0, false},
		{[]tree.Property{count("timeout_seconds", "9223372036")}, 9223372036 * time.Second, false},
		{[]tree.Property{count("timeout_seconds", "9223372037")}, 0, false},
		{[]tree.Property{count("timeout_seconds", "99999999999999999999")}, 0, false},
		{[]tree.Property{typed(prop.Integer, "timeout_seconds", "60")}, 0, true},
		{[]tree.Property{str("timeout_seconds", "60")}, 0, true},
		{[]tree.Property{typed(prop.Count, "timeout_seconds", "1", "2")}, 0, true},
		{[]tree.Property{typed(prop.Count, "timeout_seconds")}, 0, false},
	} {
		m, err := instance(grp("start", append(c.p, str("exec", "x"))...)).Method("start")
		if err != nil || m.Timeout != c.want || c.notice != holds(m.Notices, "start/timeout_seconds is multi-valued or not of type count.  Using infinite timeout.") || m.Timeout < 0 {
			t.Errorf("%+v: %v %q, %v", c.p, m.Timeout, m.Notices, err)
		}
	}
}

func TestEvents(t *testing.T) {
	all := contract.Hwerr | contract.Signal | contract.Core | contract.Empty
	for _, c := range []struct {
		on, ignore string
		want       contract.Events
	}{
		{"", "", all},
		{"all", "", all},
		{"nonsense", "", all},
		{"external_fault", "", contract.Hwerr | contract.Signal},
		{"any_fault", "", contract.Hwerr | contract.Signal | contract.Core},
		{"", "core", all &^ contract.Core},
		{"", "signal", all &^ contract.Signal},
		{"", "core,signal", contract.Hwerr | contract.Empty},
		{"", "signal,core", contract.Hwerr | contract.Empty},
		{"", "core, signal", all},
		{"", "core,signal,core", all},
		{"", "hwerr", all},
		{"external_fault", "core,signal", contract.Hwerr},
	} {
		m, err := instance(grp("start", str("exec", "x"), str("restart_on", c.on)), grp("startd", str("ignore_error", c.ignore))).Method("start")
		if err != nil || m.Events != c.want {
			t.Errorf("%q without %q: %#x, %v", c.on, c.ignore, m.Events, err)
		}
	}
}

func TestTokens(t *testing.T) {
	i := instance(
		grp("application", str("name", "v"), str("many", "a b", "c;d", ""), str("none"), boolean("yes", "true"), str("a/b", "slash")),
		grp("config", str("port", "80"), str("meta", ";&()|^<>\n \t\\\"'`$x")),
	)
	i.Current = Groups{grp("config", str("port", "81"), str("new", "n")), grp("newer", str("p", "q"))}
	i.Other = func(service, instance string) (Config, Config, error) {
		switch service + ":" + instance {
		case "other:x":
			return Groups{grp("g", str("p", "running"))}, Groups{grp("g", str("p", "current"), str("q", "only"))}, nil
		case "other:":
			return nil, Groups{grp("g", str("p", "service"))}, nil
		case "broken:x":
			return nil, nil, errors.New("line one\nline two")
		}
		return nil, nil, repo.ErrNotFound
	}
	for in, want := range map[string]string{
		"%%":                               "%",
		"%":                                "",
		"a%":                               "a",
		"%%%":                              "%",
		"%r %m %s %i %f":                   "svc.startd start network/web a svc:/network/web:a",
		"%{name}":                          "v",
		"%{application/name}":              "v",
		"%{many}":                          `a\ b c\;d `,
		"%{many,}":                         `a\ b,c\;d,`,
		"%{many:}x":                        `a\ b:c\;d:x`,
		"[%{none}]":                        "[]",
		"%{yes}":                           "true",
		"%{config/port}":                   "80",
		"%{config/new} %{newer/p}":         "n q",
		"%{config/meta}":                   "\\;\\&\\(\\)\\|\\^\\<\\>\\\n\\ \\\t\\\\\\\"\\'\\`$x",
		"%{svc:/other:x/:properties/g/p}":  "running",
		"%{svc:/other:x/:properties/g/q:}": "only",
		"%{svc:/other/:properties/g/p}":    "service",
		"%{svc://localhost/other:x/:properties/g/p}":    "running",
		"%{svc:/network/web:a/:properties/config/port}": "80",
	} {
		if got, err := i.expand(in, "start"); err != nil || got != want {
			t.Errorf("%q: %q, %v, not %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"x %z":                             `Could not expand method tokens in "x %z": unknown method token.`,
		"%{name":                           `Could not expand method tokens in "%{name": parse error.`,
		"%{}":                              `Could not expand method tokens in "%{}": property "" not found.`,
		"%{,}":                             `Could not expand method tokens in "%{,}": property "" not found.`,
		"%{gone}":                          `Could not expand method tokens in "%{gone}": property "gone" not found.`,
		"%{svc:/gone:x/:properties/g/p}":   `Could not expand method tokens in "%{svc:/gone:x/:properties/g/p}": property "svc:/gone:x/:properties/g/p" not found.`,
		"%{svc:/other:x/:properties/g}":    `Could not expand method tokens in "%{svc:/other:x/:properties/g}": parse error.`,
		"%{svc:/broken:x/:properties/g/p}": `Could not expand method tokens in "%{svc:/broken:x/:properties/g/p}": line one?line two.`,
		"%\n":                              `Could not expand method tokens in "%?": unknown method token.`,
	} {
		got, err := i.expand(in, "start")
		var e *Error
		if got != "" || !errors.As(err, &e) || e.Text != want || e.Code != ExitConfig || !errors.Is(err, ErrTokens) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := (&Instance{Running: failing{"a", repo.ErrCorrupt}}).Method("start"); !errors.Is(err, repo.ErrCorrupt) {
		t.Errorf("a group that cannot be read: %v", err)
	}
}

// TestLongCommand: values that make a command too long are refused before they fill the memory.
func TestLongCommand(t *testing.T) {
	values := make([]string, 1024)
	for n := range values {
		values[n] = strings.Repeat("'", 4095)
	}
	i := instance(grp("application", str("v", values...)), grp("start", str("exec", strings.Repeat("%{v}", 1000))))
	if _, err := i.Method("start"); !errors.Is(err, ErrTokens) || len(err.Error()) > 2*textBytesMax {
		t.Errorf("%v", err)
	}
	i = instance(grp("application", str("v", strings.Repeat("x", 4000))), grp("start", str("exec", strings.Repeat("%{v}", CommandBytesMax/4000))))
	if m, err := i.Method("start"); err != nil || len(m.Command) < CommandBytesMax-4000 {
		t.Errorf("a long one: %v, %d bytes", err, len(m.Command))
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"%{a/b:} %% %m", "%{svc:/x:y/:properties/a/b,}", "%", "%{", ":kill -HUP"} {
		f.Add(s, "v'\n")
	}
	f.Fuzz(func(t *testing.T, command, value string) {
		i := instance(grp("a", str("b", value, value)), grp("start", str("exec", command)))
		m, err := i.Method("start")
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || strings.ContainsAny(e.Text, "\n\x00\x1b") {
				t.Fatalf("%q: %v", command, err)
			}
			return
		}
		if m.Kind == Exec && (len(m.Command) > CommandBytesMax+len(command) || strings.IndexByte(m.Command, 0) >= 0) {
			t.Fatalf("%q gave %q", command, m.Command)
		}
	})
}

func TestStartd(t *testing.T) {
	usual := Startd{TimeoutRetry: true, FailureCount: 10, FailurePeriod: 600 * time.Second}
	with := func(f func(*Startd)) Startd { s := usual; f(&s); return s }
	child := func(s *Startd) { s.Duration, s.FailurePeriod = Child, time.Second }
	for _, c := range []struct {
		name   string
		props  []tree.Property
		want   Startd
		notice string
	}{
		{"nothing", nil, usual, ""},
		{"contract", []tree.Property{str("duration", "contract")}, usual, ""},
		{"transient", []tree.Property{str("duration", "transient")}, with(func(s *Startd) { s.Duration = Transient }), ""},
		{"child", []tree.Property{str("duration", "child")}, with(child), ""},
		{"wait", []tree.Property{str("duration", "wait")}, with(child), ""},
		{"no duration", []tree.Property{str("duration", "Child")}, usual, "startd/duration is none of"},
		{"duration of another type", []tree.Property{count("duration", "1")}, usual, "startd/duration"},
		{"rate", []tree.Property{count("critical_failure_count", "3"), typed(prop.Integer, "critical_failure_period", "5")},
			with(func(s *Startd) { s.FailureCount, s.FailurePeriod = 3, 5*time.Second }), ""},
		{"rate of a child", []tree.Property{str("duration", "child"), count("critical_failure_period", "7")},
			with(func(s *Startd) { child(s); s.FailurePeriod = 7 * time.Second }), ""},
		{"count 0", []tree.Property{count("critical_failure_count", "0")}, usual, "from 1 to 10"},
		{"count 11", []tree.Property{count("critical_failure_count", "11")}, usual, "from 1 to 10"},
		{"period below 0", []tree.Property{typed(prop.Integer, "critical_failure_period", "-5")}, usual, "critical_failure_period is not"},
		{"switches", []tree.Property{boolean("need_session", "true"), boolean("timeout_retry", "false"), boolean("backoff", "true")},
			with(func(s *Startd) { s.NeedSession, s.TimeoutRetry, s.Backoff = true, false, true }), ""},
		{"notify", []tree.Property{str("notify", "ready")}, with(func(s *Startd) { s.Notify = true }), ""},
		{"notify of a child", []tree.Property{str("notify", "ready"), str("duration", "child")}, with(func(s *Startd) { child(s); s.Notify = true }), ""},
		{"no notify", []tree.Property{str("notify", "none")}, usual, ""},
		{"notify of a transient", []tree.Property{str("notify", "ready"), str("duration", "transient")},
			with(func(s *Startd) { s.Duration = Transient }), "startd/notify counts"},
		{"switches of another type", []tree.Property{str("need_session", "true"), str("timeout_retry", "false"), typed(prop.Boolean, "backoff", "true", "true")}, usual, ""},
		{"utmpx", []tree.Property{str("utmpx_prefix", "tt")}, with(func(s *Startd) { s.UtmpxPrefix = "tt" }), ""},
		{"long utmpx", []tree.Property{str("utmpx_prefix", "ttttt")}, usual, "startd/utmpx_prefix"},
		{"period", []tree.Property{count("period", "60"), count("jitter", "5")}, with(func(s *Startd) { s.Period, s.Jitter = time.Minute, 5*time.Second }), ""},
		{"jitter alone", []tree.Property{count("jitter", "5")}, usual, "startd/jitter counts"},
		{"period without end", []tree.Property{count("period", "18446744073709551615")}, usual, "startd/period"},
		{"directories", []tree.Property{str("runtime_directory", "a", "/run/b/c", "run/d")},
			with(func(s *Startd) { s.RuntimeDirectories = []string{"/run/a", "/run/b/c", "/run/run/d"} }), ""},
	} {
		s, err := instance(grp("startd", c.props...)).Startd()
		notices := s.Notices
		s.Notices = nil
		if err != nil || !reflect.DeepEqual(s, c.want) || (c.notice != "") != (len(notices) > 0) || c.notice != "" && !holds(notices, c.notice) {
			t.Errorf("%s: %+v %q, %v", c.name, s, notices, err)
		}
	}
	many := make([]string, runtimeMax+1)
	for n := range many {
		many[n] = "a"
	}
	for _, p := range []tree.Property{
		str("runtime_directory", ""), str("runtime_directory", "."), str("runtime_directory", "../etc"), str("runtime_directory", "a/../b"),
		str("runtime_directory", "/etc"), str("runtime_directory", "/run/"), str("runtime_directory", "/run"), str("runtime_directory", "a//b"), str("runtime_directory", "a/"),
		str("runtime_directory", strings.Repeat("x", 256)), str("runtime_directory", many...), count("runtime_directory", "1"),
		str("notify", "READY"), str("notify", ""), str("notify", "ready\n"), str("notify", "ready", "ready"), str("notify"), boolean("notify", "true"),
	} {
		s, err := instance(grp("startd", p, str("duration", "child"))).Startd()
		if !errors.Is(err, ErrMethod) || strings.Contains(err.Error(), "\n") || s.Notify || s.Duration != Child {
			t.Errorf("%s %q: %+v, %v", p.Name, p.Values, s, err)
		}
	}
	if _, err := (&Instance{Running: failing{"startd", repo.ErrCorrupt}}).Startd(); !errors.Is(err, repo.ErrCorrupt) {
		t.Error(err)
	}
}
