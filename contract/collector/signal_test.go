package collector_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
)

// told checks what is told of the death of a member and gives why, if that is told.
func told(t testing.TB, list []collector.Record, m *member, status syscall.WaitStatus) *collector.Record {
	t.Helper()
	why := only(list, collector.Signal, collector.Core, collector.Hwerr)
	exit := only(list, collector.Exit)
	if len(why) > 1 || len(exit) != 1 || exit[0].Status != uint32(status) || int(exit[0].Pid) != m.pid {
		t.Fatalf("%d ended with %#x, told as %+v", m.pid, status, list)
	}
	if len(why) == 0 {
		return nil
	}
	w := &why[0]
	for i, rec := range list {
		if rec == exit[0] && (i == 0 || list[i-1] != *w) {
			t.Errorf("why is not told right before the end: %+v", list)
		}
	}
	if int(w.Pid) != m.pid || w.Status != uint32(status) || w.Start != m.start || w.Sig != int32(status.Signal()) {
		t.Errorf("%d ended with %#x, told as %+v", m.pid, status, *w)
	}
	return w
}

// Who sent it is told, by whichever call, and from wherever.
func TestSenders(t *testing.T) {
	r := newRig(t)
	other := r.addZone("g2", collector.RingBytes)
	for _, how := range []string{"kill", "group", "tgkill", "queue", "pidfd"} {
		for _, from := range []string{"contract", "zone", "outside", "same"} {
			for _, sig := range []syscall.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGQUIT, 40} {
				t.Run(fmt.Sprintf("%s/%s/%d", how, from, sig), func(t *testing.T) {
					oneSender(t, r, other, how, from, sig)
				})
			}
		}
	}
}

func oneSender(t *testing.T, r *rig, other *zone, how, from string, sig syscall.Signal) {
	k, neighbour, foreign := r.zone.contract(), r.zone.contract(), other.contract()
	victim := r.runIn(k.dir+"/d", &syscall.SysProcAttr{Setpgid: true}, "hold", "0")
	victim.line()
	dir, ct, zone := "", uint32(0), uint64(0)
	switch from {
	case "contract":
		dir, ct, zone = neighbour.dir+"/d", neighbour.ct, r.zone.id
	case "zone":
		dir, ct, zone = foreign.dir+"/d", foreign.ct, other.id
	case "same":
		dir, ct, zone = k.dir+"/d", k.ct, r.zone.id
	}
	killer := r.runIn(dir, nil, "send", how, strconv.Itoa(victim.pid), strconv.Itoa(int(sig)))
	if s := killer.line(); s != fmt.Sprint("sender ", killer.pid) || killer.line() != "sent" {
		t.Fatalf("the killer says %q", s)
	}
	status := victim.wait()
	killer.release()
	killer.wait()
	var list []collector.Record
	for _, rec := range r.zone.empty(k) {
		if rec.CT == k.ct && (int(rec.Pid) == victim.pid || rec.Kind == collector.Empty) {
			list = append(list, rec)
		}
	}
	why := told(t, list, victim, status)
	code := map[string]int32{"kill": 0, "group": 0, "tgkill": -6, "queue": -1, "pidfd": 0}[how]
	want := collector.Sender{Kind: collector.FromProcess, Pid: int32(killer.pid), Start: killer.start, CT: ct, Zone: zone, Code: code, Comm: "work"}
	n, err := r.Counts(k.id)
	check(t, err)
	if n.Killer != want || int(n.Killed) != victim.pid || n.Sig != int32(sig) {
		t.Errorf("the last killer is %+v, want %+v", n, want)
	}
	switch {
	case from == "same" && sig == unix.SIGQUIT:
		if why == nil || why.Kind != collector.Core || why.Sender != want {
			t.Errorf("told as %+v, want Core of %+v", why, want)
		}
	case from == "same":
		if why != nil {
			t.Errorf("told as %+v", why)
		}
	case why == nil || why.Kind != collector.Signal || why.Sender != want:
		t.Errorf("told as %+v, want Signal of %+v", why, want)
	}
}

// cgroup.kill and other signals of the supervisor are the contract's own, and those of
// another zone's supervisor a process's.
func TestSupervisor(t *testing.T) {
	r := newRig(t)
	other := r.addZone("g2", collector.RingBytes)
	for _, c := range []struct {
		zone *zone
		kind collector.SenderKind
	}{{r.zone, collector.FromContract}, {other, collector.FromProcess}} {
		sup := r.base + "/sup" + strconv.Itoa(int(c.kind))
		check(t, os.Mkdir(sup, 0o755))
		check(t, r.AddSupervisor(inode(t, sup), c.zone.id))
		for _, how := range []string{"echo 1 >$0/cgroup.kill", "kill -9 $1", "kill -15 $1"} {
			k := r.zone.contract()
			victim := k.run("hold", "0")
			victim.line()
			start(t, sup, nil, exec.Command("sh", "-c", how, k.dir, strconv.Itoa(victim.pid))).wait()
			why := told(t, r.zone.empty(k), victim, victim.wait())
			n, err := r.Counts(k.id)
			check(t, err)
			if n.Killer.Kind != c.kind || n.Killer.Zone != c.zone.id || n.Killer.CT != 0 || n.Killer.Comm != "sh" {
				t.Errorf("%s: the last killer is %+v", how, n)
			}
			if (why == nil) != (c.kind == collector.FromContract) || why != nil && why.Kind != collector.Signal {
				t.Errorf("%s: told as %+v", how, why)
			}
		}
		// One level below it somebody else lives.
		check(t, os.Mkdir(sup+"/below", 0o755))
		k := r.zone.contract()
		victim := k.run("hold", "0")
		victim.line()
		start(t, sup+"/below", nil, exec.Command("sh", "-c", "kill -9 $0", strconv.Itoa(victim.pid))).wait()
		if why := told(t, r.zone.empty(k), victim, victim.wait()); why == nil || why.Sender.Kind != collector.FromProcess {
			t.Errorf("from below: %+v", why)
		}
		check(t, os.Remove(sup+"/below"))
	}
}

// ^C comes from the terminal, whoever typed it, and so do a hang-up and a timer.
func TestFromTheKernel(t *testing.T) {
	r := newRig(t)
	path, err := work()
	check(t, err)
	for _, act := range []string{"\x03", "\x1c", "hang up"} {
		k := r.zone.contract()
		master, slave := openPty(t)
		cmd := exec.Command(path, "session")
		cmd.Stdin = slave
		victim := start(t, k.dir+"/d", nil, cmd)
		slave.Close()
		victim.line()
		if act == "hang up" {
			master.Close()
		} else if _, err := master.WriteString(act); err != nil {
			t.Fatal(err)
		}
		status := victim.wait()
		why := told(t, r.zone.empty(k), victim, status)
		if act == "\x1c" {
			if why == nil || why.Kind != collector.Core || why.Sender.Kind != collector.FromKernel {
				t.Errorf("^\\: %+v", why)
			}
		} else if why != nil {
			t.Errorf("%q: %+v", act, why)
		}
		if n, _ := r.Counts(k.id); n.Killer.Kind != collector.FromKernel || n.Killer.Pid != 0 || n.Sig != int32(status.Signal()) {
			t.Errorf("%q: %+v", act, n)
		}
	}
	k := r.zone.contract()
	victim := k.run("alarm", "1")
	if why := told(t, r.zone.empty(k), victim, victim.wait()); why != nil {
		t.Errorf("a timer: %+v", why)
	}
}

func openPty(t testing.TB) (master, slave *os.File) {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	t.Cleanup(func() { _ = m.Close() })
	check(t, unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(m.Fd()), unix.TIOCGPTN)
	check(t, err)
	s, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	check(t, err)
	return m, s
}

// A child that asked to be killed with its parent is not killed by the parent as a process.
func TestParentDeath(t *testing.T) {
	r := newRig(t)
	k, elsewhere := r.zone.contract(), r.zone.contract()
	parent := k.run("parent", "15")
	var child, pid int
	if _, err := fmt.Sscanf(parent.line(), "fork %d %d", &child, &pid); err != nil {
		t.Fatal(err)
	}
	// The parent dies in another contract.
	check(t, os.WriteFile(elsewhere.dir+"/cgroup.procs", []byte(strconv.Itoa(parent.pid)), 0))
	parent.release()
	parent.wait()
	list := r.zone.empty(k)
	if why := only(list, collector.Signal); len(why) != 0 {
		t.Errorf("told as %+v", why)
	}
	if n, _ := r.Counts(k.id); n.Killer.Kind != collector.FromKernel || n.Sig != 15 || int(n.Killed) != child {
		t.Errorf("%+v", n)
	}
}

// A signal that waits behind a mask kills later: who sent it is known still, also when others
// sent others meanwhile.
func TestBlockedSignal(t *testing.T) {
	r := newRig(t)
	k, a, b := r.zone.contract(), r.zone.contract(), r.zone.contract()
	victim := k.run("blocked", "15")
	victim.line()
	send := func(from *ct, sig string) *member {
		m := from.run("send", "kill", strconv.Itoa(victim.pid), sig)
		m.line()
		m.line()
		m.release()
		m.wait()
		return m
	}
	killer := send(a, "15")
	send(b, "15") // is pending already: not this one
	send(b, "17")
	send(b, "18")
	victim.release()
	status := victim.wait()
	why := told(t, of(r.zone.empty(k), k), victim, status)
	if why == nil || int(why.Sender.Pid) != killer.pid || why.Sender.CT != a.ct {
		t.Errorf("%d killed, told as %+v", killer.pid, why)
	}
}

// Many different signals wait behind a mask. Which of them kills is the victim's choice, and who
// sent that one is known, as far as there are slots; beyond them those stay that are delivered
// first, and of the others it is told that the signal came from elsewhere, and no more. What
// was handled meanwhile takes nobody's slot.
func TestManyBlockedSignals(t *testing.T) {
	r := newRig(t)
	a := r.zone.contract()
	const slots = 16
	for _, c := range []struct {
		name  string
		sent  []int // in this order; one who is handled comes behind each
		kills int
		known bool
	}{
		{"the first of nine", []int{10, 15, 40, 41, 42, 43, 44, 45, 46}, 10, true},
		{"the last of nine", []int{10, 15, 40, 41, 42, 43, 44, 45, 46}, 46, true},
		{"the highest number, first of as many as there are slots", count(50, slots-1, -1), 50, true},
		{"the lowest number, last of more than there are slots", count(60, slots+6, -1), 60 - slots - 5, true},
		{"the highest number, last of more than there are slots", count(36, slots+6, 1), 36 + slots + 5, false},
		{"the highest number, first of more than there are slots", count(60, slots+6, -1), 60, false},
	} {
		k := r.zone.contract()
		victim := k.run("masked", strconv.Itoa(c.kills))
		victim.line()
		killer := 0
		for _, sig := range c.sent {
			for _, sig := range []int{sig, int(unix.SIGUSR2)} {
				m := a.run("send", "kill", strconv.Itoa(victim.pid), strconv.Itoa(sig))
				m.line()
				m.line()
				m.release()
				m.wait()
				if sig == c.kills {
					killer = m.pid
				}
			}
		}
		victim.release()
		status := victim.wait()
		if int(status.Signal()) != c.kills {
			t.Fatalf("%s: ended with %#x", c.name, status)
		}
		why := told(t, of(r.zone.empty(k), k), victim, status)
		switch {
		case why == nil || why.Kind != collector.Signal:
			t.Errorf("%s: told as %+v", c.name, why)
		case c.known && (int(why.Sender.Pid) != killer || why.Sender.CT != a.ct):
			t.Errorf("%s: %d killed, told as %+v", c.name, killer, why)
		case !c.known && why.Sender != (collector.Sender{}):
			t.Errorf("%s: nobody knows who killed, told as %+v", c.name, why)
		}
	}
}

// count is n numbers from first on.
func count(first, n, step int) (list []int) {
	for i := range n {
		list = append(list, first+i*step)
	}
	return list
}

// of picks the records of one contract.
func of(list []collector.Record, k *ct) []collector.Record {
	var out []collector.Record
	for _, r := range list {
		if r.CT == k.ct {
			out = append(out, r)
		}
	}
	return out
}

// A signal that was handled is not what killed; the one that the process raises then is its own.
func TestHandledSignal(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	victim := k.run("handled", "15")
	victim.line()
	killer := r.runIn("", nil, "send", "kill", strconv.Itoa(victim.pid), "15")
	status := victim.wait()
	killer.release()
	killer.wait()
	if why := told(t, r.zone.empty(k), victim, status); why != nil {
		t.Errorf("told as %+v", why)
	}
	if n, _ := r.Counts(k.id); int(n.Killer.Pid) != victim.pid {
		t.Errorf("%+v", n)
	}
}

// What a process can claim of its signal is believed: this is what the doc warns of.
func TestClaim(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	victim := k.run("hold", "0")
	victim.line()
	killer := r.runIn("", nil, "send", "timer", strconv.Itoa(victim.pid), "9")
	status := victim.wait()
	killer.release()
	killer.wait()
	if why := told(t, r.zone.empty(k), victim, status); why != nil {
		t.Errorf("told as %+v", why)
	}
	if n, _ := r.Counts(k.id); n.Killer.Kind != collector.FromKernel || n.Killer.Code != -2 {
		t.Errorf("%+v", n)
	}
}

// The sender's name is any bytes; of a user it is the real one, as the host counts.
func TestSenderNames(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	const uid = 1400000077
	victim := r.runIn(k.dir+"/d", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}, "hold", "0")
	victim.line()
	path, err := work()
	check(t, err)
	dir := t.TempDir()
	check(t, os.Chmod(filepath.Dir(dir), 0o755))
	strange := dir + "/a\n\x01é\xff b)c(defghij"
	check(t, os.Link(path, strange))
	cmd := exec.Command(strange, "send", "kill", strconv.Itoa(victim.pid), "9")
	killer := start(t, "", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}, cmd)
	why := told(t, r.zone.empty(k), victim, victim.wait())
	killer.release()
	killer.wait()
	if why == nil || why.Sender.Comm != "a\n\x01é\xff b)c(defg" || why.Sender.UID != uid || why.EUID != uid {
		t.Errorf("%+v, %q", why, why.Sender.Comm)
	}
}
