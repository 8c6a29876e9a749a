package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

// stopLoop ends the loop and leaves the server as it is, so that the test can be its loop.
func (r *rig) stopLoop() {
	r.t.Helper()
	r.cancel()
	check(r.t, <-r.served)
	r.t.Cleanup(func() {
		check(r.t, r.srv.Close())
		r.srv = nil
		r.open()
	})
}

// killAllIn kills by their numbers whoever lives in a contract, and waits until it is empty.
func (r *rig) killAllIn(ct int) {
	r.t.Helper()
	dir := fmt.Sprintf("%s/ct/%d", r.root, ct)
	for pids, err := cgroup2.Procs(dir + "/d"); len(pids) > 0; pids, err = cgroup2.Procs(dir + "/d") {
		check(r.t, err)
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				r.t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(20*time.Second))
	defer cancel()
	check(r.t, cgroup2.AwaitEmpty(ctx, dir))
}

// Who hears that a contract is empty finds that its members' contracts are inherited by it,
// whichever word comes first: that of the last exit or that of the owner's. Otherwise what
// takes over what it inherited (ctrun -t) would take over nothing.
func TestOwnersEndWithTheirContract(t *testing.T) {
	r := startRig(t, withBPF)
	a := r.agent(0)
	ct, _ := a.start("params regent\ncritical empty\n", "/bin/sleep", "1000")
	m := r.memberOf(ct, 0)
	sub, _ := m.start("params inherit\n", "/bin/sleep", "1000")
	r.stopLoop()
	r.killAllIn(ct)
	passed := 0
	was := crash
	crash = func(name string) {
		if name == "resident" {
			passed++
		}
	}
	defer func() { crash = was }()
	empty := &kernel.Report{What: kernel.Happened, CT: contract.ID(ct), Time: time.Now().UnixNano(), Fact: table.Fact{Event: contract.Empty}}
	check(t, r.srv.happened(empty))
	st, _, _, regent, _ := r.srv.table.Status(contract.ID(sub))
	if st.State != contract.Inherited || regent != contract.ID(ct) || !r.srv.table.Vacant(contract.ID(ct)) {
		t.Errorf("contract %d is %+v, of regent %d", sub, st, regent)
	}
	if passed != 1 {
		t.Errorf("%d owners ended with the contract, want 1", passed)
	}
}

// An owner that somebody on the host has moved out of its contract lives on when that is empty,
// and keeps what it owns.
func TestOwnerMovedOutOfItsContract(t *testing.T) {
	r := startRig(t, withBPF)
	a := r.agent(0)
	ct, _ := a.start("params regent\ncritical empty\n", "/bin/sleep", "1000")
	m := r.memberOf(ct, 0)
	sub, _ := m.start("params inherit\n", "/bin/sleep", "1000")
	holder, err := strconv.Atoi(r.status(sub, "holder"))
	check(t, err)
	pid, _ := r.hostThread(fmt.Sprintf("ready %d %d", holder, holder))
	r.stopLoop()
	check(t, cgroup2.Enter(r.initDir.Born, pid))
	r.killAllIn(ct)
	empty := &kernel.Report{What: kernel.Happened, CT: contract.ID(ct), Time: time.Now().UnixNano(), Fact: table.Fact{Event: contract.Empty}}
	check(t, r.srv.happened(empty))
	st, _, owner, _, _ := r.srv.table.Status(contract.ID(sub))
	if st.State != contract.Owned || int(owner.Pid) != pid {
		t.Errorf("contract %d is %+v, of owner %+v, want %d", sub, st, owner, pid)
	}
}
