package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestLife(t *testing.T) {
	i := newInstance(t, "say starting up", "serve")
	z := i.serving("web")
	if got := z.words(); got != "starting up\n\x01ready\n" {
		t.Errorf("it said %q", got)
	}
	for name, mode := range map[string]os.FileMode{
		i.lay.Run: os.ModeDir | 0o755, i.lay.Status(): os.ModeDir | 0o755, i.lay.State(): os.ModeDir | 0o700, i.lay.ZoneState("web"): os.ModeDir | 0o700,
		i.lay.ZoneState("web") + "/door": os.ModeSocket | 0o600, i.lay.ZoneState("web") + "/console": os.ModeSocket | 0o600,
		i.lay.ZoneState("web") + "/zsched.pid": 0o600, i.lay.ZoneState("web") + "/zsched.log": 0o600,
	} {
		if strings.HasSuffix(name, logName) { // which is written beside all else
			testenv.Eventually(t, func() bool { _, err := os.Stat(name); return err == nil }, name)
		}
		if st, err := os.Stat(name); err != nil || st.Mode() != mode {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", z.cmd.Process.Pid))
	check(t, err)
	want := fmt.Sprintf("zsched web: monitoring pid %d (healthy)", z.zoned())
	if got := strings.Trim(string(b), "\x00"); got != want {
		t.Errorf("ps shows %q, not %q", got, want)
	}
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE} {
		check(t, z.cmd.Process.Signal(sig))
	}
	second := i.command("web").start()
	if code := second.wait(); code != exitTaken || second.words() != "" {
		t.Errorf("a second one ended with %d and said %q", code, second.words())
	}
	i.serving("mail") // another zone has one of its own
	if code := z.leave(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	for _, name := range []string{"door", "console", "zsched.pid"} {
		if _, err := os.Lstat(filepath.Join(i.lay.ZoneState("web"), name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

func TestUsage(t *testing.T) {
	i := newInstance(t)
	for _, args := range [][]string{{}, {"-z"}, {"-z", ""}, {"web"}, {"-z", "web", "x"}, {"-z", ".."}, {"-z", "a/b"}, {"-z", strings.Repeat("x", 65)}} {
		z := i.command("web")
		z.cmd.Args = append(z.cmd.Args[:1], args...)
		if code := z.start().wait(); code != exitUsage || !strings.HasPrefix(z.words(), "Usage: zsched -z zonename\n") {
			t.Errorf("%q: %d, %q", args, code, z.words())
		}
	}
}

// The first supervisor's failure is this program's.
func TestFirstStartFails(t *testing.T) {
	for plan, want := range map[string]struct {
		code int
		says string
	}{
		"exit 5":                   {5, ""},
		"exit 17":                  {17, ""},
		"exit 0":                   {1, ""},
		"say cannot do it\nexit 1": {1, "cannot do it\n"},
		"die 11":                   {1, "zsched: zone 'web': fork child died before signaling startup (killed (SIGSEGV))\n"},
	} {
		i := newInstance(t, plan)
		z := i.command("web").start()
		if code := z.wait(); code != want.code || z.words() != want.says {
			t.Errorf("%q: it ended with %d and said %q", plan, code, z.words())
		}
		if e, _ := os.ReadDir(i.lay.ZoneState("web")); len(e) > 1 {
			t.Errorf("%q: left behind: %v", plan, e)
		}
	}
}

// What another left: a number, an empty file, a number of somebody who lives and holds no lock.
func TestStalePidfile(t *testing.T) {
	for _, text := range []string{"", "999999\n", fmt.Sprintln(os.Getpid()), "rubbish"} {
		i := newInstance(t, "serve")
		check(t, os.MkdirAll(i.lay.ZoneState("web"), 0o700))
		name := i.lay.ZoneState("web") + "/" + pidName
		check(t, os.WriteFile(name, []byte(text), 0o600))
		check(t, os.WriteFile(i.lay.ZoneState("web")+"/door", nil, 0o600))
		z := i.serving("web")
		if got, _ := os.ReadFile(name); string(got) != fmt.Sprintln(z.cmd.Process.Pid) {
			t.Errorf("the file says %q", got)
		}
		z.leave()
	}
}

// Many are started at once: one serves, the others say that it does.
func TestRace(t *testing.T) {
	i := newInstance(t, "serve")
	var all []*zsched
	for range 12 {
		all = append(all, i.command("web").start())
	}
	serving := 0
	for _, z := range all {
		testenv.Eventually(t, func() bool {
			select {
			case <-z.done:
				return true
			default:
				return strings.Contains(z.words(), "\x01ready\n")
			}
		}, "each to serve or end")
		if strings.Contains(z.words(), "\x01ready\n") {
			serving++
		} else if code := z.wait(); code != exitTaken || z.words() != "" {
			t.Errorf("one ended with %d and said %q", code, z.words())
		}
	}
	if serving != 1 {
		t.Errorf("%d serve", serving)
	}
}

// A successor begins where the one before ended, again and again, and none is refused for ever.
func TestSuccession(t *testing.T) {
	i := newInstance(t, "serve")
	for range 10 {
		z := i.serving("web")
		if code := z.leave(); code != 0 {
			t.Fatalf("it ended with %d", code)
		}
		check(t, os.Remove(filepath.Join(i.root, "pid.web")))
	}
}

func TestHostileDirectories(t *testing.T) {
	testenv.NeedRoot(t)
	for name, c := range map[string]struct {
		prepare func(i *instance) error
		says    string
	}{
		"the state is a link": {func(i *instance) error {
			return os.Symlink(i.root, i.lay.State())
		}, "not a directory"},
		"the zone's state is a link": {func(i *instance) error {
			if err := os.Mkdir(i.lay.State(), 0o700); err != nil {
				return err
			}
			return os.Symlink(i.root, i.lay.ZoneState("web"))
		}, "not a directory"},
		"the state is a file": {func(i *instance) error {
			return os.WriteFile(i.lay.State(), nil, 0o600)
		}, "not a directory"},
		"the state is another's": {func(i *instance) error {
			if err := os.Mkdir(i.lay.State(), 0o700); err != nil {
				return err
			}
			return os.Chown(i.lay.State(), 1000, 1000)
		}, "belongs to another user"},
		"the door is a directory": {func(i *instance) error {
			return os.MkdirAll(i.lay.ZoneState("web")+"/door/full", 0o700)
		}, "unlink door"},
		"the lock is a link": {func(i *instance) error {
			if err := os.MkdirAll(i.lay.ZoneState("web"), 0o700); err != nil {
				return err
			}
			return os.Symlink("/etc/passwd", i.lay.ZoneState("web")+"/"+pidName)
		}, "open zsched.pid"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "serve")
			check(t, os.MkdirAll(i.lay.Run, 0o755))
			check(t, c.prepare(i))
			z := i.command("web").start()
			code := z.wait()
			if code != 1 || !strings.HasPrefix(z.words(), "zsched: zone 'web': ") || !strings.Contains(z.words(), c.says) || strings.Count(z.words(), "\n") != 1 {
				t.Errorf("it ended with %d and said %q", code, z.words())
			}
		})
	}
}

// Directories that are too open are closed before anything is in them.
func TestDirectoriesAreClosed(t *testing.T) {
	i := newInstance(t, "serve")
	check(t, os.MkdirAll(i.lay.ZoneState("web"), 0o755))
	for _, d := range []string{i.lay.State(), i.lay.ZoneState("web")} {
		check(t, os.Chmod(d, 0o777))
	}
	i.serving("web")
	for _, d := range []string{i.lay.State(), i.lay.ZoneState("web")} {
		if st, _ := os.Stat(d); st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", d, st.Mode())
		}
	}
}

func TestWithoutPrivilege(t *testing.T) {
	testenv.NeedRoot(t)
	i := newInstance(t, "serve")
	dir, err := programs()
	check(t, err)
	check(t, os.Chmod(dir, 0o755))
	z := i.command("web")
	z.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	z.start()
	if code := z.wait(); code != 1 || !strings.Contains(z.words(), "permission denied") || strings.Count(z.words(), "\n") != 1 {
		t.Errorf("it ended with %d and said %q", code, z.words())
	}
}

// The console's history outlives its keeper; a file that is none is no obstacle.
func TestRingIsKept(t *testing.T) {
	i := newInstance(t, "serve", "append first|", "read")
	name := filepath.Join(i.lay.ZoneState("web"), ringName)
	for _, c := range []struct {
		spoil func() error
		want  string
	}{
		{func() error { return nil }, `"first|" <nil>`},
		{func() error { return nil }, `"first|first|" <nil>`},
		{func() error { return os.Truncate(name, 40) }, `"first|" <nil>`},
		{func() error { return os.WriteFile(name, nil, 0o600) }, `"first|" <nil>`},
		{func() error { return os.Truncate(name, 1<<30) }, `"first|" <nil>`},
		{func() error { _ = os.Remove(name); return os.Symlink("/etc/passwd", name) }, `"first|" <nil>`},
		{func() error { _ = os.Remove(name); return unix.Mkfifo(name, 0o600) }, `"first|" <nil>`},
		{func() error {
			_ = os.Remove(name)
			if err := os.Mkdir(name, 0o700); err != nil {
				return err
			}
			return os.WriteFile(name+"/x", nil, 0o600)
		}, `"first|" <nil>`},
	} {
		check(t, c.spoil())
		z := i.serving("web")
		if got := i.file("ring.web"); got != c.want {
			t.Errorf("the ring holds %s, not %s", got, c.want)
		}
		if st, err := os.Lstat(name); err == nil && st.Mode().IsRegular() && st.Size() > 40 && st.Size() < 1<<30 {
			t.Error("the snapshot could be taken by another keeper")
		}
		if code := z.leave(); code != 0 {
			t.Errorf("it ended with %d", code)
		}
		_ = os.Remove(filepath.Join(i.root, "pid.web"))
	}
	if e, _ := filepath.Glob(name + ".tmp"); len(e) > 0 {
		t.Errorf("left behind: %v", e)
	}
}

// How long a zone is without a supervisor, and what a keeper costs.
func TestFigures(t *testing.T) {
	i := newInstance(t, "serve", "hold")
	z, other := i.serving("web"), i.serving("mail")
	_ = other
	kb := private(t, z.cmd.Process.Pid)
	if kb > 1024 {
		t.Errorf("a keeper has %d kB to itself", kb)
	}
	var longest, sum time.Duration
	const kills = 10
	for range kills {
		old := z.zoned()
		fd, err := sys.PidfdOpen(old)
		check(t, err)
		began := time.Now()
		check(t, sys.PidfdSignal(fd.Int(), unix.SIGKILL))
		testenv.Eventually(t, func() bool { return z.zoned() != old && z.zoned() != 0 }, "another supervisor")
		took := time.Since(began)
		fd.Close()
		longest, sum = max(longest, took), sum+took
	}
	t.Logf("private memory %d kB, after %d restarts %d kB; restart to serving: mean %v, longest %v (the test's own supervisor, looked at every 5 ms)",
		kb, kills, private(t, z.cmd.Process.Pid), sum/kills, longest)
}

// private is the memory of a process that is nobody else's, in kB.
func private(t *testing.T, pid int) (kb int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	check(t, err)
	for line := range strings.Lines(string(b)) {
		var n int
		if _, err := fmt.Sscanf(line, "Private_Clean: %d kB", &n); err == nil {
			kb += n
		}
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &n); err == nil {
			kb += n
		}
	}
	return kb
}

// What a keeper has said is there after the next one has begun, and after those that had nothing to
// say.
func TestLogOutlivesTheKeeper(t *testing.T) {
	i := newInstance(t, "serve", "hold")
	z := i.serving("web")
	first := z.zoned()
	p, err := os.FindProcess(first)
	check(t, err)
	check(t, p.Kill())
	testenv.Eventually(t, func() bool { return z.zoned() != first }, "another supervisor")
	z.leave()
	name := i.lay.ZoneState("web") + "/" + logName
	want, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(want), "killed (SIGKILL), restarting") {
		t.Fatalf("%q, %v", want, err)
	}
	for range 2 {
		i.serving("web").leave()
		if got, err := os.ReadFile(name + ".0"); err != nil || string(got) != string(want) {
			t.Errorf("it was put aside as %q, %v", got, err)
		}
		if got, err := os.ReadFile(name); err != nil || len(got) > 0 {
			t.Errorf("the new one begins with %q, %v", got, err)
		}
	}
}
