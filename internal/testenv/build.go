package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// built is the programs' directory, found or made once for this process.
var built = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("ZONES_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	return build()
})

// Build gives the directory of the programs under test: $ZONES_BIN, or one that it builds
// from the sources as they are, once for each run of `go test`. zoneadm, zonecfg, zlogin,
// zoned, zsched and zrun are in it, and inzone/.
func Build(t testing.TB) string {
	t.Helper()
	ownDir()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Program is the path of one program under test, and Build where need be.
func Program(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Build(t), name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the program under test is missing: %v", err)
	}
	return path
}

// build makes the programs incrementally in .cache/testbin/make, and gives this run of
// `go test` hard links to them in a directory of its own: a later build, which replaces
// files by renaming, does not change programs under a run that is under way.
func build() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cache := filepath.Join(root, ".cache/testbin")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	removeStaleRuns(cache)
	dir := filepath.Join(cache, runName())
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	race := os.Getenv("ZONES_RACE")
	made := filepath.Join(cache, "make"+race)
	cmd := exec.Command("make", "-s", "-C", root, "build", "BIN="+made, "RACE="+race)
	// make's own variables, of a `make test` that ended here, are not for this one.
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs under test: %w\n%s", err, out)
	}
	if out, err := exec.Command("cp", "-al", made, dir+".new").CombinedOutput(); err != nil {
		return "", fmt.Errorf("link the programs under test: %w\n%s", err, out)
	}
	return dir, os.Rename(dir+".new", dir)
}

// runName names the run by the process that started the tests: `go test` is the parent of
// every package's test.
func runName() string {
	pid := os.Getppid()
	p, _, _ := readProcess(pid)
	return fmt.Sprintf("run-%d-%s", pid, p.start)
}

// removeStaleRuns removes the directories of runs whose process is gone.
func removeStaleRuns(cache string) {
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		rest, found := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".new"), "run-")
		if !found {
			continue
		}
		pidText, start, _ := strings.Cut(rest, "-")
		pid, _ := strconv.Atoi(pidText)
		if p, _, ok := readProcess(pid); !ok || p.start != start || strings.HasSuffix(e.Name(), ".new") {
			_ = os.RemoveAll(filepath.Join(cache, e.Name()))
		}
	}
}
