package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
)

// TestSweepStale: what a killed run left goes, what a living one has stays.
func TestSweepStale(t *testing.T) {
	NeedRoot(t)
	base := t.TempDir()
	run := func(name string) string {
		dir := filepath.Join(base, dirPrefix+name)
		must(t, os.MkdirAll(filepath.Join(dir, "z1/run"), 0o755))
		return dir
	}
	dead, alive, made, locking := run("dead"), run("alive"), run("made"), run("locking")
	// Who has just made his directory has a file, and not its lock yet.
	must(t, os.WriteFile(filepath.Join(locking, lockName+".new"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dead, lockName), nil, 0o600))
	lock, err := os.Create(filepath.Join(alive, lockName))
	must(t, err)
	defer lock.Close()
	must(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))

	file := filepath.Join(dead, "z1/run/file")
	must(t, os.WriteFile(file, nil, 0o644))
	daemon := exec.Command("tail", "-f", file)
	must(t, daemon.Start())
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	must(t, unix.Mount("tmpfs", filepath.Join(dead, "z1/run"), "tmpfs", 0, ""))
	root, err := Cgroup2Mount()
	must(t, err)
	cgroup := filepath.Join(root, "zones"+layout.At(filepath.Join(dead, "z1")).Tag(), "web")
	must(t, os.MkdirAll(cgroup, 0o755))

	sweepStale(base)
	<-ended
	for _, path := range []string{dead, cgroup, filepath.Dir(cgroup)} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	for _, path := range []string{alive, made, locking} {
		if _, err := os.Stat(filepath.Join(path, "z1/run")); err != nil {
			t.Errorf("a directory that is in use was touched: %v", err)
		}
	}
}

// TestSweepSparesWhoStarts: a run that begins while others sweep keeps its directory and has its lock.
func TestSweepSparesWhoStarts(t *testing.T) {
	base := t.TempDir()
	stop, swept := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				swept <- n
				return
			default:
				sweepStale(base)
			}
		}
	}()
	for range 500 {
		dir, err := os.MkdirTemp(base, dirPrefix)
		must(t, err)
		fd, err := keepLocked(dir)
		if err == nil {
			_, err = os.Stat(filepath.Join(dir, lockName))
		}
		if err != nil {
			t.Errorf("who starts is swept: %v", err)
		}
		defer unix.Close(fd) // all live, so that a sweep is over soon and the next one comes in between
	}
	close(stop)
	t.Logf("swept %d times", <-swept)
}
