package launch

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/method"
)

// A method counts in its project, whichever way it is started, unless it is to be free of it.
func TestMethodsProject(t *testing.T) {
	r := newRig(t)
	if r == nil {
		return
	}
	project := &contract.Project{ID: 77, Name: "test", Processes: 40}
	for _, free := range []bool{false, true} {
		m := r.method("sleep 1000", method.Context{Within: contract.Within{Project: project}})
		m.Free = free
		s, err := r.start(m)
		must(t, err)
		st, err := r.fs.Contract(s.Contract).Status()
		must(t, err)
		switch got := st.Within.Project; {
		case free && got != nil:
			t.Errorf("one that is free counts in %+v", got)
		case !free && (got == nil || got.ID != 77 || got.Name != "test"):
			t.Errorf("it counts in %+v", got)
		}
		if len(st.Members) != 1 {
			t.Errorf("members are %v", st.Members)
		}
		must(t, unix.PidfdSendSignal(s.Pidfd, unix.SIGKILL, nil, 0))
		r.wait(s)
		must(t, r.fs.Contract(s.Contract).Abandon())
	}
	r.both(r.method("echo here", method.Context{Within: contract.Within{Project: project}}), "here")
	// The next one, by the same template, counts in none.
	r.both(r.method("echo here", method.Context{}), "here")
	many := r.method("/bin/sh -c 'i=0; while test $i -lt 50; do sleep 1 & i=$((i+1)); done'", method.Context{Within: contract.Within{Project: project}})
	if status, text := r.run(many); status.ExitStatus() == 0 || !strings.Contains(strings.ToLower(text), "fork") {
		t.Errorf("fifty processes in a project of forty: %v, %q", status, text)
	}
}

// Who puts a context into effect and finds no place for a thread says so first, and has failed.
func TestNoPlaceForTheOrder(t *testing.T) {
	r := newRig(t)
	if r == nil {
		return
	}
	one := &contract.Project{ID: 77, Name: "test", Processes: 1}
	status, text := r.ordered(r.method("echo here", method.Context{Within: contract.Within{Project: one}}))
	if status.ExitStatus() == 0 || !strings.HasPrefix(text, "runtime: failed to create new OS thread") {
		t.Errorf("%v, %q", status, text)
	}
	eight := &contract.Project{ID: 77, Name: "test", Processes: 8}
	r.both(r.method("echo here", method.Context{Within: contract.Within{Project: eight}}), "here")
}

// What cannot be had is a line that says why, there is no process, and the next method is started.
func TestMethodsPoolIsNotThere(t *testing.T) {
	r := newRig(t)
	if r == nil {
		return
	}
	_, err := r.start(r.method("echo here", method.Context{Within: contract.Within{Pool: "none"}}))
	if !errors.Is(err, contract.ErrWithin) || errors.Is(err, ErrAgain) || !strings.Contains(err.Error(), "pool none: the zone's configuration has no such pool") {
		t.Errorf("%v", err)
	}
	r.both(r.method("echo here", method.Context{}), "here")
}
