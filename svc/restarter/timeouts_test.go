package restarter

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/repo"
)

const overridden = "Timeout override by svc.startd.  Using infinite timeout."

// TestEndless: what the import of manifests needs is not killed for its timeout, by the svc.startd that
// has started it or the next one; others are.
//
//shows:3.3/timeout-import
func TestEndless(t *testing.T) {
	w := newWorld(t)
	slow := func(name string) string {
		start := fmt.Sprintf("/bin/sh -c &quot;echo start &gt;&gt;%s/%s; while ! test -e %[1]s/go; do sleep 0.05; done&quot;", w.dir, filepath.Base(name))
		return strings.Replace(service(name, "transient", start, ""), "timeout_seconds='30'", "timeout_seconds='1'", 1)
	}
	w.add(slow("system/filesystem/minimal"))
	w.add(slow("system/device/local"))
	w.add(slow("other"))
	w.run()
	testenv.Eventually(t, func() bool { return w.starts("minimal") == 1 && w.starts("local") == 1 }, "the starts")
	w.die()
	w.run()
	w.state("other", graph.Maintenance) // three times over its time
	for _, name := range []string{"system/filesystem/minimal", "system/device/local"} {
		if rec := w.record(name); rec.Next != graph.Online || rec.State != graph.Offline {
			t.Errorf("%s: %+v", name, rec)
		}
		if log := w.log(name); strings.Count(log, overridden) != 1 || strings.Contains(log, "timed out") {
			t.Error(log)
		}
	}
	if log := w.log("other"); strings.Contains(log, overridden) || strings.Count(log, "timed out") != 3 {
		t.Error(log)
	}
	w.touch("go")
	w.state("system/filesystem/minimal", graph.Online)
	w.state("system/device/local", graph.Online)
	if n := w.starts("minimal"); n != 1 {
		t.Errorf("%d starts", n)
	}
}

// TestEndlessIsWhatImportNeeds: all that manifest-import needs, by the manifests that a zone comes with,
// has no timeout.
func TestEndlessIsWhatImportNeeds(t *testing.T) {
	w := newWorld(t)
	const dir = "../../configs/smf/manifest"
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".xml") {
			text, err := os.ReadFile(path)
			must(t, err)
			w.add(string(text))
		}
		return err
	}))
	var need func(on repo.Entity)
	seen := map[string]bool{}
	must(t, w.repo.View(func(v *repo.Reader) error {
		need = func(on repo.Entity) {
			if on.Instance == "" {
				names, err := v.Instances(on.Service)
				must(t, err)
				for _, name := range names {
					need(repo.Entity{Service: on.Service, Instance: name})
				}
				return
			}
			if seen[on.String()] {
				return
			}
			seen[on.String()] = true
			if !endless[on.String()] {
				t.Errorf("manifest-import needs %s", on)
			}
			cfg, err := graphcfg.Of(v, on)
			must(t, err)
			for _, d := range cfg.Dependencies {
				for _, member := range d.Entities {
					if strings.HasPrefix(member, "svc:") {
						need(entityOf(member))
					}
				}
			}
		}
		need(entity("system/manifest-import"))
		return nil
	}))
	if len(seen) < 4 {
		t.Errorf("only %v", seen)
	}
}
