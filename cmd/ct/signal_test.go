package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// shell is a shell of the instance, with the programs on its PATH.
func (r *rig) shell(script string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = append(r.Env(), "PATH="+r.Bin+":/usr/bin:/bin")
	return cmd
}

// Signals for ctrun are its command's.
func TestSignalsArePassedOn(t *testing.T) {
	r := newRig(t)
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2} {
		file := filepath.Join(t.TempDir(), "pid")
		script := fmt.Sprintf(`trap 'exit %d' %d; echo $$ >$0; while :; do sleep 0.01; done`, int(sig), int(sig))
		b := r.start(r.Cmd("ctrun", "sh", "-c", script, file))
		number(t, file)
		must(t, b.Process.Signal(sig))
		if code := b.exit(); code != int(sig) {
			t.Errorf("%v: %d, %s", sig, code, b.err.String())
		}
	}
}

// When the command has ended and ctrun waits for those it left, a signal means ctrun.
func TestSignalWithoutCommand(t *testing.T) {
	r := newRig(t)
	for args, stays := range map[string]bool{"": true, "-o noorphan": false} {
		file := filepath.Join(t.TempDir(), "pid")
		b := r.start(r.Cmd("ctrun", append(strings.Fields(args), "sh", "-c", `sleep 1000 >/dev/null 2>&1 & echo $! >$0`, file)...))
		pid := number(t, file)
		st := r.of(pid)
		testenv.Eventually(t, func() bool { return len(r.contract(st.CTID).Members) == 1 }, "the command to end")
		// It may not have waited for its child yet, and passes the signal on to nobody.
		testenv.Eventually(t, func() bool { _ = b.Process.Signal(syscall.SIGTERM); return !b.running() }, "ctrun to end")
		if code := b.exit(); code != 128+15 {
			t.Errorf("%s: %d", args, code)
		}
		if !stays {
			testenv.Eventually(t, func() bool { return !alive(pid) }, "the other one to be killed")
			continue
		}
		testenv.Eventually(t, func() bool { return r.contract(st.CTID).State == "orphan" }, "an orphan")
		kill(t, pid, unix.SIGKILL)
	}
}

// What ctrun was started with as ignored stays so, for both.
func TestIgnoredSignals(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "pid")
	b := r.start(r.shell("trap '' HUP; exec ctrun sh -c 'echo $$ >$0; while ! test -e $0.go; do sleep 0.01; done; exit 3' " + file))
	pid := number(t, file)
	// make(1) leaves signals ignored that the C library keeps for itself, the 32nd and 33rd. The
	// shell itself blocks all for a moment while it starts sleep.
	ignored := regexp.MustCompile(`\nSigIgn:\t00000000[0-9a-f]0000001\n`)
	testenv.Eventually(t, func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		return err == nil && ignored.Match(status) && strings.Contains(string(status), "\nSigBlk:\t0000000000000000\n")
	}, "a command with one signal ignored and none blocked")
	must(t, b.Process.Signal(syscall.SIGHUP))
	must(t, os.WriteFile(file+".go", nil, 0o600))
	if code := b.exit(); code != 3 {
		t.Errorf("%d", code)
	}
}

// An interrupt from the terminal reaches the command once.
func TestInterruptFromTerminal(t *testing.T) {
	r := newRig(t)
	p := r.Pty("ctrun", "-v", "sh", "-c", `trap 'echo interrupted; n=$((n+1))' INT; echo up; while test ${n:-0} -lt 2; do sleep 0.01; done; echo $n; exit 8`)
	p.Expect(`up\r\n`)
	p.Send("\x03")
	p.Expect(`interrupted`)
	p.Send("\x03")
	p.Expect(`interrupted[^i]*2\r\n`)
	if code := p.Wait(); code != 8 {
		t.Errorf("%d: %s", code, p.Output())
	}
}

// Descriptors that ctrun was given go to its command at their numbers, and no others.
func TestDescriptors(t *testing.T) {
	r := newRig(t)
	bin := r.public()
	file := filepath.Join(bin, "file")
	must(t, os.WriteFile(file, []byte("text"), 0o644))
	const list = `cat <&5; echo; ls /proc/self/fd; cat <&9`
	with := "exec 5<" + file + " 9<" + file + "; exec "
	for _, as := range []func(*exec.Cmd) *exec.Cmd{func(c *exec.Cmd) *exec.Cmd { return c }, nobody} {
		var said []string
		for _, program := range []string{"", bin + "/ctrun "} {
			cmd := r.shell(with + program + "sh -c '" + list + "'")
			cmd.Dir = "/"
			b := r.start(as(cmd))
			if code := b.exit(); code != 0 || b.err.String() != "" {
				t.Errorf("%d, %q", code, b.err.String())
			}
			said = append(said, b.out.String())
		}
		if said[0] != said[1] || !strings.HasPrefix(said[0], "text\n0\n1\n") || !strings.HasSuffix(said[0], "\ntext") {
			t.Errorf("%q is said with ctrun, %q without", said[1], said[0])
		}
	}
}
