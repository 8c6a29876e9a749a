package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// The same programs in a zone, by root there and by somebody who is not.
func TestInZone(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse, testenv.UserNS)
	r := &rig{Zones: testenv.Instance(t), t: t}
	r.Sparse("web")
	r.Must("zoneadm", "-z", "web", "boot")
	for _, c := range []struct {
		script    string
		code      int
		out, errs string
	}{
		{"type ctrun ctstat ctwatch | sed 's/.* is //'", 0, "/lib/svc/bin/ctrun\n/lib/svc/bin/ctstat\n/lib/svc/bin/ctwatch\n", ""},
		{"ls -l /usr/bin/ctrun | sed 's/.* -> //'", 0, "/lib/svc/bin/ctrun\n", ""},
		{"ctrun true", 0, "", ""}, {"ctrun sh -c 'exit 7'", 7, "", ""}, {"ctrun sh -c 'kill -9 $$'", 123, "", ""}, {"ctrun -x", 125, "", "-"},
		{"ctrun /etc/passwd", 126, "", "ctrun: /etc/passwd: cannot execute: permission denied\n"}, {"ctrun no-such", 127, "", "ctrun: no-such: not found\n"},
		{"ctrun -r 3 -f core sh -c 'echo run; kill -SEGV $$'", 123, "run\nrun\nrun\n", ""},
		{"ctrun sh -c 'exec 5>&1; sh -c \"echo five >&5\"'", 0, "five\n", ""},
		{"(sleep 0.1; exit 3) & ctrun -l none true; wait $!", 3, "", ""},
	} {
		for _, user := range []string{"root", "nobody"} {
			script := c.script
			if user == "nobody" {
				// Of the users of a plain zone only root has a shell.
				script = `setpriv --reuid 65534 --regid 65534 --clear-groups sh -c '` + strings.ReplaceAll(script, "'", `'\''`) + `'`
			}
			out, errs, code := r.Zlogin("web", script)
			if c.errs == "-" {
				errs = c.errs
			}
			if code != c.code || out != c.out || errs != c.errs {
				t.Errorf("%s: %s: %d, %q, %q", user, c.script, code, out, errs)
			}
		}
	}
	t.Run("killer", func(t *testing.T) { killerInZone(t, r) })
	t.Run("owner", func(t *testing.T) { ownerInZone(t, r) })
}

// killerInZone: a killer from outside is outside for the zone, and named on the host.
func killerInZone(t *testing.T, r *rig) {
	inside, outside := &sink{}, &sink{}
	cmd := r.Cmd("zlogin", "web", "ctwatch -rv")
	cmd.Stdout = inside
	w := r.start(cmd)
	onHost := r.Cmd("ctwatch", "-rv", "-z", "web")
	onHost.Stdout = outside
	r.start(onHost)
	for _, s := range []*sink{inside, outside} {
		testenv.Eventually(t, func() bool { return strings.Contains(s.String(), "SUMMARY") }, "who watches")
	}
	// The contract lives until both have told: what is left of its events goes with it.
	b := r.start(r.Cmd("zlogin", "web", "ctrun -i signal sh -c 'sleep 98765; sleep 98764'"))
	pid := r.inZone("sleep 98765")
	kill(t, pid, unix.SIGKILL)
	// The zone is booting: there are events of others too.
	for s, word := range map[*sink]string{
		inside: "\tsender:                outside of the zone\n", outside: fmt.Sprintf("process %d received a fatal signal\n", pid),
	} {
		testenv.Eventually(t, func() bool { return strings.Contains(s.String(), word) }, "the event")
	}
	testenv.Eventually(t, func() bool { return strings.Contains(outside.String(), "\tsender zone:           global\n") }, "the sender")
	kill(t, r.inZone("sleep 98764"), unix.SIGTERM)
	if code := b.exit(); code != 128+15 {
		t.Errorf("%d, %s", code, b.err.String())
	}
	if text := inside.String(); strings.Contains(text, "sender pid") || regexp.MustCompile(fmt.Sprintf(`\b%d\b`, pid)).MatchString(text) {
		t.Errorf("inside:\n%s", text)
	}
	_ = w.Process.Kill()
}

// inZone waits for the process with this command line in a contract of the zone.
func (r *rig) inZone(command string) (pid int) {
	r.t.Helper()
	testenv.Eventually(r.t, func() bool {
		for _, s := range r.ctstat("-z", "web") {
			for _, m := range s.Members {
				if commandLine(m) == command {
					pid = m
				}
			}
		}
		return pid != 0
	}, command)
	return pid
}

// ownerInZone: a ctrun in the zone that is killed leaves what its terms say, also when its
// supervisor is killed first.
func ownerInZone(t *testing.T, r *rig) {
	for terms, lives := range map[string]bool{"": true, "-o noorphan": false} {
		command := fmt.Sprintf("sleep 8765%d", len(terms)) // each its own
		b := r.start(r.Cmd("zlogin", "web", "exec ctrun "+terms+" "+command+" >/dev/null 2>&1"))
		var st status
		testenv.Eventually(t, func() bool {
			for _, s := range r.ctstat("-z", "web") {
				if len(s.Members) == 1 && commandLine(s.Members[0]) == command {
					st = s
				}
			}
			return st.CTID != 0
		}, "the command")
		if st.State != "owned" || st.Holder == 0 {
			t.Fatalf("%+v", st)
		}
		r.KillZoned("web")
		kill(t, st.Holder, unix.SIGKILL)
		b.exit()
		if !lives {
			testenv.Eventually(t, func() bool { return !alive(st.Members[0]) }, "the member to be killed")
			continue
		}
		testenv.Eventually(t, func() bool {
			for _, s := range r.ctstat("-z", "web") {
				if s.CTID == st.CTID {
					return s.State == "orphan"
				}
			}
			return false
		}, "an orphan")
		if !alive(st.Members[0]) {
			t.Error("the member is dead")
		}
		kill(t, st.Members[0], unix.SIGKILL)
	}
}

// commandLine is a process's, with blanks.
func commandLine(pid int) string {
	b, _ := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "cmdline"))
	return strings.TrimRight(strings.ReplaceAll(string(b), "\x00", " "), " ")
}
