package server

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

func withPools(r *rig) { r.cfg.Pools = map[string]string{"first": "0", "far": "8000"} }

// Only the zone's root may say what a contract counts in; what cannot be had has an errno of its own,
// and nothing of it is left.
func TestWithinRefused(t *testing.T) {
	r := startRig(t, withPools)
	for uid, wants := range map[int]map[string]unix.Errno{
		1001: {
			"activate project=100 name=web": unix.EPERM, "activate pool=first": unix.EPERM, "activate move project=100 name=web processes=5": unix.EPERM,
		},
		0: {
			"activate pool=none": unix.ENOENT, "activate pool=far": unix.ERANGE, "activate project=100 name=web pool=none": unix.ENOENT,
			"activate project=100": unix.EINVAL, "activate project=100 name=../x": unix.EINVAL, "activate pool=../x": unix.EINVAL,
			"activate move move": unix.EINVAL, "activate project=100 name=web move": unix.EINVAL, "activate project=100 name=web memory=1": unix.EINVAL,
			"activate project=100 name=web\nactivate": unix.EINVAL, "cookie 0x1\nactivate pool=none": unix.ENOENT,
		},
	} {
		a := r.agent(uid)
		fd := a.open("process/template", unix.O_RDWR)
		for text, want := range wants {
			if e := a.write(fd, text); e != want {
				t.Errorf("%q of user %d: %v, want %v", text, uid, e, want)
			}
			if text := a.text(fd); !strings.HasSuffix(text, "state inactive\n") {
				t.Errorf("the template is\n%s", text)
			}
		}
	}
	testenv.Eventually(t, func() bool { return !exists(r.root + "/p100") }, "the project's directory to go")
}

// A contract counts where its maker wanted it, its status says so, and what its members make counts
// there too; also when the supervisor is another one at each step.
func TestWithinByHand(t *testing.T) {
	longWindows(t)
	for _, restarts := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarts %v", restarts), func(t *testing.T) {
			r := startRig(t, withBPF, withPools)
			step := func() {
				if restarts {
					r.reopen()
				}
			}
			a := r.agent(0)
			fd := a.open("process/template", unix.O_RDWR)
			if e := a.write(fd, "cookie 0xab\nactivate project=100 name=user.web"); e != 0 {
				t.Fatal(e)
			}
			step()
			if text := a.text(fd); !strings.HasSuffix(text, "state active\nbirth 2 clone /p100/2/d\n") {
				t.Fatalf("the active template is\n%s", text)
			}
			w := a.ask(ask{Do: "fork", Text: "/p100/2/d", Argv: []string{"/bin/sleep", "1000"}})
			if w.Errno != 0 {
				t.Fatalf("born in the window: %+v", w)
			}
			step()
			if e := a.write(fd, fmt.Sprintf("born %d", w.N)); e != 0 {
				t.Errorf("born: %v", e)
			}
			step()
			r.await(2, "members", fmt.Sprint(w.N))
			for key, want := range map[string]string{"project": "100 user.web", "pool": "-", "cookie": "0xab"} {
				if got := r.status(2, key); got != want {
					t.Errorf("%s is %q, not %q", key, got, want)
				}
			}
			a.must(ask{Do: "kill", N: w.N, M: int(unix.SIGKILL)})
			a.must(ask{Do: "wait", N: w.N})
			r.await(2, "nevents", "1")
			a.must(ask{Do: "close", N: fd})
			a.leave()
			testenv.Eventually(t, func() bool { return !exists(r.root + "/p100") }, "the project to go with its last contract")
		})
	}
}

// What members start in contracts of their own stays in the project, whoever they are; the zone's root
// alone can have it in another.
func TestMembersStayInTheirProject(t *testing.T) {
	r := startRig(t, withBPF, withPools)
	a := r.agent(0)
	fd := a.open("process/template", unix.O_RDWR)
	if e := a.write(fd, "activate move project=100 name=web processes=500 pool=first"); e != 0 {
		t.Fatal(e)
	}
	w := a.must(ask{Do: "fork", Argv: []string{"/bin/sleep", "1000"}})
	if e := a.write(fd, fmt.Sprintf("born %d", w.N)); e != 0 {
		t.Fatal(e)
	}
	r.await(2, "members", fmt.Sprint(w.N))
	for _, uid := range []int{1001, 0} {
		m := r.memberIn(r.root+"/p100/2/d", uid)
		ct, _ := m.start("", "/bin/sleep", "1000")
		if project, pool := r.status(ct, "project"), r.status(ct, "pool"); project != "100 web" || pool != "first" {
			t.Errorf("a contract of user %d's, a member, counts in %q, %q", uid, project, pool)
		}
		if !exists(fmt.Sprintf("%s/p100/%d", r.root, ct)) {
			t.Errorf("contract %d is not in the project's directory", ct)
		}
		own := m.open("process/template", unix.O_RDWR)
		want := map[int]unix.Errno{1001: unix.EPERM, 0: 0}[uid]
		if e := m.write(own, "activate project=101 name=other"); e != want {
			t.Errorf("user %d leaves the project: %v, want %v", uid, e, want)
		}
	}
	if !exists(r.root + "/p101") {
		t.Error("the zone's root has made no project")
	}
}
