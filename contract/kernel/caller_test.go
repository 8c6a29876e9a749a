package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/testenv"
)

func waitStatus(cmd *exec.Cmd) syscall.WaitStatus {
	return cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// both asks for a process the quick way and by /proc; they must agree.
func both(t *testing.T, r *rig, tid int32) (Caller, error) {
	t.Helper()
	slow, err2 := r.z.procSlow(tid)
	if r.z.cache.slow {
		return slow, err2
	}
	fast, err1 := r.z.ProcOf(tid)
	if fast != slow || errors.Is(err1, ErrGone) != errors.Is(err2, ErrGone) {
		t.Errorf("%d: %+v, %v; and by /proc %+v, %v", tid, fast, err1, slow, err2)
	}
	return fast, err1
}

func TestProcOf(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	z := newZone(t, r)
	login := r.root + "/admin/l1"
	check(t, cgroup2.Make(login))
	_, err := r.z.Take(6, login)
	check(t, err)

	root, err := both(t, r, z.proc.Pid)
	check(t, err)
	if root.Proc != z.proc || root.ZPid != 1 || root.CT != 1 || root.UID != zoneUID || !root.InZone {
		t.Errorf("the zone's root is %+v", root)
	}
	// A thread of it, by its own number.
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", z.proc.Pid))
	check(t, err)
	for _, e := range threads {
		var tid int32
		_, _ = fmt.Sscan(e.Name(), &tid)
		if c, err := both(t, r, tid); err != nil || c != root {
			t.Errorf("thread %d is %+v, %v", tid, c, err)
		}
	}
	// A user who changed his identity, in a cgroup and a pid namespace further down.
	a := z.ask(order{Do: "spawn", Argv: []string{"/bin/sh", "-c",
		"mkdir -p " + cgroupMount + "/ct/1/d/sub && echo $$ >" + cgroupMount + "/ct/1/d/sub/cgroup.procs && exec setpriv --reuid 1234 --clear-groups sleep 1000"}})
	user := z.host(r, 1, a.Pid)
	testenv.Eventually(t, func() bool { return commOf(int(user.Pid)) == "sleep" }, "the user")
	if c, err := both(t, r, user.Pid); err != nil || c.UID != zoneUID+1234 || c.CT != 1 || c.ZPid != int32(a.Pid) || !c.InZone {
		t.Errorf("the user is %+v, %v", c, err)
	}
	a = z.ask(order{Do: "spawn", Argv: []string{"/usr/bin/unshare", "-pf", "/bin/sleep", "1000"}})
	unshare := z.host(r, 1, a.Pid)
	testenv.Eventually(t, func() bool {
		for _, pid := range pidsIn(t, r.root+"/ct/1") {
			if s, err := readStat(int32(pid)); err == nil && s.ppid == unshare.Pid {
				c, err := both(t, r, int32(pid))
				return err == nil && c.InZone && c.ZPid > 1
			}
		}
		return false
	}, "a process of a nested pid namespace to have the zone's number")
	// In a login, and before it has entered the zone.
	helper := born(t, login, nil, "/bin/sleep", "1000")
	if c, err := both(t, r, int32(helper.Process.Pid)); err != nil || c.CT != 6 || c.InZone || c.ZPid != 0 {
		t.Errorf("the login's helper is %+v, %v", c, err)
	}
	// Outside, in a pid namespace of another zone.
	other := exec.Command("/bin/sleep", "1000")
	other.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	check(t, other.Start())
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	if c, err := both(t, r, int32(other.Process.Pid)); err != nil || c.CT != 0 || c.InZone || c.ZPid != 0 {
		t.Errorf("another zone's is %+v, %v", c, err)
	}
	for _, tid := range []int32{0, -1, 1 << 30} {
		if c, err := r.z.ProcOf(tid); !errors.Is(err, ErrGone) {
			t.Errorf("%d is %+v, %v", tid, c, err)
		}
	}
	dead, p := sleeper(t)
	_, err = both(t, r, p.Pid)
	check(t, err)
	_ = dead.Process.Kill()
	_ = dead.Wait()
	if c, err := both(t, r, p.Pid); !errors.Is(err, ErrGone) {
		t.Errorf("a dead process is %+v, %v", c, err)
	}
}

// A process in as many groups as there may be has a long /proc/PID/status.
func TestProcOfManyGroups(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	groups := make([]uint32, 60000)
	for i := range groups {
		groups[i] = 1000000000 + uint32(i)
	}
	cmd := born(t, r.root+"/ct/1/d", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 77, Gid: 77, Groups: groups}}, "/bin/sleep", "1000")
	if c, err := both(t, r, int32(cmd.Process.Pid)); err != nil || c.UID != 77 || c.CT != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// What a process calls itself is of no consequence.
func TestProcOfNames(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := int32(unix.Gettid())
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", tid))
	check(t, err)
	defer func() { _ = os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", tid), b, 0) }()
	for _, name := range []string{") Z 1 1 1", "a\nTgid:\t1\nUid:\t9 9", "\\)(", "))))))))))))))"} {
		check(t, os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", tid), []byte(name), 0))
		c, err := both(t, r, tid)
		if err != nil || c.Pid != int32(os.Getpid()) || c.UID != 0 {
			t.Errorf("%q: %+v, %v", name, c, err)
		}
	}
	_, p := sleeper(t)
	testenv.Eventually(t, func() bool { return r.z.Comm(p) == "sleep" }, "the command")
}

func BenchmarkProcOf(b *testing.B) {
	r := newRig(b, Config{Off: SourceBPF | SourceConnector})
	cmd := born(b, r.root+"/ct/1/d", nil, "/bin/sleep", "1000")
	pid := int32(cmd.Process.Pid)
	b.Run("pidfd", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.z.ProcOf(pid); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("proc", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.z.procSlow(pid); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (a) b) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 77 1 2 3"))
	f.Add([]byte("1 (sh) Z 5 6"))
	b, _ := os.ReadFile("/proc/self/stat")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStat(b)
		if err == nil && s.state == 0 {
			t.Errorf("%q has no state", b)
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte("Name:\tx\nTgid:\t5\nUid:\t1\t2\t3\t4\n"))
	f.Add([]byte("Uid:\t1\t2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseStatus(b); err == nil && !strings.Contains(string(b), "Uid:\t") {
			t.Errorf("%q has no user", b)
		}
	})
}

func FuzzParseConnector(f *testing.F) {
	good := make([]byte, connHeader+connEventHead+24)
	le := binary.NativeEndian
	le.PutUint32(good[16:], connectorIdx)
	le.PutUint32(good[20:], connectorVal)
	le.PutUint32(good[connHeader:], connFork)
	f.Add(good)
	f.Add(good[:connHeader+connEventHead+8])
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parseConnector(b)
		if ok && (m.what == connFork || m.what == connExit) && len(m.data) < 16 {
			t.Errorf("%x is short", b)
		}
	})
}
