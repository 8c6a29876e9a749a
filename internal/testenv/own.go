package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/linuxzones/zones/internal/layout"
)

// runVariable marks the environment of every process that this process's tests start.
const runVariable = "ZONES_TEST_RUN"

// dirPrefix begins the names of the private directories.
const dirPrefix = "zones-test-"

// own is what this process may call its own on the host.
var own struct {
	once  sync.Once
	dir   string // private directory: every temporary file and instance is below it
	token string // value of runVariable

	mu   sync.Mutex
	tags []string // tags of the process and of its instances, guarded by mu
}

// ownDir makes the process's private directory and moves TMPDIR there, so that t.TempDir
// is below it too: a mount or a process can then be attributed by its path.
//
// It lies in /var/tmp rather than /tmp, which is a tmpfs on some hosts: a zone's root
// must be idmappable, and a tmpfs is not before Linux 6.3.
func ownDir() string {
	own.once.Do(func() {
		base := os.Getenv("TMPDIR")
		if base == "" {
			base = "/var/tmp"
		}
		sweepStale(base)
		dir, err := os.MkdirTemp(base, dirPrefix)
		if err == nil {
			_, err = keepLocked(dir)
		}
		if err != nil {
			panic(fmt.Sprintf("testenv: no temporary directory: %v", err))
		}
		// Users of the tests' own making must get through to what they may read.
		if err := os.Chmod(dir, 0o755); err != nil {
			panic(fmt.Sprintf("testenv: %v", err))
		}
		own.dir = dir
		own.token = filepath.Base(dir)
		os.Setenv("TMPDIR", dir)
		os.Setenv(runVariable, own.token)
		addTag(layout.At(dir).Tag())
	})
	return own.dir
}

// Tag is a string unique to this process, for tests that make something global by hand (a
// cgroup, a network device, a pin): with the tag in its name, Main notices it when it is left.
func Tag() string { return layout.At(ownDir()).Tag() }

func addTag(tag string) {
	own.mu.Lock()
	defer own.mu.Unlock()
	own.tags = append(own.tags, tag)
}

func ownTags() []string {
	own.mu.Lock()
	defer own.mu.Unlock()
	return append([]string(nil), own.tags...)
}

// Cgroup makes a cgroup2 directory for one test, directly below the mount, with Tag in its
// name, and removes it, its descendants and their members at the end.
func Cgroup(t testing.TB) string {
	t.Helper()
	NeedRoot(t)
	Need(t, Cgroup2)
	root, err := Cgroup2Mount()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(root, "zones-test-*"+Tag())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeCgroup(dir); err != nil {
			t.Errorf("remove the test's cgroup: %v", err)
		}
	})
	return dir
}

// taggedCgroups lists the directories, of any hierarchy, whose name carries one of tags;
// a parent stands before its children. What is below a match is part of it and not listed.
func taggedCgroups(tags []string) []string {
	var found []string
	for _, root := range cgroupMounts() {
		walkCgroups(root, 0, func(dir string) bool {
			for _, tag := range tags {
				if strings.Contains(filepath.Base(dir), tag) {
					found = append(found, dir)
					return false
				}
			}
			return true
		})
	}
	return found
}

// describeCgroup names a cgroup and how far it reaches down.
func describeCgroup(dir string) string {
	words := "cgroup " + dir
	walkCgroups(dir, 0, func(child string) bool {
		words += " " + strings.TrimPrefix(child, dir)
		return true
	})
	return words
}

// cgroupDepthMax bounds the search: a zone's cgroup is within a slice, a scope or a session.
const cgroupDepthMax = 8

func walkCgroups(dir string, depth int, visit func(string) bool) {
	if depth > cgroupDepthMax {
		return
	}
	entries, _ := os.ReadDir(dir) // one that vanishes meanwhile has nothing to show
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		child := filepath.Join(dir, e.Name())
		if visit(child) {
			walkCgroups(child, depth+1, visit)
		}
	}
}

// removeCgroup kills the members of a cgroup and its descendants and removes them all.
func removeCgroup(dir string) error {
	dirs := []string{dir}
	walkCgroups(dir, 0, func(child string) bool {
		dirs = append(dirs, child)
		return true
	})
	// The old hierarchies have no cgroup.kill, but the same processes.
	_ = os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte("0"), 0)
	_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	for i := len(dirs) - 1; i >= 0; i-- {
		var err error
		poll(Deadline(eventuallyDeadline), func() bool {
			err = os.Remove(dirs[i])
			return err == nil || os.IsNotExist(err)
		})
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove cgroup %s: %w", dirs[i], err)
		}
	}
	return nil
}
