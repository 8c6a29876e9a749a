package configs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
)

// The test's own binary serves as other processes.
const envWriter = "CONFIGS_TEST_WRITER"

func TestMain(m *testing.M) {
	switch os.Getenv(envWriter) {
	case "":
		testenv.Main(m)
	case "count":
		count()
	case "churn":
		churn()
	}
}

func writer(t *testing.T, what string, s *Store, more ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), append(more, envWriter+"="+what, layout.EnvRoot+"="+s.layout.Root)...)
	c.Stderr = os.Stderr
	return c
}

const countTimes = 40

// count adds one to a number in zone a, again and again, as an editor does: on a
// conflict it starts over from what is there now.
func count() {
	s := Open(layout.FromEnv())
	for done := 0; done < countTimes; {
		err := edit(s, "a", func(z *Zone) {
			n, _ := strconv.Atoi(z.Attrs[0].Value)
			z.Attrs[0].Value = strconv.Itoa(n + 1)
		})
		switch {
		case err == nil:
			done++
		case !errors.Is(err, ErrConflict):
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(0)
}

// Several processes count in one zone: every commit that was reported is in the sum, so
// none was written over.
func TestRacingEditorsLoseNothing(t *testing.T) {
	s := storeAB(t)
	if err := edit(s, "a", func(z *Zone) { z.Attrs = []Attr{{"n", "int", "0"}} }); err != nil {
		t.Fatal(err)
	}
	const processes = 4
	var wg sync.WaitGroup
	for range processes {
		c := writer(t, "count", s)
		wg.Go(func() {
			if err := c.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	z, _, err := s.Load("a")
	if err != nil || z.Attrs[0].Value != strconv.Itoa(processes*countTimes) {
		t.Errorf("%v, %v; want %d", z.Attrs, err, processes*countTimes)
	}
}

// churn changes a store for ever: creates, moves, renames, deletes.
func churn() {
	s := Open(layout.FromEnv())
	self := os.Getenv("CONFIGS_TEST_SELF")
	for i := 0; ; i++ {
		z := testZone(self)
		z.Path = fmt.Sprintf("/zones/%s/%d", self, i)
		_, _ = s.Create(z)
		_ = edit(s, self, func(z *Zone) { z.Path = fmt.Sprintf("/zones/%s/moved%d", self, i) })
		_ = s.SetState(self, Installed)
		_ = s.SetState(self, Configured)
		if z, tag, err := s.Load(self); err == nil {
			z.Name = self + "x"
			_, _ = s.Rename(self, z, tag)
		}
		_ = s.Delete(self+"x", "")
	}
}

// Two writers are killed at arbitrary instants, while a reader without the lock looks:
// it never sees an index and a file that do not belong together.
func TestKilledWriters(t *testing.T) {
	s := storeAB(t)
	keep := describe(s)
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		var writers []*exec.Cmd
		for _, self := range []string{"one", "two"} {
			c := writer(t, "churn", s, "CONFIGS_TEST_SELF="+self)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			writers = append(writers, c)
		}
		deadline := time.Now().Add(time.Duration(20+round) * time.Millisecond)
		for time.Now().Before(deadline) {
			look(t, s)
		}
		for _, c := range writers {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		look(t, s)
	}
	for _, n := range []string{"one", "onex", "two", "twox"} {
		if err := s.SetState(n, Configured); err == nil {
			_ = s.Delete(n, "")
		}
	}
	if got := describe(s); got != keep {
		t.Errorf("the zones that nobody touched changed:\n%s\nwere\n%s", got, keep)
	}
	entries, _ := os.ReadDir(s.layout.Etc)
	if len(entries) != 3 {
		t.Errorf("left behind: %v", entries)
	}
}

// look reads the store in one view, as Index and Load do each.
func look(t *testing.T, s *Store) {
	t.Helper()
	err := s.read(func(v view) error {
		x, err := v.index()
		if err != nil {
			return err
		}
		for _, e := range x.entries() {
			z, _, err := v.load(e.Name)
			if err != nil {
				return err
			}
			if z.Path != e.Path {
				return fmt.Errorf("zone %s has zonepath %s, the index %s", e.Name, z.Path, e.Path)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
