package server

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

const freshTemplate = "informative core signal\ncritical empty hwerr\nfatal hwerr\nparams none\ncookie 0x0\ntransfer 0\nsvc_fmri inherit:\nsvc_aux \nstate inactive\n"

// A template's text is written and read; it is one open file's, and survives the server.
func TestTemplate(t *testing.T) {
	for _, between := range []string{"", "restart"} {
		t.Run(between, func(t *testing.T) {
			r := startRig(t, withBPF)
			a := r.agent(1001)
			fd, other := a.open("process/template", unix.O_RDWR), a.open("process/template", unix.O_RDONLY)
			for _, c := range []struct {
				text string
				want unix.Errno
			}{
				{"params inherit,noorphan\n", 0},
				{"cookie 010\nfatal core,signal\n", 0},
				{"critical core empty", 0},
				{"svc_aux some thing\\040else\n", 0},
				{"cookie 9\nnonsense 3\n", unix.EINVAL},
				{"cookie 9\nnonsense 3\nactivate\n", unix.EINVAL},
				{"cookie 9\nfatal exit\nactivate\n", unix.EINVAL},
				{"cookie 9\nactivate now\n", unix.EINVAL},
				{"cookie 9\nclear\n", unix.EINVAL},
				{"activate\ncookie 9\n", unix.EINVAL},
				{"activate now", unix.EINVAL},
				{"born", unix.EINVAL},
				{"born 0", unix.EINVAL},
				{"born -4", unix.EINVAL},
				{"born 5000000000", unix.EINVAL},
				{"born 77", unix.EINVAL},
				{"create", unix.EINVAL},
				{"clear", 0},
				{"clear\n\n", 0},
				{"\n", unix.EINVAL},
				{"fatal exit\n", unix.EINVAL},
				{"critical signal exit", unix.EPERM},
				{"svc_fmri svc:/x\n", unix.EPERM},
				{"transfer 1", unix.EACCES},
				{"transfer 99", unix.ESRCH},
				{strings.Repeat("cookie 3\n", 500), unix.EMSGSIZE},
				{strings.Repeat("x", 100_000), unix.EMSGSIZE},
				{strings.Repeat("cookie 4\n", 455), 0}, // 4095 bytes
				{"cookie 5\n", 0},
				{"state active\n", unix.EINVAL},
				{"informative \x00", unix.EINVAL},
			} {
				if between != "" {
					r.reopen()
				}
				if e := a.write(fd, c.text); e != c.want {
					t.Errorf("%.40q: %v, want %v", c.text, e, c.want)
				}
			}
			want := "informative core hwerr signal\ncritical core empty\nfatal core signal\nparams inherit noorphan\ncookie 0x5\ntransfer 0\n" +
				"svc_fmri inherit:\nsvc_aux some\\040thing\\040else\nstate inactive\n"
			if got := a.text(fd); got != want {
				t.Errorf("the template is\n%swant\n%s", got, want)
			}
			if got := a.text(other); got != freshTemplate {
				t.Errorf("another template is\n%s", got)
			}
			if w := a.ask(ask{Do: "pread", N: fd, M: len(want) - 9}); w.Text != "inactive\n" {
				t.Errorf("the end of the template: %+v", w)
			}
			if w := a.ask(ask{Do: "pread", N: fd, M: len(want)}); w.Text != "" || w.Errno != 0 {
				t.Errorf("behind the template: %+v", w)
			}
		})
	}
}

// Shell redirections open and empty a template or a ctl file.
func TestTemplateByShell(t *testing.T) {
	r := startRig(t, withBPF)
	out, code := r.sh(0, "exec 3<>process/template; echo 'cookie 0x12' >&3; echo 'params regent' >&3; head -5 <&3; echo clear >process/template; cat process/template")
	if code != 0 || !strings.Contains(out, "cookie 0x12\n") || !strings.HasSuffix(out, freshTemplate) {
		t.Errorf("%d %s", code, out)
	}
	if out, code := r.sh(0, "echo activate > process/template"); code != 0 {
		t.Errorf("%d %s", code, out)
	}
	// Its end is the end of the contract that waited.
	testenv.Eventually(t, func() bool { return !exists(r.root + "/ct/2") }, "the directory of a birth that nobody wants any more to go")
}

// The steps of a birth by hand, the first member born by clone3 in the directory that the
// template names; killed between all of them.
func TestBirthByHand(t *testing.T) {
	longWindows(t)
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarts %v", restarts), func(t *testing.T) {
			r := startRig(t, withBPF)
			step := func() {
				if restarts {
					r.reopen()
				}
			}
			a := r.agent(0)
			fd := a.open("process/template", unix.O_RDWR)
			if e := a.write(fd, "cookie 0xab\ncritical empty\n"); e != 0 {
				t.Fatal(e)
			}
			step()
			if e := a.write(fd, "activate"); e != 0 {
				t.Fatal(e)
			}
			if e := a.write(fd, "activate"); e != unix.EBUSY && e != unix.EAGAIN {
				t.Errorf("a second activation: %v", e)
			}
			step()
			text := a.text(fd)
			if !strings.HasSuffix(text, "state active\nbirth 2 clone /ct/2/d\n") {
				t.Fatalf("the active template is\n%s", text)
			}
			w := a.ask(ask{Do: "fork", Text: "/ct/2/d", Argv: []string{"/bin/sleep", "1000"}})
			if w.Errno != 0 {
				t.Fatalf("born in the window: %+v", w)
			}
			step()
			if e := a.write(fd, fmt.Sprintf("born %d", w.N)); e != 0 {
				t.Errorf("born: %v", e)
			}
			step()
			if e := a.write(fd, fmt.Sprintf("born %d", w.N)); e != 0 && e != unix.EINVAL {
				t.Errorf("born again: %v", e)
			}
			r.await(2, "state", "owned")
			r.await(2, "members", fmt.Sprint(w.N))
			r.await(2, "cookie", "0xab")
			initial := r.status(2, "initial")
			if pid, start, _ := strings.Cut(initial, " "); pid != fmt.Sprint(w.N) || start == "" {
				t.Errorf("the first member is told as %q, it is %d", initial, w.N)
			}
			if text := a.text(fd); !strings.HasSuffix(text, "state inactive\n") {
				t.Errorf("the template after the birth is\n%s", text)
			}
			// The window is closed.
			if w := a.ask(ask{Do: "fork", Text: "/ct/2/d", Argv: []string{"/bin/true"}}); unix.Errno(w.Errno) != unix.EACCES {
				t.Errorf("born behind the window: %+v", w)
			}
			if w := a.ask(ask{Do: "fork", Text: "/", Argv: []string{"/bin/true"}}); unix.Errno(w.Errno) != unix.EACCES {
				t.Errorf("born in the zone's root: %+v", w)
			}
			a.must(ask{Do: "kill", N: w.N, M: int(unix.SIGKILL)})
			a.must(ask{Do: "wait", N: w.N})
			r.await(2, "nevents", "1")
			step()
			if now := r.status(2, "initial"); now != initial {
				t.Errorf("the first member, which has ended, was %q and is %q", initial, now)
			}
		})
	}
}
