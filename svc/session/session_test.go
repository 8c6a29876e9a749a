package session

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/account"
)

func TestEnvironment(t *testing.T) {
	u := &account.User{Name: "alice", UID: 1001, Home: "/home/alice", Shell: "/bin/ash"}
	want := []string{"HOME=/home/alice", "SHELL=/bin/ash", "USER=alice", "LOGNAME=alice", "PATH=" + pathUser, "MAIL=/var/mail/alice", "TERM=xterm-256color"}
	if got := Environment(u, "xterm-256color"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	root := &account.User{Name: "root"}
	want = []string{"HOME=/", "SHELL=/bin/sh", "USER=root", "LOGNAME=root", "PATH=" + pathRoot, "MAIL=/var/mail/root"}
	if got := Environment(root, "x y"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, path := range []string{pathRoot, pathUser} {
		if !strings.HasPrefix(path, "/lib/svc/bin:") || strings.Contains(path, "::") {
			t.Errorf("PATH %q", path)
		}
	}
}

func TestLocale(t *testing.T) {
	in := []string{"PATH=/x", "LANG=C.UTF-8", "LC_ALL=de_DE", "TZ=UTC", "LD_PRELOAD=/evil.so", "LANGX=no", "LC_=", "ENV=/x"}
	if got, want := Locale(in), []string{"LANG=C.UTF-8", "LC_ALL=de_DE", "TZ=UTC", "LC_="}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestValidTerm(t *testing.T) {
	for term, want := range map[string]bool{
		"vt100": true, "xterm-256color": true, "screen.xterm_x+y": true,
		"": false, ".": false, "../../etc": false, "a/b": false, "a b": false, "a\n": false, "a\x1b[": false, "a%n": false, "é": false,
		strings.Repeat("x", termBytesMax): true, strings.Repeat("x", termBytesMax+1): false,
	} {
		if got := ValidTerm(term); got != want {
			t.Errorf("%q: %v", term, got)
		}
	}
}

func TestLoginName(t *testing.T) {
	for shell, want := range map[string]string{"/bin/bash": "-bash", "sh": "-sh", "/": "-/"} {
		if got := LoginName(shell); got != want {
			t.Errorf("%q: %q", shell, got)
		}
	}
}

// in points the package's files at a test's own.
func in(t *testing.T, list *[]string, files map[string]string) {
	t.Helper()
	dir, old := t.TempDir(), *list
	*list = nil
	for _, name := range []string{"first", "second"} {
		path := filepath.Join(dir, name)
		*list = append(*list, path)
		if text, ok := files[name]; ok {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() { *list = old })
}

func TestRefused(t *testing.T) {
	alice, root := &account.User{UID: 1001}, &account.User{}
	for name, c := range map[string]struct {
		files   map[string]string
		refused bool
		reason  string
	}{
		"open":    {nil, false, ""},
		"closed":  {map[string]string{"second": "upgrade until noon\n"}, true, "upgrade until noon\n"},
		"silent":  {map[string]string{"first": ""}, true, "logins are disabled in this zone"},
		"endless": {map[string]string{"first": strings.Repeat("x", noticeBytesMax+1)}, true, "logins are disabled in this zone"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, &nologinFiles, c.files)
			reason, refused := Refused(alice)
			if refused != c.refused || !strings.HasPrefix(reason, c.reason) || refused && reason == "" {
				t.Errorf("%v, %q", refused, reason)
			}
			if _, refused := Refused(root); refused {
				t.Error("root is refused")
			}
		})
	}
}

func TestGreet(t *testing.T) {
	home := t.TempDir()
	u := &account.User{Home: home}
	in(t, &motdFiles, map[string]string{"first": "dynamic\n", "second": "static\n"})
	var out strings.Builder
	Greet(&out, u)
	if out.String() != "dynamic\nstatic\n" {
		t.Errorf("%q", out.String())
	}
	if err := os.WriteFile(filepath.Join(home, ".hushlogin"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if Greet(&out, u); out.Len() != 0 {
		t.Errorf("hushed, and yet: %q", out.String())
	}
	in(t, &motdFiles, map[string]string{"first": strings.Repeat("x", noticeBytesMax+1)})
	u.Home = "/"
	if Greet(&out, u); out.Len() != 0 {
		t.Errorf("%d bytes of an endless one", out.Len())
	}
}

func TestExecFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "denied"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"nothing": ExitNotFound, "": ExitNotFound, dir + "/nothing": ExitNotFound, dir + "/denied/x": ExitNotFound,
		"denied": ExitNotExecutable, dir + "/denied": ExitNotExecutable, dir: ExitNotExecutable,
	} {
		err := Exec([]string{name}, nil, "/nowhere:"+dir)
		if got := ExitStatus(err); err == nil || got != want {
			t.Errorf("%q: %v, status %d", name, err, got)
		}
	}
	if ExitStatus(unix.E2BIG) != ExitNotExecutable {
		t.Error("E2BIG")
	}
}
