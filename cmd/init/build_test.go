package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// names are what the program answers to.
var names = []string{"trampoline", "enter", "halt", "poweroff", "reboot", "shutdown", "telinit", "zonename", "ctrun", "ctstat", "ctwatch"}

var build struct {
	sync.Mutex
	dir string
}

// Bin gives a directory of the program and its links, built once for a test process, from
// the sources as they are and as the Makefile does.
func Bin(t testing.TB) string {
	t.Helper()
	build.Lock()
	defer build.Unlock()
	if build.dir != "" {
		return build.dir
	}
	dir := filepath.Join(testenv.Root(t), ".cache", "testzone", filepath.Base(os.Args[0]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(dir, "init"), "./cmd/init")
	cmd.Dir = testenv.Root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the in-zone program: %v\n%s", err, out)
	}
	for _, name := range names {
		link := filepath.Join(dir, name)
		os.Remove(link)
		if err := os.Symlink("init", link); err != nil {
			t.Fatal(err)
		}
	}
	build.dir = dir
	return dir
}
