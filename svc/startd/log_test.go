package startd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
)

// TestLogInTheWay: what is no file in the log's place is not written, followed nor waited for;
// the early log has the lines, and the log again once it can be.
func TestLogInTheWay(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a link":           func(path string) error { return os.Symlink(path+".victim", path) },
		"a link to a file": func(path string) error { return os.Symlink("../victim", path) },
		"a pipe":           func(path string) error { return unix.Mkfifo(path, 0o666) },
		"a directory":      func(path string) error { return os.Mkdir(path, 0o755) },
		"a file above": func(path string) error {
			return aboveIs(path, func(dir string) error { return os.WriteFile(dir, nil, 0o644) })
		},
		"a dead link above": func(path string) error {
			return aboveIs(path, func(dir string) error { return os.Symlink("nowhere", dir) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			z := newZone(t)
			must(t, os.WriteFile(z.path("victim"), []byte("as it was"), 0o644))
			must(t, os.Mkdir(z.path("log"), 0o755))
			must(t, put(z.cfg.Log))
			z.boot()
			if early := z.read("volatile/svc.startd.log"); !strings.Contains(early, "the repository is served") || !strings.Contains(early, "ended") {
				t.Errorf("early log: %s", early)
			}
			if got := z.read("victim"); got != "as it was" {
				t.Errorf("what the link names: %q", got)
			}
			if _, err := os.Lstat(z.cfg.Log + ".victim"); err == nil {
				t.Error("a file was made where the link leads")
			}
			must(t, os.RemoveAll(z.path("log")))
			newLog(&z.cfg).say("it is back")
			if !strings.Contains(z.log(), "it is back") {
				t.Errorf("log: %s", z.log())
			}
		})
	}
}

func aboveIs(path string, put func(dir string) error) error {
	dir := filepath.Dir(path)
	if err := os.Remove(dir); err != nil {
		return err
	}
	return put(dir)
}

// TestLogPipeWithReader: nor is one that somebody reads a log.
func TestLogPipeWithReader(t *testing.T) {
	z := newZone(t)
	must(t, os.Mkdir(z.path("log"), 0o755))
	must(t, unix.Mkfifo(z.cfg.Log, 0o666))
	reader, err := os.OpenFile(z.cfg.Log, os.O_RDWR, 0)
	must(t, err)
	defer reader.Close()
	z.boot()
	if early := z.read("volatile/svc.startd.log"); !strings.Contains(early, "ended") {
		t.Errorf("early log: %s", early)
	}
}

// TestNoLog: with neither of them, it works.
func TestNoLog(t *testing.T) {
	z := newZone(t)
	z.cfg.Log, z.cfg.EarlyLog = z.path("import/log"), z.path("import/early")
	z.boot()
}

// TestLogRotates: the log is begun anew when it is large, and the one before is kept, whole.
func TestLogRotates(t *testing.T) {
	z := newZone(t)
	l := newLog(&z.cfg)
	l.say("the first line")
	must(t, os.Truncate(z.cfg.Log, logBytesMax))
	l.say("the last line")
	l.say("a new file")
	old, log := z.read("log/svc.startd.log.0"), z.log()
	if !strings.Contains(old, "the first line\n") || !strings.HasSuffix(old, "the last line\n") || !strings.HasSuffix(log, "a new file\n") || strings.Count(log, "\n") != 1 {
		t.Errorf("log: %q", log)
	}
	must(t, os.Truncate(z.cfg.Log, logBytesMax+1))
	l.say("again")
	if log, old := z.log(), z.read("log/svc.startd.log.0"); strings.Count(log, "\n") != 1 || !strings.Contains(old, "a new file\n") {
		t.Errorf("log: %q", log)
	}
	must(t, os.Remove(z.cfg.Log+".0"))
	must(t, os.MkdirAll(z.cfg.Log+".0/x", 0o755))
	must(t, os.Truncate(z.cfg.Log, logBytesMax+1))
	l.say("it cannot be kept")
	if early := z.read("volatile/svc.startd.log"); !strings.HasSuffix(early, "it cannot be kept\n") {
		t.Errorf("early log: %q", early)
	}
}

// TestLogTogether: lines of many stay whole, and none is lost when the log is begun anew.
func TestLogTogether(t *testing.T) {
	z := newZone(t)
	l := newLog(&z.cfg)
	var group sync.WaitGroup
	const each = 400
	for i := range 4 {
		group.Go(func() {
			for n := range each {
				l.say(fmt.Sprintf("<%d %d %s>", i, n, strings.Repeat("x", 900)))
			}
		})
	}
	group.Wait()
	all := z.read("log/svc.startd.log.0") + z.log()
	for i := range 4 {
		for n := range each {
			if strings.Count(all, fmt.Sprintf("<%d %d x", i, n)) != 1 {
				t.Fatalf("line %d of %d is not there once", n, i)
			}
		}
	}
	if strings.Count(all, "\n") != 4*each || len(z.log()) > logBytesMax {
		t.Errorf("%d lines", strings.Count(all, "\n"))
	}
}

// inside starts one in a mount namespace where the script has mounted something; what it sees is
// below the result.
func (z *zone) inside(script string) (seen *zone, end func(os.Signal) error) {
	z.t.Helper()
	testenv.NeedRoot(z.t)
	exe, err := os.Executable()
	must(z.t, err)
	cmd := z.command()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-ec", "mount --make-rprivate /; cd '" + z.dir + "'; " + script + `; exec "$0"`, exe}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	must(z.t, cmd.Start())
	dir := fmt.Sprintf("/proc/%d/root%s", cmd.Process.Pid, z.dir)
	return &zone{t: z.t, dir: dir, cfg: configOf(dir)}, func(s os.Signal) error {
		_ = cmd.Process.Signal(s)
		return cmd.Wait()
	}
}

// TestLogDiskFull: lines that do not fit are in the early log, and nothing else is disturbed.
func TestLogDiskFull(t *testing.T) {
	z := newZone(t)
	must(t, os.Mkdir(z.path("log"), 0o755))
	seen, end := z.inside("mount -t tmpfs -o size=64k x log; head -c 100000 /dev/zero >log/fill 2>/dev/null || :")
	testenv.Eventually(t, func() bool { return strings.Contains(z.read("volatile/svc.startd.log"), "the repository is served") }, "the early log")
	z.booted()
	put(t, seen.client(), "1")
	must(t, os.Remove(seen.path("log/fill")))
	must(t, end(unix.SIGTERM))
	if early := z.read("volatile/svc.startd.log"); strings.Contains(early, "ended") {
		t.Errorf("the log was not written when it could be; early log: %s", early)
	}
}

// TestVolatileFull: nothing is served while there is no room; then all goes on.
func TestVolatileFull(t *testing.T) {
	z := newZone(t)
	seen, end := z.inside("mount -t tmpfs -o size=64k x volatile; head -c 100000 /dev/zero >volatile/fill 2>/dev/null || :")
	z.logged(unusable)
	if log := z.log(); !strings.Contains(log, "no space left on device") {
		t.Errorf("log: %s", log)
	}
	must(t, os.Remove(seen.path("volatile/fill")))
	if err := end(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	seen, end = z.inside("mount -t tmpfs -o size=2m x volatile; sleep 0.1")
	seen.booted()
	put(t, seen.client(), "1")
	must(t, end(unix.SIGTERM))
	must(t, repo.Check(z.cfg.Repository.Path))
}
