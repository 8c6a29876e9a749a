package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// The command's exit code, or one that says why there is none.
func TestExitCodes(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{"script": {"echo a script; exit 9\n", 0o755}, "plain": {"echo\n", 0o644}, "wrong": {"#!/no/such/interpreter\n", 0o755}, "garbage": {"\x7fELF", 0o755}} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(f.text), f.mode))
		must(t, os.Chmod(filepath.Join(dir, name), f.mode))
	}
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	for _, c := range []struct {
		args      string
		code      int
		out, errs string
	}{
		{"true", 0, "", ""}, {"false", 1, "", ""}, {"sh -c 'exit 7'", 7, "", ""}, {"sh -c 'exit 255'", 255, "", ""},
		{"echo a b", 0, "a b\n", ""}, {"-l child sh -c 'exit 7'", 7, "", ""}, {"-l none sh -c 'exit 7'", 0, "", ""},
		{"sh -c 'kill -9 $$'", 123, "", ""}, {"-l child sh -c 'kill -TERM $$'", 123, "", ""},
		{dir + "/script", 9, "a script\n", ""}, {dir + "/plain", 126, "", "ctrun: " + dir + "/plain: cannot execute: permission denied\n"},
		{dir, 126, "", "ctrun: " + dir + ": cannot execute: permission denied\n"},
		{dir + "/wrong", 127, "", "ctrun: " + dir + "/wrong: not found\n"}, {dir + "/none", 127, "", "ctrun: " + dir + "/none: not found\n"},
		{dir + "/plain/x", 127, "", "ctrun: " + dir + "/plain/x: not found\n"},
		{dir + "/loop", 126, "", "ctrun: " + dir + "/loop: cannot execute: too many levels of symbolic links\n"},
		{"-l none " + dir + "/none", 127, "", "ctrun: " + dir + "/none: not found\n"}, {"no-such-command", 127, "", "ctrun: no-such-command: not found\n"},
		{"-a 2147483000", 124, "", "ctrun: adopt contract 2147483000: no such file or directory\n"},
	} {
		out, errs, code := r.ctrun(words(c.args)...)
		if code != c.code || out != c.out || errs != c.errs {
			t.Errorf("%s: %d, %q, %q", c.args, code, out, errs)
		}
	}
	testenv.Eventually(t, func() bool { return len(r.ctstat()) == 0 }, "no contract to be left")
}

// words splits at blanks outside of single quotes.
func words(s string) (list []string) {
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			list = append(list, part)
		} else {
			list = append(list, strings.Fields(part)...)
		}
	}
	return list
}

// Each option is in the contract's status.
func TestOptions(t *testing.T) {
	r := newRig(t)
	plain := status{Zone: "global", State: "owned", Cookie: "0x0", Informative: []string{"core"}, Critical: []string{"empty", "hwerr"}, Fatal: []string{"hwerr"}, Params: []string{}, Contracts: []int{}, Creator: "ctrun"}
	for args, change := range map[string]func(*status){
		"": func(*status) {},
		"-i fork,exit -f core,signal": func(s *status) {
			s.Informative, s.Critical, s.Fatal = []string{"exit", "fork"}, []string{"core", "empty", "signal"}, []string{"core", "signal"}
		},
		"-i none -f none": func(s *status) { s.Informative, s.Critical, s.Fatal = []string{}, []string{"empty"}, []string{} },
		"-c exit":         func(s *status) { s.Critical = []string{"empty", "exit", "hwerr"} },
		"-o pgrponly -f core": func(s *status) {
			s.Critical, s.Fatal, s.Params = []string{"empty"}, []string{"core"}, []string{"pgrponly"}
		},
		"-o noorphan,regent":                 func(s *status) { s.Params = []string{"noorphan", "regent"} },
		"-l child -o noorphan":               func(s *status) { s.Params = []string{"noorphan"} },
		"-F svc:/x:y -A 'a b' -r 0 -t":       func(s *status) { s.FMRI, s.Aux = "svc:/x:y", "a b" },
		"-l none":                            func(s *status) { s.State, s.Holder = "orphan", 0 },
		"-V -l contract -r 2 -f hwerr,core ": func(s *status) { s.Critical, s.Fatal = []string{"core", "empty", "hwerr"}, []string{"core", "hwerr"} },
	} {
		file := filepath.Join(t.TempDir(), "pid")
		c := r.start(r.Cmd("ctrun", append(words(args), "sh", "-c", "echo $$ >"+file+"; exec sleep 1000 >/dev/null 2>&1")...))
		pid := number(t, file)
		got := r.of(pid)
		if args == "-l none" {
			c.exit()
			got = r.of(pid)
		}
		want := plain
		want.Holder, want.CTID, want.Members = c.Process.Pid, got.CTID, []int{pid}
		change(&want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, not\n%+v", args, got, want)
		}
		kill(t, pid, unix.SIGKILL)
		c.exit()
	}
	testenv.Eventually(t, func() bool { return len(r.ctstat()) == 0 }, "no contract to be left")
}

// A command is started again after a fatal event and after nothing else, and so many times.
func TestRestarts(t *testing.T) {
	r := newRig(t)
	self := `echo run >>$0; `
	killed := self + `sh -c 'exec 3<>"$1"; read x <&3' x "$0.fifo"`
	for name, c := range map[string]struct {
		args, script string
		runs, code   int
		kill         bool // from outside, each run
	}{
		"a core is not fatal":            {"-r 5", self + `kill -SEGV $$`, 1, 123, false},
		"a core is":                      {"-r 5 -f core", self + `kill -SEGV $$`, 5, 123, false},
		"in another process":             {"-r 2 -f core", self + `sh -c 'kill -SEGV $$'; sleep 1000`, 2, 123, false},
		"once":                           {"-r 1 -f core", self + `kill -SEGV $$`, 1, 123, false},
		"until it is well":               {"-r 0 -f core", self + `test $(wc -l <$0) -eq 4 && exit 6; kill -SEGV $$`, 4, 6, false},
		"it has just ended":              {"-r 5 -f core,signal", self + `exit 1`, 1, 1, false},
		"its own signal":                 {"-r 5 -f core,signal", self + `kill -9 $$`, 1, 123, false},
		"without -r":                     {"-f core", self + `kill -SEGV $$`, 1, 123, false},
		"a stranger's signal":            {"-r 3 -f signal", killed, 3, 123, true},
		"a stranger's, which is nothing": {"-r 3", killed, 1, 123, true},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "log")
		must(t, unix.Mkfifo(file+".fifo", 0o600))
		b := r.start(r.Cmd("ctrun", append(words(c.args), "sh", "-c", "echo $$ >$0.pid; "+c.script, file)...))
		for i := 1; c.kill && i <= c.runs; i++ {
			testenv.Eventually(t, func() bool { _, err := os.Stat(file); return err == nil && lines(t, file) == i }, "the next run")
			kill(t, number(t, file+".pid"), unix.SIGKILL)
			if i == c.runs && c.runs == 1 {
				killChildren(t, r, b.Process.Pid)
			}
		}
		code := b.exit()
		if runs := lines(t, file); runs != c.runs || code != c.code {
			t.Errorf("%s: %d runs, exit %d\n%s", name, runs, code, b.err.String())
		}
	}
	testenv.Eventually(t, func() bool { return len(r.ctstat()) == 0 }, "no contract to be left")
}

// killChildren kills who is left in the contract of an owner.
func killChildren(t *testing.T, r *rig, owner int) {
	for _, s := range r.ctstat() {
		if s.Holder == owner {
			for _, pid := range s.Members {
				if alive(pid) {
					kill(t, pid, unix.SIGKILL)
				}
			}
		}
	}
}

// What a contract has inherited goes over to the next one of a restarted command with -t, and
// is an orphan without.
func TestTransfer(t *testing.T) {
	r := newRig(t)
	exe, err := os.Executable()
	must(t, err)
	for _, transfer := range []bool{true, false} {
		dir := t.TempDir()
		args := []string{"-r", "2", "-f", "signal,core", "-o", "regent", "-V"}
		if transfer {
			args = append(args, "-t")
		}
		// The first run makes a contract that is inherited and dies of a core; the second waits.
		script := `echo $$ >$0/pid.new; mv $0/pid.new $0/pid
			test -e $0/sub && exec sleep 1000
			` + roleVariable + `=own ` + exe + ` inherit $0/sub sleep 1000 &
			while ! test -s $0/sub; do sleep 0.01; done
			kill -SEGV $$`
		b := r.start(r.Cmd("ctrun", append(args, "sh", "-c", script, dir)...))
		sub := number(t, filepath.Join(dir, "sub"))
		var outer status
		testenv.Eventually(t, func() bool {
			for _, s := range r.ctstat() {
				if s.Holder == b.Process.Pid && s.State == "owned" && len(s.Members) == 1 && slices.Equal(s.Params, []string{"regent"}) && s.CTID > sub {
					outer = s
					return true
				}
			}
			return false
		}, "the second run")
		want, holder := "orphan", 0
		if transfer {
			want, holder = "inherited", outer.CTID
		}
		// The first run's contract is given up when the second has begun.
		var got status
		testenv.Eventually(t, func() bool { got = r.contract(sub); return got.State == want && got.Holder == holder }, "the contract to be "+want)
		testenv.Eventually(t, func() bool {
			outer = r.contract(outer.CTID)
			return slices.Contains(outer.Contracts, sub) == transfer
		}, "the second run's contract to have it or not")
		if got.Cookie != "0xc0ffee" {
			t.Errorf("-t %v: %+v\n%+v\n%s", transfer, got, outer, b.err.String())
		}
		for _, pid := range append(got.Members, outer.Members...) {
			kill(t, pid, unix.SIGKILL)
		}
		if code := b.exit(); code != 123 {
			t.Errorf("-t %v: %d", transfer, code)
		}
	}
	testenv.Eventually(t, func() bool { return len(r.ctstat()) == 0 }, "no contract to be left")
}

// When ctrun ends, and what becomes of those that it leaves.
func TestLifetimes(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		args  string
		waits bool   // for the process in the background
		then  string // its contract, when ctrun has ended
	}{
		{"-l none", false, "orphan"}, {"-l child", false, "orphan"}, {"-l child -o noorphan", false, ""}, {"-l contract", true, ""}, {"", true, ""}, {"-l contract -o noorphan", true, ""},
	} {
		file := filepath.Join(t.TempDir(), "pid")
		b := r.start(r.Cmd("ctrun", append(words(c.args), "sh", "-c", `(echo $(exec sh -c 'echo $PPID') >$0; exec sleep 1000) >/dev/null 2>&1 </dev/null & while ! test -e $0.go; do sleep 0.01; done; exit 5`, file)...))
		pid := number(t, file)
		st := r.of(pid)
		must(t, os.WriteFile(file+".go", nil, 0o600)) // with -o noorphan it would be gone before it is seen
		if c.waits {
			if !b.running() {
				t.Errorf("%s: it did not wait", c.args)
			}
			kill(t, pid, unix.SIGKILL)
		}
		want := 5
		if c.args == "-l none" {
			want = 0
		}
		if code := b.exit(); code != want {
			t.Errorf("%s: exit %d", c.args, code)
		}
		if c.then == "" {
			testenv.Eventually(t, func() bool { return !alive(pid) }, fmt.Sprintf("%s: process %d to be killed", c.args, pid))
			continue
		}
		testenv.Eventually(t, func() bool { return r.contract(st.CTID).State == c.then }, c.args+" to be "+c.then)
		if !alive(pid) {
			t.Errorf("%s: process %d is dead", c.args, pid)
		}
		kill(t, pid, unix.SIGKILL)
	}
	testenv.Eventually(t, func() bool { return len(r.ctstat()) == 0 }, "no contract to be left")
}
