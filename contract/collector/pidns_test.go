package collector_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/sys"
)

// rolePidNS is a supervisor: it registers a contract and starts the first member, in a pid
// namespace of its own as a zone's processes are, and prints its number, then lets it go.
func rolePidNS(args []string) error {
	c, err := collector.Open(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	var k collector.Contract
	if _, err := fmt.Sscan(args[1], &k.Zone, &k.Cgroup, &k.CT); err != nil {
		return err
	}
	k.Want = everything
	if err := c.AddContract(k); err != nil {
		return err
	}
	dir, err := sys.OpenDir(args[2])
	if err != nil {
		return err
	}
	defer dir.Close()
	member := exec.Command(args[3], args[4:]...)
	member.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, UseCgroupFD: true, CgroupFD: dir.Int()}
	in, err := member.StdinPipe()
	if err != nil {
		return err
	}
	if err := member.Start(); err != nil {
		return err
	}
	// Standard output carries this role's words.
	fmt.Println("member", member.Process.Pid, os.Getpid())
	var word string
	_, _ = fmt.Scanln(&word)
	in.Close()
	_ = member.Wait()
	return nil
}

// A supervisor tells numbers of its own pid namespace, with the zone's beside, though it runs
// in a pid namespace itself.
func TestPidNamespaces(t *testing.T) {
	r := newRig(t)
	path, err := work()
	check(t, err)
	for _, flags := range []uintptr{0, unix.CLONE_NEWPID} {
		k := r.zone.directory()
		words := fmt.Sprint(k.zone.id, k.id, k.ct)
		s := role(t, r.base, &syscall.SysProcAttr{Cloneflags: flags}, "pidns", r.dir, words, k.dir+"/d", path, "tree", "1", "2")
		var pid, own int
		if _, err := fmt.Sscanf(s.line(), "member %d %d", &pid, &own); err != nil {
			t.Fatal(err)
		}
		if (flags != 0) != (own == 1) {
			t.Fatalf("the supervisor's number is %d", own)
		}
		list := r.zone.empty(k)
		s.release()
		s.wait()
		forks := only(list, collector.Fork)
		if len(forks) != 3 {
			t.Fatalf("%d births: %+v", len(forks), forks)
		}
		first := forks[0]
		if int(first.Pid) != pid || first.ZPid != 1 || int(first.PPid) != own || first.ZPPid != 0 {
			t.Errorf("the first member %d of %d is told as %+v", pid, own, first)
		}
		for i, f := range forks[1:] {
			if int(f.ZPid) != 2+i || f.ZPPid != 1 || int(f.PPid) != pid || f.Pid == f.ZPid && flags == 0 {
				t.Errorf("member %d is told as %+v", i, f)
			}
		}
		for _, rec := range list {
			if rec.Pid == 0 || rec.ZPid == 0 {
				t.Errorf("without a number: %+v", rec)
			}
		}
	}
}

// A sender has a number in the zone only when it lives in the victim's pid namespace, and one
// of the supervisor's only when the supervisor can see it.
func TestSenderOfAnotherNamespace(t *testing.T) {
	r := newRig(t)
	path, err := work()
	check(t, err)
	k := r.zone.directory()
	words := fmt.Sprint(k.zone.id, k.id, k.ct)
	// The supervisor is in a pid namespace; the victim in one below; the killer outside of both.
	s := role(t, r.base, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}, "pidns", r.dir, words, k.dir+"/d", path, "hold", "0")
	s.line()
	var victim string
	r.zone.until("the birth", func(rec collector.Record) bool { return rec.Kind == collector.Fork })
	b, err := os.ReadFile(k.dir + "/d/cgroup.procs")
	check(t, err)
	victim = strings.TrimSpace(string(b))
	killer := r.runIn("", nil, "send", "kill", victim, "9")
	list := r.zone.empty(k)
	killer.release()
	killer.wait()
	s.release()
	s.wait()
	sig := only(list, collector.Signal)
	if len(sig) != 1 || sig[0].Sender.Pid != 0 || sig[0].Sender.ZPid != 0 || sig[0].Sender.Kind != collector.FromProcess {
		t.Errorf("%+v", sig)
	}
	// The same from a pid namespace beside the victim's: it has number 1 there too.
	k2 := r.zone.contract()
	v := r.runIn(k2.dir+"/d", &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}, "hold", "0")
	v.line()
	killer = r.runIn("", nil, "send", "kill", strconv.Itoa(v.pid), "9")
	list = r.zone.empty(k2)
	sig = only(list, collector.Signal)
	if len(sig) != 1 || int(sig[0].Sender.Pid) != killer.pid || sig[0].Sender.ZPid != 0 || sig[0].ZPid != 1 {
		t.Errorf("%+v", sig)
	}
}
