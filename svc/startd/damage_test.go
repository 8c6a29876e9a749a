package startd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
)

// impatient has what waits for a repository look at it more often.
func impatient(t *testing.T) {
	every, most := lookEvery, retryMax
	lookEvery, retryMax = 10*time.Millisecond, 50*time.Millisecond
	t.Cleanup(func() { lookEvery, retryMax = every, most })
}

// kept is a zone whose repository has number 1, as a backup of it has, and a console.
func kept(t *testing.T) (z *zone, backup string) {
	t.Helper()
	z = newZone(t)
	r := z.start()
	z.booted()
	c := z.client()
	put(t, c, "1")
	backup, _, err := c.Backup("kept")
	must(t, err)
	must(t, r.end())
	must(t, os.RemoveAll(z.path("log")))
	must(t, os.WriteFile(z.path("console"), nil, 0o644))
	return z, backup
}

const unusable = "the repository cannot be used, and no service is: "

// restore does what restore_repository does. While the repository is tried, it is in use.
func (z *zone) restore(backup string) {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool {
		err := repo.Restore(z.cfg.Repository, backup)
		if err != nil && !errors.Is(err, repo.ErrLocked) {
			z.t.Fatal(err)
		}
		return err == nil
	}, "the backup to be put in place")
}

// TestDamaged: a repository that cannot be used is told once, stays as it is, and nobody is
// served; once a backup is in its place, all goes on.
func TestDamaged(t *testing.T) {
	impatient(t)
	for name, c := range map[string]struct {
		spoil func(path string, b []byte) error
		said  string
	}{
		"flipped": {func(path string, b []byte) error {
			for i := 8192; i < len(b); i += 100 {
				b[i] ^= 0x55
			}
			return os.WriteFile(path, b, 0o600)
		}, "is damaged"},
		"cut off":   {func(path string, _ []byte) error { return os.Truncate(path, 5*4096) }, "is damaged"},
		"cut short": {func(path string, _ []byte) error { return os.Truncate(path, 100) }, "is damaged"},
		"empty":     {func(path string, _ []byte) error { return os.Truncate(path, 0) }, "is damaged"},
		"text": {func(path string, _ []byte) error {
			return os.WriteFile(path, []byte(strings.Repeat("text\n", 9999)), 0o600)
		}, "is damaged"},
		"a link": {func(path string, _ []byte) error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		}, "too many levels"},
		"a dead link": {func(path string, _ []byte) error {
			return errors.Join(os.Remove(path), os.Symlink(path+".real", path))
		}, "too many levels"},
		"gone":   {func(path string, _ []byte) error { return os.Remove(path) }, "is missing, and its backups are not; go back to one with: "},
		"a pipe": {func(path string, _ []byte) error { return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			z, backup := kept(t)
			b, err := os.ReadFile(z.cfg.Repository.Path)
			must(t, err)
			must(t, c.spoil(z.cfg.Repository.Path, b))
			spoilt := fileState(z.cfg.Repository.Path)
			r := z.start()
			z.logged(unusable)
			// The console is written after the log.
			testenv.Eventually(t, func() bool { return strings.Contains(z.read("console"), unusable) }, "the console to say it")
			<-time.After(10 * retryMax) // it is tried, again and again
			said := z.read("console")
			if strings.Count(said, unusable) != 1 || strings.Count(z.log(), unusable) != 1 || !strings.Contains(said, c.said) {
				t.Errorf("console:\n%s\nlog:\n%s", said, z.log())
			}
			if c.said == "is damaged" && !strings.Contains(said, "go back to a backup with: "+repo.DefaultRestore+" "+z.path("etc/repository-")) {
				t.Errorf("what to do is not said:\n%s", said)
			}
			if now := fileState(z.cfg.Repository.Path); now != spoilt {
				t.Errorf("it was %+v and is %+v", spoilt, now)
			}
			z.restore(backup)
			if got := number(t, z.client()); got != "1" {
				t.Errorf("number %s", got)
			}
			z.logged("the repository can be used again")
			must(t, r.end())
		})
	}
}

// TestDamagedDirectory: one in its place stays; when it was moved away, and the backups are too,
// there is a new repository.
func TestDamagedDirectory(t *testing.T) {
	impatient(t)
	z, _ := kept(t)
	path := z.cfg.Repository.Path
	must(t, os.Remove(path))
	must(t, os.MkdirAll(filepath.Join(path, "x"), 0o700))
	r := z.start()
	z.logged(unusable)
	<-time.After(10 * retryMax)
	if _, err := os.Lstat(filepath.Join(path, "x")); err != nil || strings.Count(z.log(), unusable) != 1 {
		t.Errorf("%v, log:\n%s", err, z.log())
	}
	must(t, os.Rename(path, path+".away"))
	z.logged("is missing, and its backups are not")
	list, err := repo.Backups(path)
	must(t, err)
	for _, b := range list {
		must(t, os.Remove(b.Path))
	}
	z.logged("the repository can be used again")
	put(t, z.client(), "2")
	must(t, r.end())
}

// TestEndedWhileDamaged: who waits for a repository can be ended, also when it is a pipe.
func TestEndedWhileDamaged(t *testing.T) {
	z, _ := kept(t)
	path := z.cfg.Repository.Path
	must(t, os.Remove(path))
	must(t, unix.Mkfifo(path, 0o600))
	cmd := z.process()
	z.logged(unusable)
	must(t, cmd.Process.Signal(unix.SIGTERM))
	must(t, cmd.Wait())
}

// TestTwoReasons: another reason is another alert.
func TestTwoReasons(t *testing.T) {
	impatient(t)
	z, backup := kept(t)
	path := z.cfg.Repository.Path
	must(t, os.Truncate(path, 100))
	r := z.start()
	z.logged("is damaged")
	must(t, os.Remove(backup))
	for _, other := range []string{"etc/repository-boot-*"} {
		found, err := filepath.Glob(z.path(other))
		must(t, err)
		for _, f := range found {
			must(t, os.Remove(f))
		}
	}
	z.logged("there is no good backup: move it away")
	testenv.Eventually(t, func() bool { return strings.Count(z.read("console"), unusable) > 1 }, "the second alert")
	must(t, os.Rename(path, path+".away"))
	put(t, z.client(), "2")
	must(t, r.end())
}

// TestUnreadable: a file that it may not read.
func TestUnreadable(t *testing.T) {
	testenv.NeedRoot(t)
	z, _ := kept(t)
	const nobody = 65534
	must(t, filepath.Walk(z.dir, func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	}))
	must(t, os.Chmod(filepath.Dir(z.dir), 0o755))
	path := z.cfg.Repository.Path
	must(t, os.Chown(path, 0, 0))
	cmd := z.command()
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	must(t, cmd.Start())
	defer kill(t, cmd)
	z.logged(unusable)
	// The console is written after the log.
	testenv.Eventually(t, func() bool { return strings.Contains(z.read("console"), "permission denied") }, "the console to say why")
	must(t, os.Chown(path, nobody, nobody))
	z.logged("the repository can be used again")
	if got := number(t, z.client()); got != "1" {
		t.Errorf("number %s", got)
	}
}

// TestVolatileDamaged: the file of this boot alone.
func TestVolatileDamaged(t *testing.T) {
	z, _ := kept(t)
	z.boot()
	path := z.cfg.Repository.VolatilePath
	must(t, os.Truncate(path, 100))
	r := z.start()
	z.logged("it holds the state of this boot alone: remove it, and start again")
	must(t, os.Remove(path)) // with retryMax as it is: the file is what is looked at
	z.logged("the repository can be used again")
	if got := number(t, z.client()); got != "1" {
		t.Errorf("number %s", got)
	}
	must(t, r.end())
}

// TestVolatileMissing: without its directory nothing is served; with it all goes on.
func TestVolatileMissing(t *testing.T) {
	impatient(t)
	z, _ := kept(t)
	must(t, os.RemoveAll(z.cfg.Volatile))
	r := z.start()
	z.logged(unusable)
	must(t, os.MkdirAll(z.cfg.Volatile, 0o755))
	z.booted()
	if got := number(t, z.client()); got != "1" {
		t.Errorf("number %s", got)
	}
	must(t, r.end())
}

// TestMendedWhileWaiting: who holds the repository while it is waited for is not another
// svc.startd.
func TestMendedWhileWaiting(t *testing.T) {
	impatient(t)
	z, backup := kept(t)
	for i := range testenv.Rounds(20, 5) { // so that one of them meets the other's look
		must(t, os.Truncate(z.cfg.Repository.Path, 100))
		r := z.start()
		testenv.Eventually(t, func() bool { return strings.Count(z.log(), unusable) == i+1 }, "the alert")
		z.restore(backup)
		if got := number(t, z.client()); got != "1" {
			t.Errorf("number %s", got)
		}
		must(t, r.end())
	}
}

// TestHeldWhileWaiting: for as long as that takes.
func TestHeldWhileWaiting(t *testing.T) {
	impatient(t)
	z, backup := kept(t)
	path := z.cfg.Repository.Path
	must(t, os.Truncate(path, 100))
	r := z.start()
	z.logged(unusable)
	z.restore(backup)
	c := z.client()
	if got := number(t, c); got != "1" {
		t.Errorf("number %s", got)
	}
	must(t, r.end())
	must(t, os.Rename(path, path+".good"))
	must(t, os.WriteFile(path, []byte("x"), 0o600))
	r = z.start()
	testenv.Eventually(t, func() bool { return strings.Count(z.log(), unusable) == 2 }, "the second alert")
	must(t, os.Rename(path+".good", path+".new"))
	var holder *repo.Repo
	testenv.Eventually(t, func() bool {
		_ = os.Rename(path+".new", path)
		h, err := repo.Open(repo.Config{Path: path})
		holder = h
		select {
		case <-r.done:
			t.Fatalf("it has ended: %v", r.err)
		default:
		}
		return err == nil || strings.Count(z.log(), "can be used again") == 2
	}, "somebody to hold it")
	if holder != nil {
		<-time.After(10 * retryMax)
		must(t, holder.Close())
	}
	if got := number(t, c); got != "1" {
		t.Errorf("number %s", got)
	}
	must(t, r.end())
}
