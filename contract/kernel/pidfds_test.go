package kernel

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/testenv"
)

func sleeper(t testing.TB) (*exec.Cmd, table.Proc) {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "1000")
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, procOf(t, cmd.Process.Pid)
}

func isGone(p table.Proc) func(Report) bool {
	return func(r Report) bool { return r.What == Gone && r.Proc == p }
}

// The death of an owner is told once, of the right process, whether or not it is reaped.
func TestOwners(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	cmd, p := sleeper(t)
	for range 3 {
		check(t, r.z.WatchOwner(p))
	}
	other, q := sleeper(t)
	check(t, r.z.WatchOwner(q))
	forgotten, f := sleeper(t)
	check(t, r.z.WatchOwner(f))
	r.z.ForgetOwner(f)
	r.z.ForgetOwner(f)
	r.settled()
	if len(r.got) > 0 {
		t.Errorf("told was %+v", r.got)
	}
	_ = cmd.Process.Kill() // and not waited for
	_ = forgotten.Process.Kill()
	r.await("the owner's death", isGone(p))
	_ = other.Process.Kill()
	_ = other.Wait()
	r.await("the other owner's death", isGone(q))
	r.settled()
	if len(r.got) != 2 {
		t.Errorf("told was %+v", r.got)
	}
	// One who was dead before, and one whose number another has by now.
	_ = cmd.Wait()
	check(t, r.z.WatchOwner(p))
	_, live := sleeper(t)
	reused := live
	reused.Start--
	check(t, r.z.WatchOwner(reused))
	r.await("a death before the watch", func(rep Report) bool { return len(r.got) > 2 && isGone(p)(rep) })
	r.await("the death of one whose number came round", isGone(reused))
	if len(r.z.pidfds.byFD) != 0 || len(r.z.pidfds.owners) != 0 {
		t.Errorf("%d descriptors are left", len(r.z.pidfds.byFD))
	}
}

// An owner of several threads whose first thread has ended lives.
func TestOwnerWithoutItsFirstThread(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	p, end := headless(t, r.root+"/admin")
	defer end()
	check(t, r.z.WatchOwner(p))
	r.z.pidfds.blind = append(r.z.pidfds.blind, p)
	r.z.tick()
	r.settled()
	if len(r.got) > 0 {
		t.Errorf("told was %+v", r.got)
	}
}

// Where descriptors are short owners are looked at from time to time.
func TestOwnersWithoutDescriptors(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	var old unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	cmd, p := sleeper(t)
	stays, q := sleeper(t)
	_ = stays
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}))
	err1, err2 := r.z.WatchOwner(p), r.z.WatchOwner(q)
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
	check(t, err1)
	check(t, err2)
	if len(r.z.pidfds.blind) != 2 {
		t.Fatalf("%d owners have no descriptor", len(r.z.pidfds.blind))
	}
	_ = cmd.Process.Kill()
	r.await("the death of an owner without descriptor", isGone(p))
	r.z.ForgetOwner(q)
	r.settled()
	if len(r.got) != 1 || len(r.z.pidfds.blind) != 0 {
		t.Errorf("told was %+v", r.got)
	}
}

// Death is told within a fraction of a millisecond.
func BenchmarkOwnerDeath(b *testing.B) {
	r := newRig(b, Config{Off: SourceBPF | SourceConnector})
	var buf [4]Report
	for b.Loop() {
		b.StopTimer()
		cmd := exec.Command("/bin/sleep", "1000")
		check(b, cmd.Start())
		check(b, r.z.WatchOwner(procOf(b, cmd.Process.Pid)))
		b.StartTimer()
		_ = cmd.Process.Kill()
		for n := 0; n == 0; {
			fds := []unix.PollFd{{Fd: int32(r.z.FD()), Events: unix.POLLIN}}
			_, _ = unix.Poll(fds, 1000)
			n, _ = r.z.Next(buf[:])
		}
		b.StopTimer()
		_ = cmd.Wait()
		b.StartTimer()
	}
}

// The status of who was reaped by another is known where the kernel tells it.
func TestExitStatus(t *testing.T) {
	for _, reaped := range []bool{false, true} {
		if reaped {
			testenv.Need(t, testenv.PidfdInfo)
		}
		for _, death := range deaths {
			cmd := exec.Command("/bin/sh", "-c", "ulimit -c 0; "+death)
			stdin, err := cmd.StdinPipe()
			check(t, err)
			cmd.Args[2] = "ulimit -c 0; read x; " + death
			check(t, cmd.Start())
			p, fd, err := identify(int32(cmd.Process.Pid))
			check(t, err)
			stdin.Close()
			testenv.Eventually(t, func() bool { return !alive(p) }, "the death")
			var want uint32
			if reaped {
				_ = cmd.Wait()
				want = uint32(waitStatus(cmd))
			}
			got, ok := exitStatus(fd, p)
			if !reaped {
				_ = cmd.Wait()
				want = uint32(waitStatus(cmd))
			}
			if !ok || got&^0x80 != want&^0x80 {
				t.Errorf("reaped %v, %q: %#x, %v, and wait says %#x", reaped, death, got, ok, want)
			}
			fd.Close()
		}
	}
	cmd, p := sleeper(t)
	_ = cmd
	_, fd, err := identify(p.Pid)
	check(t, err)
	defer fd.Close()
	if code, ok := exitStatus(fd, p); ok {
		t.Errorf("who lives ended with %#x", code)
	}
}
