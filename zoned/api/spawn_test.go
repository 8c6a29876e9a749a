package api_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/api"
	"golang.org/x/sys/unix"
)

// script makes an executable shell script that stands for a program of ours.
func script(t *testing.T, body string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "zsched")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func spawner(t *testing.T, body string) *api.Spawner {
	s := &api.Spawner{Layout: layout.At(t.TempDir()), Program: script(t, body)}
	s.SetScope("")
	t.Cleanup(func() {
		s.Wait()
		testenv.Eventually(t, func() bool { // a cgroup is empty a moment after its last process was waited for
			s.UnmakeHome(zone)
			_, err := os.Stat(s.Home(zone))
			return err != nil
		}, "the supervisor's cgroup to go")
	})
	return s
}

func TestSpawnReady(t *testing.T) {
	s := spawner(t, `echo "hello from $1 $2"; echo to stderr >&2; printf '\001ready\n'; echo late; sleep 0.2`)
	var said []string
	if err := s.Start(shortly(t), zone, func(l string) { said = append(said, l) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"hello from -z web", "to stderr"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// TestSpawnHome: a supervisor is born in its zone's cgroup; one that does not come leaves none, and
// takes none away in which another one lives.
func TestSpawnHome(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2)
	own, err := cgroup2.Own()
	if err != nil {
		t.Fatal(err)
	}
	s := spawner(t, `case $1$2 in -zweb) sed -n 's/^0:://p' /proc/self/cgroup; printf '\001ready\n'; exec sleep 0.3;; esac`)
	var said []string
	if err := s.Start(shortly(t), zone, func(l string) { said = append(said, l) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/zones" + s.Layout.Tag() + "/web/sup"}; !slices.Equal(said, want) || own == want[0] {
		t.Errorf("born in %q, want %q", said, want)
	}
	failing := &api.Spawner{Layout: s.Layout, Program: script(t, "exit 3")}
	failing.SetScope("")
	if err := failing.Start(shortly(t), zone, nil); err == nil {
		t.Error("a start that fails is none")
	}
	if _, err := os.Stat(s.Home(zone)); err != nil {
		t.Errorf("another one's failure took the directory of who lives there: %v", err)
	}
	s.Wait()
	testenv.Eventually(t, func() bool {
		if err := failing.Start(shortly(t), zone, nil); err == nil {
			t.Error("a start that fails is none")
		}
		_, err := os.Stat(filepath.Dir(filepath.Dir(s.Home(zone))))
		return err != nil
	}, "nothing to be left of starts that failed")
}

// TestSpawnHomeRemoved: starts whose directory others take away at any moment come all the same.
func TestSpawnHomeRemoved(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2)
	s := spawner(t, `printf '\001ready\n'`)
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.UnmakeHome(zone)
			}
		}
	})
	for i := range 50 {
		if err := s.Start(shortly(t), zone, nil); err != nil {
			t.Errorf("start %d: %v", i, err)
		}
	}
	close(stop)
	group.Wait()
}

func TestSpawnFailures(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want string
		said bool
	}{
		"exit code":       {"exit 3", "zsched failed to start (exit code 3)", false},
		"exit 0 is none":  {"exit 0", "zsched failed to start (exit code 0)", false},
		"with a reason":   {"echo cannot; exit 1", "zsched failed to start (exit code 1)", true},
		"killed":          {"kill -SEGV $$", "zsched died before signaling startup (killed (segmentation fault))", false},
		"ready not alone": {"printf 'x\\001ready\\n'; exit 5", "zsched failed to start (exit code 5)", true},
	} {
		t.Run(name, func(t *testing.T) {
			err := spawner(t, c.body).Start(shortly(t), zone, func(string) {})
			var se *api.StartError
			if !errors.As(err, &se) || se.Error() != c.want || se.Said != c.said {
				t.Errorf("%v (%+v), want %q", err, se, c.want)
			}
		})
	}
	if err := spawner(t, "exit 17").Start(shortly(t), zone, nil); !errors.Is(err, api.ErrInCharge) {
		t.Errorf("exit 17: %v, want ErrInCharge", err)
	}
	none := &api.Spawner{Layout: layout.At(t.TempDir())}
	if err := none.Start(shortly(t), zone, nil); !errors.Is(err, api.ErrNoProgram) {
		t.Errorf("no program: %v", err)
	}
}

// TestSpawnIsClean: what the supervisor is born with is all ours.
func TestSpawnIsClean(t *testing.T) {
	t.Setenv("SECRET", "x")
	t.Setenv("LD_PRELOAD", "")
	t.Setenv("LC_TIME", "de_DE")
	t.Setenv("PATH", "/tmp/evil:"+os.Getenv("PATH"))
	// A descriptor that this process was born with is not close-on-exec.
	leak, err := unix.Dup(1)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	s := spawner(t, `pwd; env | sort | grep -v '^_=\|^SHLVL=\|^OLDPWD=\|^PWD='
for f in /proc/$$/fd/*; do case ${f##*/} in 0|1|2|10|255) ;; *) [ -e $f ] && echo "leaked $f $(readlink $f)";; esac; done
readlink /proc/$$/fd/0
cut -d' ' -f6 /proc/$$/stat | grep -qx $$ && echo session leader
printf '\001ready\n'`)
	var said []string
	if err := s.Start(shortly(t), zone, func(l string) { said = append(said, l) }); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "LANG=") || strings.HasPrefix(v, "LC_") {
			want = append(want, v)
		}
	}
	want = append(want, "GOMAXPROCS=1", "GOGC=20", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ZONES_ROOT="+s.Layout.Root)
	slices.Sort(want)
	want = append(append([]string{"/"}, want...), "/dev/null", "session leader")
	if !slices.Equal(said, want) {
		t.Errorf("the supervisor was born with\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
}

func TestSpawnLongLines(t *testing.T) {
	s := spawner(t, `head -c 100000 /dev/zero | tr '\0' x; echo; yes | head -n 3000; printf '\001ready\n'`)
	longest, lines := 0, 0
	if err := s.Start(shortly(t), zone, func(l string) { longest, lines = max(longest, len(l)), lines+1 }); err != nil {
		t.Fatal(err)
	}
	if longest != 4096 || lines != 1000 {
		t.Errorf("longest line %d bytes of %d lines, want 4096 and 1000", longest, lines)
	}
}

// TestSpawnCancelled: a supervisor that hangs holds nobody who has lost interest.
func TestSpawnCancelled(t *testing.T) {
	dir := t.TempDir()
	s := spawner(t, "while [ -d "+dir+" ]; do sleep 0.1; done")
	t.Cleanup(func() { os.Remove(dir) }) // before it is waited for
	ctx := shortly(t)
	done := make(chan error)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	go func() { done <- s.Start(short, zone, nil) }()
	select {
	case err := <-done:
		if !errors.Is(err, short.Err()) {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Error("a cancelled start did not return")
	}
}

func TestScope(t *testing.T) {
	// Stands for systemd-run: shows its arguments, then runs what follows "--".
	run := script(t, `echo "$@" >$0.args; while [ "$1" != -- ]; do shift; done; shift; exec "$@"`)
	s := spawner(t, `echo "I am $2"; printf '\001ready\n'`)
	s.SetScope(run)
	var said []string
	if err := s.Start(shortly(t), zone, func(l string) { said = append(said, l) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(said, []string{"I am web"}) {
		t.Errorf("said %q", said)
	}
	b, err := os.ReadFile(run + ".args")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--scope ", "--collect ", "--slice=zones.slice ", "-p Delegate=yes ", "--unit=zone-web" + s.Layout.Tag() + "-"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("systemd-run got %q, without %q", b, want)
		}
	}
}

func TestScopePassesFailures(t *testing.T) {
	run := script(t, `while [ "$1" != -- ]; do shift; done; shift; exec "$@"`)
	for code, want := range map[int]string{17: api.ErrInCharge.Error(), 4: "zsched failed to start (exit code 4)"} {
		s := spawner(t, fmt.Sprintf("exit %d", code))
		s.SetScope(run)
		s.Warn = func(l string) { t.Errorf("warned %q", l) }
		if err := s.Start(shortly(t), zone, nil); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestScopeFallsBack: systemd that refuses, hangs or is broken does not keep a zone down.
func TestScopeFallsBack(t *testing.T) {
	defer api.SetScopeTimeMax(300 * time.Millisecond)()
	for name, run := range map[string]string{
		"refuses":   script(t, "echo Failed to start transient scope unit: no bus >&2; exit 1"),
		"hangs":     script(t, "exec sleep 100"),
		"not there": "/nonexistent/systemd-run",
	} {
		t.Run(name, func(t *testing.T) {
			s := spawner(t, `printf '\001ready\n'`)
			s.SetScope(run)
			var warned []string
			s.Warn = func(l string) { warned = append(warned, l) }
			if err := s.Start(shortly(t), zone, func(l string) { t.Errorf("said %q", l) }); err != nil {
				t.Fatal(err)
			}
			if len(warned) != 1 || !strings.HasPrefix(warned[0], "WARNING: systemd gave no scope (") {
				t.Errorf("warned %q", warned)
			}
		})
	}
}

func TestIgnoredSignalsDoNotStayIgnored(t *testing.T) {
	ignoreForTest(t, syscall.SIGHUP, syscall.SIGUSR1)
	s := spawner(t, `grep SigIgn /proc/$$/status; printf '\001ready\n'`)
	var said []string
	if err := s.Start(shortly(t), zone, func(l string) { said = append(said, l) }); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 {
		t.Fatalf("the child said %q", said)
	}
	mask, err := strconv.ParseUint(said[0][strings.LastIndexAny(said[0], " \t")+1:], 16, 64)
	// 32 and 33 are the C library's own: no program can set them through it, and make(1) leaves
	// them ignored to its children.
	const library = 3 << (32 - 1)
	if err != nil || mask&^library != 0 {
		t.Errorf("ignored signals of the child: %q", said)
	}
}
