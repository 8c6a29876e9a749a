package startd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/tree"
)

// importSteps is how many batches the tests' import does.
const importSteps = 30

// importMain is an import: it counts in an instance of its own, and says so.
func importMain(dir string) error {
	c := client.New(client.Config{Path: configOf(dir).Door, Patience: testenv.Deadline(20 * time.Second)})
	defer c.Close()
	e := repo.Entity{Service: "import", Instance: "early"}
	for i := range importSteps + 1 {
		if _, err := c.Apply(setting(e, i)); err != nil && !errors.Is(err, door.ErrUnknown) {
			return err
		}
		fmt.Println(e, i)
	}
	return nil
}

// setting is a batch that makes the number of an instance n.
func setting(e repo.Entity, n int) *repo.Batch {
	var b repo.Batch
	b.Ensure(e)
	b.PutGroup(e, &tree.Group{Name: "n", Type: "application", Props: []tree.Property{
		{Name: "n", Type: prop.AString, Values: []string{strconv.Itoa(n)}}}})
	return &b
}

// writer counts up until it is stopped.
type writer struct {
	e           repo.Entity
	done, tried int // the last number that was acknowledged, and the last one that was sent
	err         error
}

func (w *writer) run(c *client.Client, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		w.tried++
		_, err := c.Apply(setting(w.e, w.tried))
		switch {
		case err == nil:
			w.done = w.tried
		case !errors.Is(err, door.ErrUnknown):
			w.err = err
			return
		}
	}
}

// TestKilledAtAnyTime: svc.startd is killed while it boots, imports, and serves clients that
// write. Nothing that was acknowledged is lost, and each next one goes on with the boot.
func TestKilledAtAnyTime(t *testing.T) {
	z := newZone(t)
	random := rand.New(rand.NewPCG(3, 4))
	cmd := z.process(realImport + "=1")
	_, err := z.client().Generation() // the door is there
	must(t, err)
	stop := make(chan struct{})
	var group sync.WaitGroup
	writers := make([]writer, 3)
	for i := range writers {
		writers[i].e = repo.Entity{Service: "writer", Instance: "w" + strconv.Itoa(i)}
		c := z.client()
		group.Go(func() { writers[i].run(c, stop) })
	}
	for range testenv.Rounds(15, 4) {
		<-time.After(time.Duration(random.IntN(120_000)) * time.Microsecond)
		kill(t, cmd)
		cmd = z.process(realImport + "=1")
	}
	z.booted()
	close(stop)
	group.Wait()
	c := z.client()
	for _, w := range writers {
		must(t, w.err)
		at := numberOf(t, c, w.e)
		if w.done == 0 || at < w.done || at > w.tried {
			t.Errorf("%v: %d is there, of %d acknowledged and %d sent", w.e, at, w.done, w.tried)
		}
	}
	if at := numberOf(t, c, repo.Entity{Service: "import", Instance: "early"}); at != importSteps {
		t.Errorf("the import is at %d", at)
	}
	must(t, c.Verify())
	must(t, cmd.Process.Signal(os.Interrupt)) // not for it to take
	kill(t, cmd)
	must(t, repo.Check(z.cfg.Repository.Path))
	if n := z.backups(repo.BootBackup); n < 1 || n > repo.BackupsKept {
		t.Errorf("%d backups", n)
	}
	left, err := os.ReadDir(z.path("etc"))
	must(t, err)
	for _, e := range left {
		if strings.HasSuffix(e.Name(), ".new") {
			t.Logf("left for the next one to sweep: %s", e.Name())
		}
	}
}

func numberOf(t testing.TB, s door.Store, e repo.Entity) int {
	t.Helper()
	p, err := s.Property(e, door.Direct, "n", "n")
	must(t, err)
	n, err := strconv.Atoi(p.Values[0])
	must(t, err)
	return n
}

// TestImportEndsWithIt: one that was killed leaves no import beside the next one's.
func TestImportEndsWithIt(t *testing.T) {
	z := newZone(t)
	z.imports("echo $$ >pid.new; mv pid.new pid; exec sleep 1000")
	cmd := z.process()
	testenv.Eventually(t, func() bool { return z.read("pid") != "" }, "the import")
	kill(t, cmd)
	pid := strings.TrimSpace(z.read("pid"))
	testenv.Eventually(t, func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, "the end of the import")
	z.imports("")
	z.boot()
}

// TestSecond: beside a living one there is none, and the first one's door stays.
func TestSecond(t *testing.T) {
	z := newZone(t)
	r := z.start()
	z.booted()
	c := z.client()
	put(t, c, "1")
	must(t, os.WriteFile(z.path("console"), nil, 0o644))
	if err := Run(t.Context(), z.cfg); !errors.Is(err, repo.ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	said := z.read("console")
	if !strings.Contains(said, "svc.startd: open the repository: ") || !strings.Contains(said, strconv.Itoa(os.Getpid())) {
		t.Errorf("console: %q", said)
	}
	cmd := z.process()
	if err := cmd.Wait(); err == nil {
		t.Error("a second process ended well")
	}
	put(t, c, "2")
	put(t, z.client(), "3")
	must(t, r.end())
	if z.calls() != "import -e;" {
		t.Errorf("imports %s", z.calls())
	}
}
