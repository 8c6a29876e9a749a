package svccfg

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// typist types lines. "^C" gives the line up.
type typist struct {
	lines  []string
	before map[int]func() // done before a line is typed
	seen   *bytes.Buffer  // the terminal
	at     int
	closed bool
}

func (t *typist) ReadLine(prompt string) (string, error) {
	t.seen.WriteString(prompt)
	if do := t.before[t.at]; do != nil {
		do()
	}
	if t.at == len(t.lines) {
		t.seen.WriteString("^D\n")
		return "", io.EOF
	}
	line := t.lines[t.at]
	t.at++
	t.seen.WriteString(line + "\n")
	switch line {
	case "^C":
		return "", ErrInterrupted
	case "hangup":
		return "", errors.New("the terminal is gone")
	}
	return line, nil
}

func (t *typist) Close() error {
	t.closed = true
	return nil
}

// sit runs svccfg at a terminal, and gives what is seen there.
func sit(t *testing.T, s door.Store, person *typist) (seen, errs string, code int) {
	t.Helper()
	var screen, e bytes.Buffer
	person.seen = &screen
	env := &Env{Out: &screen, Err: &e, Open: func() (door.Store, error) { return kept{s}, nil }, Bundles: echo{},
		Terminal: func(func(string) (string, []string)) Terminal { return person }}
	code = Main(env, nil)
	if !person.closed {
		t.Error("the terminal was not given back")
	}
	return screen.String(), e.String(), code
}

func TestInteractive(t *testing.T) {
	s := newStore(t)
	seen, errs, code := sit(t, s, &typist{lines: []string{
		"select web", "setprop config/list = astring: (\"a\"", " \"b\")", "listprop config/l*", "fly", "setprop",
		"setprop config/list = count: (", "^C", "add )", "add one", "select one", "refresh", "selectsnap running", "unselect", "", "# nothing", "end", "list",
	}})
	want := `svc:> select web
svc:/web> setprop config/list = astring: ("a"
>  "b")
svc:/web> listprop config/l*
config/list  astring  "a" "b"
svc:/web> fly
Unknown command "fly".
svc:/web> setprop
Syntax error.
setprop pg/name = [type:] value
setprop pg/name = [type:] ([value...])

Set a property. Values may be in double quotes, and lists go over several lines.
svc:/web> setprop config/list = count: (
> ^C
svc:/web> add )
Syntax error.
svc:/web> add one
Instance already exists.
svc:/web> select one
svc:/web:one> refresh
svc:/web:one> selectsnap running
[running]svc:/web:one> unselect
[running]svc:/web[:one]> 
[running]svc:/web[:one]> # nothing
[running]svc:/web[:one]> end
`
	if seen != want || errs != "" || code != 0 {
		t.Errorf("%d %s\n%s", code, errs, seen)
	}
}

func TestInteractiveEnds(t *testing.T) {
	s := newStore(t)
	if seen, errs, code := sit(t, s, &typist{lines: []string{"list w*"}}); seen != "svc:> list w*\nweb\nsvc:> ^D\n" || errs != "" || code != 0 {
		t.Errorf("%d %s%s", code, errs, seen)
	}
	if seen, _, code := sit(t, s, &typist{lines: []string{"hangup"}}); !strings.HasSuffix(seen, "the terminal is gone\n") || code != 1 {
		t.Errorf("%d %s", code, seen)
	}
}

// TestInteractiveDeleted: what is selected and deleted by somebody else is told.
func TestInteractiveDeleted(t *testing.T) {
	s := newStore(t)
	seen, _, code := sit(t, s, &typist{
		lines: []string{"select web:one", "list", "listpg"},
		before: map[int]func(){
			1: func() {
				put(t, s, func(b *repo.Batch) { b.Delete(repo.Entity{Service: "web", Instance: "one"}, repo.KeepChildren) })
			},
			2: func() { put(t, s, func(b *repo.Batch) { b.Delete(web, repo.KeepChildren) }) },
		},
	})
	want := `svc:> select web:one
svc:/web:one> list
:properties
Current selection has been deleted.
svc:/web> listpg
Current selection has been deleted.
svc:> ^D
`
	if seen != want || code != 0 {
		t.Errorf("%d\n%s", code, seen)
	}
}

func TestComplete(t *testing.T) {
	store := newStore(t)
	put(t, store, func(b *repo.Batch) {
		b.Ensure(repo.Entity{Service: "network/ssh", Instance: "default"})
		b.SetProperty(web, "config", counts("port", "80"))
		b.TakeSnapshot(repo.Entity{Service: "web", Instance: "one"}, "running")
	})
	t.Chdir(t.TempDir())
	if err := errors.Join(os.WriteFile("web.xml", nil, 0o644), os.Mkdir("site", 0o755), os.WriteFile("site/a.xml", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at, line   string
		keep, want string // words with | between
	}{
		{"", "sel", "", "select |selectsnap "},
		{"", "x", "", ""},
		{"", "help unse", "help ", "unselect|unsetenv"},
		{"", "select ", "select ", "network/ssh|web"},
		{"", "delete -f n", "delete -f ", "network/ssh"},
		{"", "select svc:/w", "select ", "svc:/web|svc:/web:one"},
		{"", "export svc:/w", "export ", "svc:/web"},
		{"web", "export ", "export ", "network/ssh|web"},
		{"web", "select ", "select ", "one"},
		{"web", "select one ", "select one ", ""},
		{"web:one", "select ", "select ", ""},
		{"web", "listpg ", "listpg ", "config"},
		{"web", "listprop c", "listprop ", "config|config/port"},
		{"", "listprop ", "listprop ", ""},
		{"web", "setprop ", "setprop ", "config/port"},
		{"web", "setprop config/port ", "setprop config/port ", "= "},
		{"web", "setprop config/port = co", "setprop config/port = ", "count: "},
		{"web", "setprop config/port =net", "setprop config/port =", "net_address: |net_address_v4: |net_address_v6: "},
		{"web", "setprop config/port = count: ", "setprop config/port = count: ", ""},
		{"web", "addpropvalue config/port op", "addpropvalue config/port ", "opaque: "},
		{"web", "delpropvalue ", "delpropvalue ", "config/port"},
		{"web", `setprop config/port = "a`, `setprop config/port = "a`, ""},
		{"web:one", "revert ", "revert ", "running"},
		{"web", "revert ", "revert ", ""},
		{"", "import ", "import ", "site/|web.xml"},
		{"", "import web.xml site/", "import web.xml ", "site/a.xml"},
		{"", "apply absent/", "apply ", ""},
		{"", "archive > w", "archive > ", "web.xml"},
		{"", "set ", "set ", "-V|-v"},
		{"web", "setenv ", "setenv ", "-i |-m |-s "},
		{"", "refresh ", "refresh ", ""},
		{"", "setnotify ", "setnotify ", "-g |all|from-degraded|from-disabled|from-maintenance|from-offline|from-online|from-uninitialized|problem-diagnosed|problem-repaired|problem-resolved|problem-updated|to-degraded|to-disabled|to-maintenance|to-offline|to-online|to-uninitialized"},
		{"", "listnotify to-o", "listnotify ", "to-offline|to-online"},
		{"", "delnotify to-online,from-m", "delnotify ", "to-online,from-maintenance"},
		{"", "listnotify -g p", "listnotify -g ", ""},
		{"", "setnotify -g to-m", "setnotify -g ", "to-maintenance"},
		{"", "setnotify -g to-maintenance s", "setnotify -g to-maintenance ", "snmp:active|snmp:inactive|syslog:active|syslog:inactive"},
		{"", "setnotify all snmp:active m", "setnotify all snmp:active ", "mailto:"},
		{"", "listnotify all ", "listnotify all ", ""},
	} {
		s := &Session{env: &Env{Open: func() (door.Store, error) { return kept{store}, nil }}}
		if c.at != "" {
			if err := s.selectEntity(c.at); err != nil {
				t.Fatal(err)
			}
		}
		keep, words := s.Complete(c.line)
		if keep != c.keep || strings.Join(words, "|") != c.want {
			t.Errorf("at %q, %q: %q and %q", c.at, c.line, keep, words)
		}
	}
	s := &Session{env: &Env{Open: func() (door.Store, error) { return nil, door.ErrNoServer }}}
	if _, words := s.Complete("select "); words != nil {
		t.Errorf("without a repository there is %v", words)
	}
}
