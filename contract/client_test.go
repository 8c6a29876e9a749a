package contract

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

func TestParseWindow(t *testing.T) {
	for text, want := range map[string]window{
		"informative core\nstate active\nbirth 12 clone /ct/12/d\n": {id: 12, path: "/ct/12/d"},
		"birth 12 clone /a\\040b\\134":                              {id: 12, path: `/a b\`},
		"birth 2147483647 move\n":                                   {id: 1<<31 - 1, move: true},
		"birth 12 move /not/seen\n":                                 {id: 12, move: true, path: "/not/seen"},
	} {
		if got, ok := parseWindow(text); !ok || got != want {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "state inactive\n", "birth\n", "birth 12\n", "birth 12 clone\n", "birth 0 move\n", "birth x move\n", "birth -1 move\n", "birth 2147483648 move\n", "birth 12 fork /x\n", `birth 12 clone /\9`,
	} {
		if got, ok := parseWindow(text); ok {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func FuzzParseWindow(f *testing.F) {
	f.Add("birth 12 clone /ct/12/d\n")
	f.Fuzz(func(t *testing.T, text string) {
		if w, ok := parseWindow(text); ok && (w.id == 0 || !w.move && w.path == "") {
			t.Fatalf("%q: %+v", text, w)
		}
	})
}

// The lines of a change, applied to the terms from which it is, give those to which.
func TestAppendTerms(t *testing.T) {
	odd := Terms{
		Cookie: 1<<64 - 1, Informative: AllEvents, Critical: Empty | Core, Fatal: Core, Params: AllParams, Transfer: 9,
		FMRI: strings.Repeat("\\ \n", FMRIMax/3), Aux: "a\tb",
	}
	for _, from := range []Terms{DefaultTerms(), odd, {}} {
		for _, to := range []Terms{DefaultTerms(), odd, {}} {
			got := from
			text := string(appendTerms(nil, from, to))
			for line := range strings.Lines(text) {
				k, v, err := ParseTermLine(strings.TrimSuffix(line, "\n"))
				if err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				got.take(k, v)
			}
			if got != to {
				t.Errorf("%q makes %+v of %+v, not %+v", text, got, from, to)
			}
			if from == to && strings.Contains(text, "svc_fmri") {
				t.Errorf("what needs a privilege is written without need: %q", text)
			}
		}
	}
}

func TestGateUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"3"}, {"3", "/bin/true"}, {"x", "/bin/true", "true"}, {"-1", "/bin/true", "true"}, {"999999", "/bin/true", "true"}} {
		if code := Gate(args); code != gateUsage {
			t.Errorf("%q: %d", args, code)
		}
	}
}

// A failed clone is another try; a failed execve, or a prepared command that never came to a
// clone for a reason of its own, is none.
func TestMissed(t *testing.T) {
	cloned, exec := notCloned, -1
	for _, c := range []struct {
		pidfd *int
		err   error
		want  bool
	}{
		{&cloned, &os.PathError{Op: "fork/exec", Err: unix.EACCES}, true}, {&cloned, &os.PathError{Op: "fork/exec", Err: unix.ENODEV}, true},
		{&cloned, &os.PathError{Op: "fork/exec", Err: unix.EAGAIN}, false}, {&cloned, errors.New("no path"), false},
		{&exec, &os.PathError{Op: "fork/exec", Err: unix.EACCES}, false}, {nil, &os.PathError{Op: "fork/exec", Err: unix.EACCES}, false},
	} {
		b := &Birth{pidfd: c.pidfd}
		if b.missed(c.err) {
			t.Errorf("%v: missed without a directory", c.err)
		}
		n, err := unix.Open(".", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		b.dir = sys.Own(n)
		if got := b.missed(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
		b.close()
	}
}

// The clone's outcome is told as package syscall documents it.
func TestPidFDTellsCloneFromExec(t *testing.T) {
	b := &Birth{}
	attr := &os.ProcAttr{Sys: b.Sys(nil)}
	if _, err := os.StartProcess("/no/such/program", []string{"x"}, attr); !errors.Is(err, unix.ENOENT) || *b.pidfd != -1 {
		t.Errorf("execve: %v, %d", err, *b.pidfd)
	}
	b = &Birth{}
	with := b.Sys(&syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(os.Stdin.Fd())})
	if _, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{Sys: with}); err == nil || *b.pidfd != notCloned {
		t.Errorf("clone into what is no cgroup: %v, %d", err, *b.pidfd)
	}
	b.close()
}
