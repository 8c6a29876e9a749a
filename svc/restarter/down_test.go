package restarter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// stops is a transient service whose stop method writes its name down, and then does something.
func (w *world) stops(name, then, more string) string {
	note := "/bin/sh -c &quot;echo " + name + " &gt;&gt;" + filepath.Join(w.dir, "stops") + "; " + then + "&quot;"
	return strings.Replace(service(name, "transient", ":true", more), "exec=':kill'", "exec='"+note+"'", 1)
}

// noted are the stops so far, in their order.
func (w *world) noted() string {
	b, _ := os.ReadFile(filepath.Join(w.dir, "stops"))
	return strings.Join(strings.Fields(string(b)), " ")
}

// ends waits for the restarter to end by itself.
func (w *world) ends() {
	w.t.Helper()
	select {
	case err := <-w.done:
		if err != nil {
			w.t.Errorf("the restarter: %v", err)
		}
	case <-time.After(testenv.Deadline(30 * time.Second)):
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t.Fatalf("the services are not down: %q", w.said)
	}
	w.stop()
	w.stop = nil
}

// TestDown: when the zone goes down services stop before those that they need, whatever their
// dependencies would have restarted, and the restarter ends when none is up. What is enabled stays so.
func TestDown(t *testing.T) {
	w := newWorld(t)
	w.add(w.stops("a", "true", ""))
	w.add(w.stops("b", "sleep 0.1", needs("svc:/a", "restart")))
	w.add(w.stops("c", "sleep 0.1", needs("svc:/b", "none")))
	w.add(service("d", "contract", w.writes("d", "sleep 1000 &amp;"), needs("svc:/c", "error")))
	w.add(service("never", "contract", w.writes("never", "true"), strings.Replace(needs("file://localhost"+w.dir+"/missing", "none"), "type='service'", "type='path'", 1)))
	w.run()
	w.state("d", graph.Online)
	w.state("never", graph.Offline)
	close(w.down)
	w.ends()
	if got := w.noted(); got != "c b a" {
		t.Errorf("stopped %q", got)
	}
	for _, name := range []string{"a", "b", "c", "d", "never"} {
		if rec := w.record(name); rec.State != graph.Disabled {
			t.Errorf("%s is %v", name, rec.State)
		}
	}
	if n := w.held(); n != 0 {
		t.Errorf("%d contracts are left", n)
	}
	if said := strings.Join(w.said, "\n"); !strings.Contains(said, "4 system services are now being stopped.") || !strings.Contains(said, "The system is down.") {
		t.Errorf("%q", w.said)
	}
	if w.starts("d") != 1 {
		t.Errorf("d was started %d times", w.starts("d"))
	}
	w.down = make(chan struct{}) // the next boot, but for what a boot forgets
	w.run()
	time.Sleep(50 * time.Millisecond)
	if w.starts("d") != 1 {
		b, _ := os.ReadFile(filepath.Join(w.dir, "log", "d:default.log"))
		t.Errorf("d was started %d times: the override counts for this boot\n%s %q", w.starts("d"), b, w.said)
	}
}

// TestDownFromTheBeginning: a restarter that is begun when the zone goes down starts nothing.
func TestDownFromTheBeginning(t *testing.T) {
	w := newWorld(t)
	w.add(service("a", "contract", w.writes("a", "exec sleep 1000"), ""))
	close(w.down)
	w.run()
	w.ends()
	if w.starts("a") != 0 || w.held() != 0 {
		t.Errorf("%d starts, %d contracts", w.starts("a"), w.held())
	}
}

// TestDownKilled: a restarter that is killed while services stop is followed by one that goes on:
// no stop method runs twice, nothing is started.
func TestDownKilled(t *testing.T) {
	w := newWorld(t)
	w.add(w.stops("a", "sleep 0.2", ""))
	w.add(w.stops("b", "sleep 0.2", needs("svc:/a", "restart")))
	w.add(service("c", "child", w.writes("c", "exec sleep 1000"), needs("svc:/b", "none")))
	w.run()
	w.state("c", graph.Online)
	testenv.Eventually(t, func() bool { return w.starts("c") == 1 }, "the child to say so")
	close(w.down)
	lives := 30 * time.Millisecond
	for end := time.Now().Add(testenv.Deadline(time.Minute)); len(w.done) == 0 && time.Now().Before(end); w.run() {
		time.Sleep(lives)
		lives += 5 * time.Millisecond // on a busy machine the first ones come to nothing
		w.stop()
		if err := <-w.done; err != nil {
			t.Fatal(err)
		}
		if w.record("a").State == graph.Disabled {
			break
		}
	}
	w.stop = nil
	if got := w.noted(); got != "b a" || w.starts("c") != 1 || w.held() != 0 {
		t.Errorf("stopped %q, %d starts, %d contracts", got, w.starts("c"), w.held())
	}
}

// TestDownWhileStarting: a start method that runs is let end, and its service stopped then.
func TestDownWhileStarting(t *testing.T) {
	w := newWorld(t)
	w.add(service("slow", "contract", w.writes("slow", "while ! test -e "+w.dir+"/go; do sleep 0.01; done; sleep 1000 &amp;"), ""))
	w.add(w.stops("after", "true", needs("svc:/slow", "none")))
	w.run()
	testenv.Eventually(t, func() bool { return w.starts("slow") == 1 }, "the start to begin")
	close(w.down)
	testenv.Eventually(t, func() bool { return w.told("system services are now being stopped.") }, "the way down to begin")
	w.touch("go")
	w.ends()
	if w.noted() != "" || w.held() != 0 || w.record("slow").State != graph.Disabled {
		t.Errorf("stopped %q, %d contracts, %v", w.noted(), w.held(), w.record("slow").State)
	}
}

// TestEnabledWhileDown: what is enabled, imported or cleared while the zone goes down does not come up,
// and keeps nothing up.
func TestEnabledWhileDown(t *testing.T) {
	w := newWorld(t)
	w.add(w.stops("a", "sleep 1", ""))
	w.add(strings.Replace(service("b", "contract", w.writes("b", "sleep 1000 &amp;"), ""), "enabled='true'", "enabled='false'", 1))
	w.add(service("m", "contract", "/bin/false", ""))
	w.run()
	w.state("a", graph.Online)
	w.state("m", graph.Maintenance)
	close(w.down)
	testenv.Eventually(t, func() bool { return w.noted() == "a" }, "the stop to begin")
	var b repo.Batch
	b.SetProperty(entity("b"), "general", tree.Property{Name: "enabled", Type: prop.Boolean, Values: []string{"true"}})
	_, err := w.repo.Apply(&b)
	must(t, err)
	w.ask("m", "maint_off")
	w.add(service("new", "contract", w.writes("new", "sleep 1000 &amp;"), ""))
	w.ends()
	if w.starts("b") != 0 || w.starts("new") != 0 || w.held() != 0 || w.record("a").State != graph.Disabled {
		t.Errorf("b was started %d times, new %d times; %d contracts", w.starts("b"), w.starts("new"), w.held())
	}
}
