package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/method"
)

func TestWords(t *testing.T) {
	for command, want := range map[string][]string{
		"/bin/true":                         {"/bin/true"},
		"  /lib/svc/method/x-1  start\t-v ": {"/lib/svc/method/x-1", "start", "-v"},
		"/a/b:c@d,e+f%g_h -x --y /z":        {"/a/b:c@d,e+f%g_h", "-x", "--y", "/z"},
		"":                                  nil,
		"  ":                                nil,
		"true":                              nil, // the shell looks for it, or has it
		"./x":                               nil,
		"-a /x":                             nil,
		"/x A=b":                            nil, // harmless, and not worth a thought
		"A=b /x":                            nil,
		"/x ~":                              nil,
		"/x *":                              nil,
		"/x a?":                             nil,
		"/x [a]":                            nil,
		"/x {a,b}":                          nil,
		"/x $y":                             nil,
		"/x `y`":                            nil,
		"/x 'y'":                            nil,
		`/x "y"`:                            nil,
		`/x \\y`:                            nil,
		"/x #y":                             nil,
		"/x !y":                             nil,
		"/x ^y":                             nil,
		"/x &":                              nil,
		"/x; y":                             nil,
		"/x | y":                            nil,
		"/x >y":                             nil,
		"/x <y":                             nil,
		"/x (y)":                            nil,
		"/x\ny":                             nil,
		"/x\ry":                             nil,
		"/x\vy":                             nil,
		"/x \u00a0y":                        nil,
		"/x \xff":                           nil,
		"/x \x00":                           nil,
	} {
		if got := words(command); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", command, got, want)
		}
	}
}

// FuzzWords: what is taken apart without a shell is what a shell makes of it.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"/bin/true", "/a  b\tc", " /a:b -% @,+ _", "/a ~", "/a=b", "/a\nb", "/a 2>b", "/-- --", "//", "/. .."} {
		f.Add(s)
	}
	shells := []string{"/bin/sh"}
	for _, s := range []string{"/bin/bash", "/bin/busybox"} {
		if _, err := os.Stat(s); err == nil {
			shells = append(shells, s)
		}
	}
	f.Fuzz(func(t *testing.T, command string) {
		list := words(command)
		if list == nil {
			return
		}
		want := strings.Join(list, "\n") + "\n"
		for _, s := range shells {
			args := []string{"-c", "printf '%s\\n' " + command}
			if s == "/bin/busybox" {
				args = append([]string{"sh"}, args...)
			}
			cmd := exec.Command(s, args...)
			cmd.Dir = t.TempDir()
			if out, err := cmd.Output(); err != nil || string(out) != want {
				t.Errorf("%s: %q is %q, %v; %q", s, command, out, err, want)
			}
		}
	})
}

// TestBare: a command of plain words is executed without a shell, and nobody can tell: but for the
// shell, which need not be there.
func TestBare(t *testing.T) {
	r := newRig(t)
	if r == nil {
		return
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), mode))
		must(t, os.Chmod(path, mode))
		return path
	}
	must(t, os.Symlink(dir, dir+"/link"))
	contexts := []method.Context{{}, {Dir: "/"}, {Dir: dir + "/link"}, user(dir, 7)}
	for _, command := range []string{
		"/usr/bin/env", "/bin/pwd", "/usr/bin/id", file("args", "#!/bin/sh\necho $# \"$1\" \"$2\"\n", 0o755) + "  a\t-b:c ",
		file("status", "#!/bin/sh\nexit 95\n", 0o755), file("killed", "#!/bin/sh\nkill -9 $$\n", 0o755),
		file("no-line", "echo plain\n", 0o755), file("empty", "", 0o755), file("no-mode", "#!/bin/sh\n", 0o644), file("mine", "#!/bin/sh\necho me\n", 0o700),
		file("no-interpreter", "#!/no/such/interpreter\n", 0o755), file("interpreted", "#!"+dir+"/args\n", 0o755),
		file("argument", "#!/bin/echo an argument\n", 0o755), file("unended", "#!/bin/echo", 0o755),
		file("itself", "#!"+dir+"/itself\n", 0o755), file("broken", "\x7fELF and no more", 0o755), file("half", "#!", 0o755),
		dir, "/no/such/program", dir + "/args/below", "/dev/null", dir + "/link/args x",
	} {
		for _, c := range contexts {
			m := r.method(command, c)
			status, text := r.run(m)
			m.Command += " $nothing" // which only a shell makes nothing of
			want, said := r.run(m)
			if status != want || sorted(text) != sorted(said) {
				t.Errorf("%q as %+v: %v %q, by a shell %v %q", command, c, status, text, want, said)
			}
		}
	}
	must(t, unix.Mkfifo(dir+"/fifo", 0o777))
	if r.l.executable(dir + "/fifo") {
		t.Error("a pipe is executable")
	}
	r.l.shell = "/no/shell"
	r.l.near(0)
	for command, want := range map[string]string{"/bin/echo here": "here", dir + "/args a b": "2 a b"} {
		r.warm(command)
		if status, text := r.run(r.method(command, method.Context{Dir: "/"})); status != 0 || strings.TrimSpace(text) != want {
			t.Errorf("%q without a shell: %v %q", command, status, text)
		}
	}
	m := r.method("/usr/bin/env", method.Context{Dir: "/"})
	m.Env = append(m.Env, "PWD=/somewhere") // a shell is asked what is right
	if status, _ := r.run(m); status.ExitStatus() != method.ExitShell {
		t.Errorf("with PWD: %v", status)
	}
}

// warm has the kernel know where a command is.
func (r *rig) warm(command string) {
	r.t.Helper()
	if r.l.bare(command); len(words(command)) == 0 {
		r.t.Fatalf("%q", command)
	}
	_, err := os.Stat(words(command)[0])
	must(r.t, err)
}

func sorted(text string) string {
	list := strings.Split(text, "\n")
	sort.Strings(list)
	return strings.Join(list, "\n")
}
