package smf

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestFromHostKilled: who administers a zone's services from the host is killed at any moment.
// What was sent is done whole or not at all, and nothing of it stays in the zone.
func TestFromHostKilled(t *testing.T) {
	t.Parallel()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := sparse(t)
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(3, 9))
	rounds := testenv.Rounds(40, 12)
	done, there := 0, 0
	// Before, during and after: as long as one takes here, and as long again. How long that is changes with
	// what else the machine does.
	file := filepath.Join(dir, "m.xml")
	must(t, os.WriteFile(file, []byte(manifest("site/first", "80")), 0o644))
	began := time.Now()
	z.Must("svccfg", "-z", "a", "import", file)
	window := 2*time.Since(began) + 20*time.Millisecond
	for i := range rounds {
		name := fmt.Sprintf("site/k%d", i)
		must(t, os.WriteFile(file, []byte(manifest(name, "80")), 0o644))
		cmd := z.Cmd("svccfg", "-z", "a", "import", file)
		must(t, cmd.Start())
		time.Sleep(time.Duration(random.Int64N(int64(window))))
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			done++
		}
		s := z.host("svcprop", "-z", "a", "-c", "-p", "app/port", "svc:/"+name+":default")
		switch {
		case s.exit == 0 && s.out == "80\n":
			there++
			window = max(window*4/5, 20*time.Millisecond)
		case s.exit == 1 && strings.Contains(s.err, "doesn't match any"):
			window = window * 5 / 4
			continue
		default:
			t.Errorf("round %d: %v", i, s)
			continue
		}
		if s := z.host("svccfg", "-z", "a", "-s", name+":default", "listsnap"); s.exit != 0 || !strings.Contains(s.out, "last-import") {
			t.Errorf("round %d: an import is there without its snapshot: %v", i, s)
		}
	}
	t.Logf("%d imports begun, %d came to their end, %d are there", rounds, done, there)
	if there < done || there == 0 {
		t.Errorf("%d imports were told to be done, %d are there", done, there)
	}
	testenv.Eventually(t, func() bool { return z.try("pgrep -f repository-relay").exit == 1 }, "no relay to be left in the zone")
	z.Must("zoneadm", "-z", "a", "halt")
}
