package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func statUID(fi os.FileInfo) int { return int(fi.Sys().(*syscall.Stat_t).Uid) }

// The server is started by the first who needs it and may, and leaves nothing behind.
func TestOnDemand(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse)
	r := &rig{Zones: testenv.Instance(t), t: t}
	bin := r.public()
	out, errs, code := r.as(bin, "ctrun", "true")
	if want := "ctrun: the contracts of this host are not served at the moment, and only root can start that: have root run 'ctrun true', or run this in a zone\n"; code != 124 || errs != want {
		t.Errorf("nobody: %d, %q, %q", code, out, errs)
	}
	if out, errs, code := r.RunInput("", "ctstat"); code != 0 || strings.Count(out, "\n") != 1 || errs != "" || r.PID("global", "zsched") != 0 {
		t.Errorf("ctstat: %d, %q, %q", code, out, errs)
	}
	// Many at once, and all of them find it.
	var group sync.WaitGroup
	for i := range 5 {
		group.Go(func() {
			out, errs, code, err := r.Try("", "ctrun", "sh", "-c", fmt.Sprintf("exit %d", i))
			if code != i || out+errs != "" || err != nil {
				t.Errorf("%d: %d, %q, %q, %v", i, code, out, errs, err)
			}
		})
	}
	group.Wait()
	mount, err := cgroup2.Mount()
	must(t, err)
	base := mount + "/zones" + r.Tag()
	// It leaves when nothing was asked of it for ten seconds, which pass quickly here and there.
	file := filepath.Join(t.TempDir(), "up")
	b := r.start(r.Cmd("ctrun", "sh", "-c", "echo 1 >$0; while ! test -e $0.stop; do sleep 0.01; done", file))
	number(t, file)
	if out, errs, code := r.as(bin, "ctrun", "true"); code != 0 {
		t.Errorf("nobody, while it is there: %d, %q, %q", code, out, errs)
	}
	if r.PID("global", "contractd") == 0 {
		t.Error("it left while it was needed")
	}
	must(t, os.WriteFile(file+".stop", nil, 0o600))
	if code := b.exit(); code != 0 {
		t.Errorf("%d, %s", code, b.err.String())
	}
	testenv.EventuallyWithin(t, 2*time.Minute, func() bool { _, err := os.Stat(base); return os.IsNotExist(err) && r.PID("global", "zsched") == 0 }, "the server to leave")
	for _, name := range []string{"contract", "bpf", "bpf.lock"} {
		if _, err := os.Lstat(filepath.Join(r.Run, name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

// Whoever comes just as the server leaves finds it, or the next one.
func TestComesAndGoes(t *testing.T) {
	r := newRig(t)
	must(t, r.fs.Close())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 10 {
				out, errs, code, err := r.Try("", "ctrun", "sh", "-c", fmt.Sprintf("sleep 0.%d; exit 5", i))
				if code != 5 || out+errs != "" || err != nil {
					t.Errorf("%d, %q, %q, %v", code, out, errs, err)
				}
			}
		})
	}
	group.Wait()
}

// workload starts children and notes them, and ends when its file "stop" is there.
const workload = `n=0; while ! test -e $0.stop; do n=$((n+1)); sh -c 'echo $$ $2 >>$1; exit $2' x $0 $((n%100)); done; exit 42`

// The server is killed again and again: its clients notice a pause.
func TestServerKilled(t *testing.T) {
	r := newRig(t)
	w, out := r.watch("-r", "-o", "json")
	file := filepath.Join(t.TempDir(), "log")
	b := r.start(r.Cmd("ctrun", "-V", "-i", "none", "-c", "exit", "-f", "signal", "sh", "-c", workload, file))
	died := r.start(r.Cmd("ctrun", "-V", "-r", "0", "-f", "core", "sh", "-c", `echo run >>$0; test $(wc -l <$0) -ge 50 && exit 6; sleep 0.02; kill -SEGV $$`, file+".died"))
	testenv.Eventually(t, func() bool { _, err := os.Stat(file); return err == nil && lines(t, file) > 5 }, "the workload")
	const kills = 15
	for range kills {
		before := lines(t, file)
		old := r.KillContractd()
		testenv.Eventually(t, func() bool { return r.PID("global", "contractd") != old && lines(t, file) > before }, "a successor, and the workload to go on")
		if _, errs, code := r.ctrun("sh", "-c", "exit 3"); code != 3 {
			t.Errorf("ctrun meanwhile: %d, %q", code, errs)
		}
	}
	must(t, os.WriteFile(file+".stop", nil, 0o600))
	if code := b.exit(); code != 42 {
		t.Errorf("the workload's: %d, %s", code, b.err.String())
	}
	if code := died.exit(); code != 6 || lines(t, file+".died") != 50 {
		t.Errorf("the one that died: %d, %d runs", code, lines(t, file+".died"))
	}
	compareExits(t, file, r.contractOf(b), out)
	if !w.running() {
		t.Errorf("ctwatch has ended: %s", w.err.String())
	}
}

// contractOf is the number of the contract that a ctrun -v has said first.
func (r *rig) contractOf(b *background) (ct int) {
	r.t.Helper()
	if _, err := fmt.Sscanf(b.err.String(), "ctrun: contract %d: process", &ct); err != nil {
		r.t.Fatalf("%v: %q", err, b.err.String())
	}
	return ct
}

// compareExits: each exit that the workload has noted is told once, in order, and no other but
// its own.
func compareExits(t *testing.T, file string, ct int, out *sink) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	want := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var pid, exit int
		_, err := fmt.Sscan(line, &pid, &exit)
		must(t, err)
		want[fmt.Sprintf("exit %d %d", pid, exit<<8)]++
	}
	testenv.Eventually(t, func() bool {
		return slices.ContainsFunc(events(t, out.String()), func(e event) bool { return e.CTID == ct && e.Event == "empty" })
	}, "the last event of the workload")
	var last uint64
	for _, e := range events(t, out.String()) {
		if e.CTID != ct || e.Event != "exit" {
			continue
		}
		if e.EVID <= last {
			t.Errorf("event %d after %d", e.EVID, last)
		}
		last = e.EVID
		key := fmt.Sprintf("exit %d %d", e.Pid, e.Status)
		if want[key]--; want[key] < 0 && e.Status != 42<<8 {
			t.Errorf("told too often: %s", key)
		}
	}
	for key, n := range want {
		if n > 0 {
			t.Errorf("not told: %s", key)
		}
	}
}

// The keeper is killed: the server goes on until it is not needed. Both are: clients are told
// and processes live; the next client has a new server.
func TestKeeperKilled(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse)
	r := &rig{Zones: testenv.Instance(t), t: t}
	file := filepath.Join(t.TempDir(), "pid")
	script := []string{"-V", "sh", "-c", "echo $$ >$0; while ! test -e $0.stop; do sleep 0.01; done; exit 4", file}
	b := r.start(r.Cmd("ctrun", script...))
	pid := number(t, file)
	st := r.of(pid)
	w, _ := r.watch()
	kill(t, r.PID("global", "zsched"), unix.SIGKILL)
	if _, errs, code := r.ctrun("sh", "-c", "exit 3"); code != 3 {
		t.Errorf("without a keeper: %d, %q", code, errs)
	}
	if got := r.of(pid); got.CTID != st.CTID || !b.running() || !w.running() {
		t.Errorf("%+v, not %+v", got, st)
	}
	r.KillContractd()
	if code := w.exit(); code != 1 || strings.Count(w.err.String(), "\n") != 1 {
		t.Errorf("ctwatch: %d, %q", code, w.err.String())
	}
	if !alive(pid) {
		t.Error("the member died of it")
	}
	must(t, os.WriteFile(file+".stop", nil, 0o600))
	if code := b.exit(); code != 124 || !strings.Contains(b.err.String(), "\nctrun: read ") {
		t.Errorf("ctrun: %d, %q", code, b.err.String())
	}
	if _, err := contract.OpenAt(r.Run + "/contract"); err == nil {
		t.Error("the dead server's file system is taken for one")
	}
	if out, errs, code := r.ctrun("sh", "-c", "exit 3"); code != 3 || out+errs != "" {
		t.Errorf("with a new server: %d, %q, %q", code, out, errs)
	}
}

// The server is killed again and again with nothing to do, on its way out too: it always goes.
func TestKilledWhileLeaving(t *testing.T) {
	r := newRig(t)
	must(t, r.fs.Close())
	for i := range 5 {
		if _, errs, code := r.ctrun("sh", "-c", "exit 3"); code != 3 {
			t.Errorf("%d: %d, %q", i, code, errs)
		}
		pid := r.PID("global", "contractd")
		if fd, err := sys.PidfdOpen(pid); err == nil && pid != 0 {
			// Idle for 100 ms it begins to leave; it is killed a little earlier or later.
			sys.PidfdWait(fd.Int(), 100+15*i)
			_ = sys.PidfdSignal(fd.Int(), unix.SIGKILL)
			fd.Close()
		}
	}
}
