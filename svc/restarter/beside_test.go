package restarter

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
)

// with adds to a manifest's service what stands before its group startd.
func with(text, more string) string {
	return strings.Replace(text, "<property_group name='startd'", more+"<property_group name='startd'", 1)
}

// every makes a service periodic.
func every(text string, seconds int) string {
	return strings.Replace(text, "</property_group>", fmt.Sprintf("<propval name='period' type='count' value='%d'/></property_group>", seconds), 1)
}

// says has a file say with what status a method ends that reads it.
func (w *world) exits(file string, status string) {
	w.t.Helper()
	path := filepath.Join(w.dir, file)
	must(w.t, os.WriteFile(path+".new", []byte(status), 0o644))
	must(w.t, os.Rename(path+".new", path))
}

// script makes a program of the test's.
func (w *world) script(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	must(w.t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	return path
}

// TestPeriodic: the start method of a periodic service runs again and again while it is online; one
// that fails is tried again as a start is, and ends in maintenance; who is killed meanwhile is
// followed by one that neither forgets a run nor makes one too many.
func TestPeriodic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exits("status", "0")
	w.add(every(service("job", "transient", w.writes("job", "exit $(cat "+w.dir+"/status)"), ""), 1))
	began := time.Now() // the first run is after this
	w.run()
	w.state("job", graph.Online)
	testenv.Eventually(t, func() bool { return w.starts("job") >= 4 }, "later runs")
	if d := time.Since(began); d < 2*time.Second {
		t.Errorf("four runs within %v", d)
	}
	if rec := w.record("job"); rec.State != graph.Online || rec.Next != graph.None {
		t.Errorf("%+v", rec)
	}
	// Killed more often than it runs: a period is counted from the last run, whoever that was of.
	began, n := time.Now(), w.starts("job")
	for w.starts("job") < n+3 && time.Since(began) < testenv.Deadline(time.Minute) {
		w.die()
		w.run()
		time.Sleep(300 * time.Millisecond)
	}
	// One of them may have begun before, and said so after.
	if most := int(time.Since(began)/time.Second) + 2; w.starts("job") > n+most || w.starts("job") < n+3 {
		t.Errorf("%d runs in %v", w.starts("job")-n, time.Since(began))
	}
	w.exits("status", "1")
	w.state("job", graph.Maintenance)
	for _, text := range []string{`Method "start" failed with exit status 1.`, "Stopping because a periodic run of its start method failed."} {
		if !strings.Contains(w.log("job"), text) {
			t.Errorf("%q is not in\n%s", text, w.log("job"))
		}
	}
	n = w.starts("job")
	time.Sleep(1200 * time.Millisecond)
	if w.starts("job") != n {
		t.Error("it runs in maintenance")
	}
}

// TestPeriodicTakesLong: a run that takes longer than its period is not run beside itself, and one
// that takes longer than its time is killed. A svc.startd that comes new waits for the one that runs.
func TestPeriodicTakesLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.script("run", "echo start >>"+w.dir+"/job; [ $(wc -l <"+w.dir+"/job) != 2 ] || while [ ! -e "+w.dir+"/go ]; do sleep 0.01; done")
	w.add(every(service("job", "transient", job, ""), 1))
	w.run()
	w.state("job", graph.Online)
	testenv.Eventually(t, func() bool { return w.starts("job") == 2 }, "the second run")
	w.die()
	w.run()
	time.Sleep(1500 * time.Millisecond)
	if w.starts("job") != 2 || w.held() != 1 {
		t.Errorf("%d starts, %d contracts while one runs", w.starts("job"), w.held())
	}
	w.touch("go")
	testenv.Eventually(t, func() bool { return w.starts("job") >= 3 }, "the third run")
	w.ask("job", "maint_on")
	w.state("job", graph.Maintenance)
	testenv.Eventually(t, func() bool { return w.held() == 0 }, "the run to be ended with the service")
}

func monitored(w *world, name, script string, seconds int) string {
	return with(service(name, "contract", w.writes(name, "sleep 1000 &amp;"), ""),
		"<exec_method type='monitor' name='monitor' exec='"+w.script("monitor", script)+"' timeout_seconds='"+strconv.Itoa(seconds)+"'><propval name='period' type='count' value='1'/></exec_method>")
}

// TestMonitor: what a monitor says makes its service degraded, online, and restarted.
func TestMonitor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exits("says", "0")
	w.add(monitored(w, "watched", "exit $(cat "+w.dir+"/says)", 30))
	w.run()
	w.state("watched", graph.Online)
	w.exits("says", "97")
	w.state("watched", graph.Degraded)
	w.die() // a degraded one is still watched by the next
	w.run()
	w.exits("says", "0")
	w.state("watched", graph.Online)
	if n := w.starts("watched"); n != 1 {
		t.Errorf("%d starts", n)
	}
	w.exits("says", "98")
	testenv.Eventually(t, func() bool { return w.starts("watched") > 1 }, "it to be started again")
	w.exits("says", "0")
	w.state("watched", graph.Online)
	if !strings.Contains(w.log("watched"), "Stopping because its monitor reports that it does not work.") {
		t.Errorf("%s", w.log("watched"))
	}
	n := w.starts("watched")
	w.exits("says", "1") // says nothing: three in a row are too many
	failed := func() int { return strings.Count(w.log("watched"), `Method "monitor" failed with exit status 1.`) }
	// It may be started once more for what its monitor said before.
	testenv.Eventually(t, func() bool { return failed() >= besideFailures && w.starts("watched") > n }, "it to be started again")
}

// TestMonitorHangs: one that never ends is killed with what it has started, also when its service
// goes, or its svc.startd.
func TestMonitorHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(monitored(w, "watched", "sleep 1000 & echo $! >>"+w.dir+"/pids; wait", 1))
	w.run()
	w.state("watched", graph.Online)
	pids := func() []string { b, _ := os.ReadFile(filepath.Join(w.dir, "pids")); return strings.Fields(string(b)) }
	testenv.Eventually(t, func() bool { return len(pids()) >= 2 }, "a second run of the monitor")
	if !strings.Contains(w.log("watched"), "Method or service exit timed out.  Killing contract ") {
		t.Errorf("%s", w.log("watched"))
	}
	w.die()
	w.run()
	n := len(pids())
	testenv.Eventually(t, func() bool { return len(pids()) > n }, "the next svc.startd's monitor")
	w.ask("watched", "maint_on")
	w.state("watched", graph.Maintenance)
	testenv.Eventually(t, func() bool {
		for _, pid := range pids() {
			if unix.Access("/proc/"+pid, unix.F_OK) == nil {
				return false
			}
		}
		return w.held() == 0
	}, "the monitors to be gone")
}

// TestBesidesLeaveRoom: as many monitors as there are starts at once, all beginning together, do not
// keep a service from being started.
func TestBesidesLeaveRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var slow atomic.Int64 // each birth
	w.look = func(*Start) { time.Sleep(time.Duration(slow.Load())) }
	for i := range startsMax + 2 {
		w.add(monitored(w, fmt.Sprintf("m%d", i), "exit 0", 30))
	}
	w.run()
	for i := range startsMax + 2 {
		w.state(fmt.Sprintf("m%d", i), graph.Online)
	}
	slow.Store(int64(500 * time.Millisecond))
	time.Sleep(1100 * time.Millisecond)
	w.add(service("late", "contract", w.writes("late", "sleep 1000 &amp;"), ""))
	w.state("late", graph.Online)
}
