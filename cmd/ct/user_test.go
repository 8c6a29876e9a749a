package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// as runs one of the public programs as nobody, to its end.
func (r *rig) as(bin, program string, args ...string) (out, errs string, code int) {
	r.t.Helper()
	cmd := r.Cmd(program, args...)
	cmd.Path = bin + "/" + program
	b := r.start(nobody(cmd))
	code = b.exit()
	return b.out.String(), b.err.String(), code
}

// cgroupOf is the path of a process's cgroup2, as the kernel tells it.
func cgroupOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	must(t, err)
	_, path, ok := strings.Cut("\n"+string(text), "\n0::")
	if !ok {
		t.Fatalf("%d is in no cgroup2:\n%s", pid, text)
	}
	return strings.TrimSpace(path)
}

// A user who is not root has contracts too: his command waits behind a gate until it is in
// its contract. What needs a privilege he is refused.
func TestOrdinaryUser(t *testing.T) {
	r := newRig(t)
	bin := r.public()
	for _, c := range []struct {
		args string
		code int
		errs string
	}{
		{"true", 0, ""}, {"sh -c 'exit 7'", 7, ""}, {"sh -c 'kill -9 $$'", 123, ""}, {"-l none true", 0, ""}, {"no-such-command", 127, "ctrun: no-such-command: not found\n"},
		{"/etc", 126, "ctrun: /etc: cannot execute: permission denied\n"}, {"/etc/passwd", 126, "ctrun: /etc/passwd: cannot execute: permission denied\n"},
		{"/none", 127, "ctrun: /none: not found\n"}, {"-c exit true", 124, "ctrun: set terms of a contract: operation not permitted\n"},
		{"-F svc:/x true", 124, "ctrun: set terms of a contract: operation not permitted\n"}, {"-f core,signal -i fork,exit true", 0, ""}, {"-r 2 -f core sh -c 'kill -SEGV $$'", 123, ""},
	} {
		if out, errs, code := r.as(bin, "ctrun", words(c.args)...); code != c.code || errs != c.errs || out != "" {
			t.Errorf("%s: %d, %q, %q", c.args, code, out, errs)
		}
	}
	// He is in a contract of his own, and in no way in another place than others.
	file := filepath.Join(bin, "pid")
	must(t, os.WriteFile(file, nil, 0o666))
	must(t, os.Chmod(file, 0o666))
	cmd := r.Cmd("ctrun", "-v", "-i", "fork", "sh", "-c", "echo $$ >"+file+"; exec sleep 1000")
	cmd.Path = bin + "/ctrun"
	b := r.start(nobody(cmd))
	pid := number(t, file)
	st := r.of(pid)
	if st.State != "owned" || st.Holder != b.Process.Pid || len(st.Members) != 1 {
		t.Errorf("%+v", st)
	}
	rootFile := filepath.Join(t.TempDir(), "pid")
	rooted := r.start(r.Cmd("ctrun", "sh", "-c", "echo $$ >$0; exec sleep 1000", rootFile))
	rootPid := number(t, rootFile)
	rootID := fmt.Sprintf("/%d/", r.of(rootPid).CTID)
	if his, roots := cgroupOf(t, pid), cgroupOf(t, rootPid); strings.Replace(his, fmt.Sprintf("/%d/", st.CTID), rootID, 1) != roots {
		t.Errorf("his contract is in %s, root's in %s", his, roots)
	}
	kill(t, rootPid, unix.SIGKILL)
	rooted.exit()
	dir, err := os.Stat(fmt.Sprintf("%s/process/%d/ctl", r.fs.Path(), st.CTID))
	must(t, err)
	if uid := statUID(dir); uid != 65534 {
		t.Errorf("its files belong to %d", uid)
	}
	// Others see it, and may not touch it.
	if out, _, code := r.as(bin, "ctstat", "-i", fmt.Sprint(st.CTID)); code != 0 || !strings.Contains(out, "owned") {
		t.Errorf("ctstat: %d, %s", code, out)
	}
	kill(t, pid, unix.SIGKILL)
	if code := b.exit(); code != 123 {
		t.Errorf("%d, %s", code, b.err.String())
	}
	if _, errs, code := r.as(bin, "ctwatch", "-r"); code != 1 || errs != "ctwatch: zone 'global': watch reliably "+r.fs.Path()+"/process/bundle: operation not permitted\n" {
		t.Errorf("ctwatch -r: %d, %q", code, errs)
	}
}

// A user sees the events of his own contracts, and not those of others.
func TestOrdinaryUserWatches(t *testing.T) {
	r := newRig(t)
	bin := r.public()
	out := &sink{}
	cmd := r.Cmd("ctwatch", "-o", "json")
	cmd.Path, cmd.Stdout = bin+"/ctwatch", out
	w := r.start(nobody(cmd))
	r.awaitOpen(w.Process.Pid, "bundle")
	r.Must("ctrun", "-c", "exit", "true")
	// His contract lives until its event was told: what is left of its events goes with it.
	stop := filepath.Join(bin, "stop")
	cmd = r.Cmd("ctrun", "-i", "exit", "sh", "-c", "(exit 3) & wait; while ! test -e "+stop+"; do sleep 0.01; done")
	cmd.Path = bin + "/ctrun"
	own := r.start(nobody(cmd))
	testenv.Eventually(t, func() bool { return strings.Contains(out.String(), "\n") }, "an event")
	must(t, os.WriteFile(stop, nil, 0o644))
	if code := own.exit(); code != 0 {
		t.Errorf("%d, %s", code, own.err.String())
	}
	for i, e := range events(t, out.String()) {
		if i == 0 && (e.Event != "exit" || e.Status != 3<<8) || e.CTID != events(t, out.String())[0].CTID {
			t.Errorf("%s", out)
		}
	}
	file := filepath.Join(t.TempDir(), "pid")
	b := r.start(r.Cmd("ctrun", "sh", "-c", "echo $$ >$0; exec sleep 1000", file))
	st := r.of(number(t, file))
	if _, errs, code := r.as(bin, "ctwatch", fmt.Sprint(st.CTID)); code != 1 || !strings.HasSuffix(errs, "permission denied\n") || strings.Count(errs, "\n") != 1 {
		t.Errorf("another's contract: %d, %q", code, errs)
	}
	kill(t, st.Members[0], unix.SIGKILL)
	b.exit()
}
