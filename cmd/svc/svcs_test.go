package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/api"
)

// TestRunningZones: of what stands among the zones' states, those that run.
func TestRunningZones(t *testing.T) {
	testenv.NeedRoot(t)
	t.Setenv("ZONES_ROOT", t.TempDir())
	l := layout.FromEnv()
	if names, err := runningZones(); err != nil || len(names) > 0 {
		t.Errorf("%q, %v", names, err)
	}
	must(t, os.MkdirAll(l.Status(), 0o755))
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	must(t, err)
	write := func(name, text string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(l.Status(), name), []byte(text), 0o600))
	}
	start, err := sys.StartTime(os.Getpid())
	must(t, err)
	status := func(state string) string { // this process is the supervisor, if one asks
		b, err := json.Marshal(&api.Status{BootID: string(boot[:len(boot)-1]), State: state, Zoned: api.Process{Pid: os.Getpid(), Start: start}})
		must(t, err)
		return string(b)
	}
	write("web.json", status("running"))
	write("db.json", status("installed"))
	write("half.json", `{"state":`)
	write("old.json", `{"boot_id":"another","state":"running"}`)
	write("dead.json", `{"boot_id":"`+string(boot[:len(boot)-1])+`","state":"running"}`)
	write("global.json", status("running"))
	write("-z.json", status("running"))
	write("web", status("running"))
	must(t, unix.Mkfifo(filepath.Join(l.Status(), "pipe.json"), 0o600))
	must(t, os.Mkdir(filepath.Join(l.Status(), "dir.json"), 0o755))
	if names, err := runningZones(); err != nil || !slices.Equal(names, []string{"web"}) {
		t.Errorf("%q, %v", names, err)
	}
	// Its supervisor is not there: nothing is known of its contracts, which is said.
	if members, err := members("web", []uint64{1}); err == nil {
		t.Errorf("%v", members)
	}
}

func TestPresent(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink("nowhere", filepath.Join(dir, "link")))
	for path, want := range map[string]bool{dir: true, filepath.Join(dir, "none"): false, filepath.Join(dir, "link"): false, "": false, "/dev/null/x": false} {
		if got := present(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
