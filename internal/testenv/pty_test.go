package testenv

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPty(t *testing.T) {
	p := StartPty(t, exec.Command("sh", "-c", `trap 'stty size' WINCH; stty size; echo name?; read n; echo "hello $n"; while :; do sleep 0.1; done`))
	if m := p.Expect(`(\d+) (\d+)`); m[1] != "24" || m[2] != "80" {
		t.Errorf("the window has %s rows and %s columns", m[1], m[2])
	}
	p.Expect(`name\?`)
	before := p.Modes()
	p.Send("zone\n")
	p.Expect("hello zone")
	p.Resize(50, 132)
	p.Expect("50 132")
	p.Send("\x03")
	if exit := p.Wait(); exit != 128+int(syscall.SIGINT) {
		t.Errorf("exit status %d after an interrupt", exit)
	}
	if before.Lflag&syscall.ECHO == 0 {
		t.Error("the terminal does not echo")
	}
	if !strings.Contains(p.Output(), "hello zone") {
		t.Errorf("the output is %q", p.Output())
	}
}

func TestPtySaysWhatItSawInstead(t *testing.T) {
	r := &record{TB: t}
	words := r.run(func() {
		p := StartPty(r, exec.Command("echo", "something else"))
		p.Expect("what was wanted")
	})
	r.end()
	if !strings.Contains(words, "closed without") || !strings.Contains(words, "something else") {
		t.Errorf("the failure says %q", words)
	}
}

func TestPtyHangup(t *testing.T) {
	p := StartPty(t, exec.Command("sleep", "1000"))
	p.Hangup()
	if exit := p.Wait(); exit != 128+int(syscall.SIGHUP) {
		t.Errorf("exit status %d after a hangup", exit)
	}
}

// What a program started on its terminal ends with it, also when it ignores the hangup,
// and so does a process that left the session and kept the terminal.
func TestPtyEndsWithTheTest(t *testing.T) {
	for name, script := range map[string]string{
		"at once":  "trap '' HUP; sleep 1000",
		"in time":  "trap '' HUP; sleep 1000 & echo child $!.; wait",
		"departed": "setsid sh -c 'echo child $$.; exec sleep 60' & wait",
	} {
		t.Run(name, func(t *testing.T) {
			r := &record{TB: t}
			var p *Pty
			child := 0
			r.run(func() {
				p = StartPty(r, exec.Command("sh", "-c", script))
				if name != "at once" {
					child, _ = strconv.Atoi(p.Expect(`child (\d+)\.`)[1])
				}
			})
			r.end()
			if _, _, ok := readProcess(p.PID()); ok {
				t.Error("the program outlived its test")
			}
			switch name {
			case "in time":
				Eventually(t, func() bool { _, _, ok := readProcess(child); return !ok }, "the end of the program's child")
			case "departed":
				must(t, syscall.Kill(child, syscall.SIGKILL))
			}
		})
	}
}

func TestEventually(t *testing.T) {
	n := 0
	Eventually(t, func() bool { n++; return n == 3 }, "three looks")
	r := &record{TB: t}
	words := r.run(func() { EventuallyWithin(r, time.Millisecond, func() bool { return false }, "the impossible") })
	if !strings.Contains(words, "in vain for the impossible") {
		t.Errorf("the failure says %q", words)
	}
	t.Setenv("ZONES_TEST_SLOW", "2.5")
	if d := Deadline(2 * time.Second); d != 5*time.Second {
		t.Errorf("the deadline is %v", d)
	}
}

func TestProbes(t *testing.T) {
	Need(t, Cgroup2, UserNS, Fuse)
	if Has(Feature{"nothing", probePath("/nonexistent")}) {
		t.Error("a probe found what is not there")
	}
	if probeRelease(99, 0)() == nil || probeRelease(5, 4)() != nil {
		t.Error("releases are compared wrongly")
	}
	t.Setenv("CI", "true")
	r := &record{TB: t}
	words := r.run(func() { Need(r, Feature{"a miracle", probePath("/nonexistent")}) })
	if !strings.Contains(words, "a miracle is missing") || !strings.Contains(words, "in CI") {
		t.Errorf("a missing feature in CI is told as %q", words)
	}
}
