package restarter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/svclog"
)

// TestFullLog: the log of a service that runs and prints is put aside when it is full, though nobody
// opens it any more; the service goes on with the same file.
func TestFullLog(t *testing.T) {
	defer func(was time.Duration) { logsEvery = was }(logsEvery)
	logsEvery = 50 * time.Millisecond
	w := newWorld(t)
	log := filepath.Join(w.dir, "log", svclog.Name(entity("prints")))
	more := filepath.Join(w.dir, "more")
	w.add(service("prints", "child", w.writes("prints", "exec &gt;&gt;"+log+"; head -c 3000000 /dev/zero; while [ ! -e "+more+" ]; do sleep 0.01; done; echo the end; exec sleep 1000"), ""))
	w.add(service("off", "transient", "/bin/true", ""))
	w.run()
	w.state("prints", graph.Online)
	w.state("off", graph.Online)
	large := func(name string, want bool) func() bool {
		return func() bool {
			st, err := os.Stat(name)
			return err == nil && (st.Size() >= svclog.BytesMax) == want
		}
	}
	testenv.Eventually(t, large(log+".0", true), "the log to be put aside")
	testenv.Eventually(t, large(log, false), "the log to be short")
	must(t, os.WriteFile(more, nil, 0o644))
	testenv.Eventually(t, func() bool {
		b, err := os.ReadFile(log)
		return err == nil && strings.HasSuffix(string(b), "the end\n")
	}, "the service to go on with its log")
	if n := w.starts("prints"); n != 1 {
		t.Errorf("started %d times", n)
	}
}
