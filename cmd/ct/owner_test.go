package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// An owner that is killed, with every combination of terms, in a regent and not; and then
// the regent goes.
func TestOwnerKilled(t *testing.T) {
	r := newRig(t)
	exe, err := os.Executable()
	must(t, err)
	for n := range 16 {
		var params []string
		for i, word := range []string{"inherit", "noorphan", "regent"} {
			if n>>i&1 != 0 {
				params = append(params, word)
			}
		}
		inherit, noorphan, inRegent := n&1 != 0, n&2 != 0, n&8 != 0
		words := strings.Join(append(params, "none")[:max(1, len(params))], ",")
		name := fmt.Sprintf("%s in regent %v", words, inRegent)
		dir := t.TempDir()
		args := []string{"-i", "none", "-f", "none", "-c", "none"}
		if inRegent {
			args = append(args, "-o", "regent")
		}
		script := roleVariable + `=own ` + exe + ` $1 $0/sub sleep 1000 & echo $! >$0/owner; exec sleep 1000`
		outer := r.start(r.Cmd("ctrun", append(args, "sh", "-c", script, dir, words)...))
		sub, owner := number(t, filepath.Join(dir, "sub")), number(t, filepath.Join(dir, "owner"))
		before := r.contract(sub)
		if before.State != "owned" || before.Holder != owner || len(before.Members) != 1 {
			t.Fatalf("%s: %+v", name, before)
		}
		member, regent := before.Members[0], r.of(owner)
		kill(t, owner, unix.SIGKILL)

		want, holder := "orphan", 0
		switch {
		case inherit && inRegent:
			want, holder = "inherited", regent.CTID
		case noorphan:
			want = ""
		}
		var got status
		testenv.Eventually(t, func() bool { got = r.contract(sub); return got.State == want }, name+" to be "+want)
		if got.Holder != holder || want != "" && !alive(member) {
			t.Errorf("%s: %+v", name, got)
		}
		// The regent's last member goes, its owner abandons it, and it is destroyed.
		for _, pid := range regent.Members {
			if pid != owner {
				kill(t, pid, unix.SIGKILL)
			}
		}
		if code := outer.exit(); code != 123 {
			t.Errorf("%s: the outer one: %d, %s", name, code, outer.err.String())
		}
		if noorphan {
			testenv.Eventually(t, func() bool { return !alive(member) && r.contract(sub).State == "" }, name+": the member to be killed")
			continue
		}
		testenv.Eventually(t, func() bool { return r.contract(sub).State == "orphan" }, name+" to be an orphan")
		kill(t, member, unix.SIGKILL)
	}
	testenv.Eventually(t, func() bool { return len(r.ctstat()) == 0 }, "no contract to be left")
}

// ctrun -a goes on where one that was killed has stopped.
func TestAdopt(t *testing.T) {
	r := newRig(t)
	exe, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	script := roleVariable + `=own ` + exe + ` inherit $0/sub sleep 1000 & echo $! >$0/owner
		while ! test -e $0/go; do sleep 0.01; done
		` + r.Bin + `/ctrun -V -a $(cat $0/sub) 2>$0/words & echo $! >$0/second; wait $!; echo $? >$0/code; exec sleep 1000`
	outer := r.start(r.Cmd("ctrun", "-o", "regent", "sh", "-c", script, dir))
	file := func(name string) string { return filepath.Join(dir, name) }
	sub, owner := number(t, file("sub")), number(t, file("owner"))
	// Who is not a member of the regent cannot.
	kill(t, owner, unix.SIGKILL)
	testenv.Eventually(t, func() bool { return r.contract(sub).State == "inherited" }, "the contract to be inherited")
	if _, errs, code := r.ctrun("-a", fmt.Sprint(sub)); code != 124 || errs != fmt.Sprintf("ctrun: adopt contract %d: permission denied\n", sub) {
		t.Errorf("a stranger: %d, %q", code, errs)
	}
	must(t, os.WriteFile(file("go"), nil, 0o600))
	second := number(t, file("second"))
	testenv.Eventually(t, func() bool { s := r.contract(sub); return s.State == "owned" && s.Holder == second }, "the contract to be adopted")
	for _, pid := range r.contract(sub).Members {
		kill(t, pid, unix.SIGKILL)
	}
	if code := number(t, file("code")); code != 0 {
		t.Errorf("ctrun -a: %d", code)
	}
	said, err := os.ReadFile(file("words"))
	must(t, err)
	for _, want := range []string{"adopted", "contract empty"} {
		if !strings.Contains(string(said), fmt.Sprintf("ctrun: contract %d: %s\n", sub, want)) {
			t.Errorf("it said\n%s", said)
		}
	}
	killChildren(t, r, outer.Process.Pid)
	outer.exit()
}

// A birth that misses its moment is tried again, and waits behind a gate at last.
func TestLateBirth(t *testing.T) {
	r := newRig(t)
	exe, err := os.Executable()
	must(t, err)
	cmd := r.Cmd("ctrun", "sh", "-c", "echo unused")
	cmd.Path, cmd.Args = exe, []string{exe, "sleep", "1000"}
	cmd.Env = append(cmd.Env, roleVariable+"=late")
	b := r.start(cmd)
	b.exit()
	var tries, id, pid int
	var ids [5]int
	if _, err := fmt.Sscan(b.out.String(), &tries, &ids[0], &ids[1], &ids[2], &ids[3], &ids[4], &id, &pid); err != nil || tries != 5 || id != ids[4] || !slices.IsSorted(ids[:]) {
		t.Errorf("%v: %q, %q", err, b.out.String(), b.err.String())
	}
	var st status
	testenv.Eventually(t, func() bool { st = r.of(pid); return st.State == "orphan" }, "the owner's death to be told")
	if st.CTID != id {
		t.Errorf("%+v", st)
	}
	kill(t, pid, unix.SIGKILL)
	testenv.Eventually(t, func() bool { return len(r.ctstat("-a")) == 0 }, "no contract to be left")
}
