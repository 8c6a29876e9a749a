package smf

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// room is a root directory with our files at their places, a shell, a few tools, and no daemon
// but those that a test puts there. Nothing of the host's is seen from in there.
type room struct {
	t     testing.TB
	dir   string
	shell string
	// alone: what runs sees no process of the host's, so that not even a mistake signals one.
	alone bool
}

// toolName is the program behind the tools: not busybox, which methods look for.
const toolName = "tools"

var shellNames = []string{"dash", "busybox"}

// inRooms runs a test with each of the shells that a zone's /bin/sh may be.
func inRooms(t *testing.T, test func(t *testing.T, r *room)) {
	t.Helper()
	testenv.NeedRoot(t)
	for _, shell := range shellNames {
		t.Run(shell, func(t *testing.T) { test(t, newRoom(t, shell)) })
	}
}

func newRoom(t testing.TB, shell string) *room {
	t.Helper()
	r := &room{t: t, dir: testenv.BusyboxRoot(t), shell: shell}
	must(t, os.Rename(r.path("/bin/busybox"), r.path("/bin/"+toolName)))
	names, err := os.ReadDir(r.path("/bin"))
	must(t, err)
	tools := []string{"readlink", "chgrp", "tee"}
	for _, n := range names {
		if n.Name() != toolName {
			tools = append(tools, n.Name())
		}
	}
	for _, name := range tools {
		os.Remove(r.path("/bin/" + name))
		must(t, os.Symlink(toolName, r.path("/bin/"+name)))
	}
	os.Remove(r.path("/sbin/init"))
	os.Remove(r.path("/bin/ip")) // a test brings it
	if shell == "dash" {
		r.dash()
	}
	for _, d := range []string{"/lib/svc/bin", "/var/log", "/etc/svc/volatile", "/sys/class/net/lo", "/proc/sys/net/ipv4", "/proc/sys/kernel"} {
		must(t, os.MkdirAll(r.path(d), 0o755))
	}
	r.write("/dev/null", "") // as good as one, for what methods do with it; devices may not work here
	must(t, os.Chmod(r.path("/dev/null"), 0o666))
	for _, d := range []string{"method", "share"} {
		must(t, os.CopyFS(r.path("/lib/svc/"+d), os.DirFS(d)))
	}
	return r
}

// dash makes it the room's /bin/sh, with what it is linked with.
func (r *room) dash() {
	r.t.Helper()
	program, err := exec.LookPath("dash")
	must(r.t, err)
	out, err := exec.Command("ldd", program).Output()
	must(r.t, err)
	must(r.t, os.Remove(r.path("/bin/sh")))
	copyFile(r.t, program, r.path("/bin/sh"))
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") {
			copyFile(r.t, word, r.path(word))
		}
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(to), 0o755))
	must(t, os.WriteFile(to, data, 0o755))
}

func (r *room) path(name string) string { return filepath.Join(r.dir, name) }

func (r *room) write(name, content string) {
	r.t.Helper()
	must(r.t, os.MkdirAll(filepath.Dir(r.path(name)), 0o755))
	must(r.t, os.WriteFile(r.path(name), []byte(content), 0o644))
}

// program puts a program into the room that says how it was called, at the line's end whether
// a method's environment has come to it, which no daemon should have; then it does what body
// says.
func (r *room) program(name, body string) {
	r.t.Helper()
	r.write(name, "#!/bin/sh\necho \"RAN $0 $*${SMF_FMRI:+ [as a method]}\"\n"+body+"\n")
	must(r.t, os.Chmod(r.path(name), 0o755))
}

// result is what came of a run: all its output, and its status.
type result struct {
	out    string
	status int
}

// deadline is for what must not wait for anything, on a machine that does.
var deadline = testenv.Deadline(time.Minute)

// as runs a program of the room.
func (r *room) as(uid uint32, args ...string) result {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin", "SMF_FMRI=svc:/site/x:default", "SMF_METHOD=start", "SMF_RESTARTER=svc:/system/svc/restarter:default", "SMF_ZONENAME=web"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir, Setpgid: true, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if r.alone {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("%q: %v, %v\n%s", args, err, ctx.Err(), out.String())
	}
	return result{out.String(), cmd.ProcessState.ExitCode()}
}

func (r *room) run(args ...string) result {
	r.t.Helper()
	return r.as(0, args...)
}

// include runs commands after smf_include.sh.
func (r *room) include(commands string) result {
	r.t.Helper()
	return r.run("/bin/sh", "-euc", ". /lib/svc/share/smf_include.sh; PATH=/bin; "+commands)
}

// want checks a run: its status, and what is in its output; a '-' before it is what is not.
func (r *room) want(what string, got result, status int, said ...string) {
	r.t.Helper()
	if got.status != status {
		r.t.Errorf("%s: status %d, not %d\n%s", what, got.status, status, got.out)
	}
	for _, s := range said {
		not, isNot := strings.CutPrefix(s, "-")
		if isNot && strings.Contains(got.out, not) || !isNot && !strings.Contains(got.out, s) {
			r.t.Errorf("%s: wanted %q in\n%s", what, s, got.out)
		}
	}
}
