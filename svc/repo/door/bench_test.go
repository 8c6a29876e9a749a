package door_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// usualSystem is 250 services with one instance and a dozen groups each.
func usualSystem(b *testing.B, s door.Store) {
	apply(b, s, func(batch *repo.Batch) {
		for i := range 250 {
			e := instanceOf(i)
			batch.Ensure(e)
			for j := range 12 {
				batch.PutGroup(e, group("g"+strconv.Itoa(j), str("a", "some value"), str("b", "another", "and more"), str("c", "1")))
			}
			batch.PutGroup(e, volatileGroup("restarter", str("state", "online"), str("next_state", "none"), str("auxiliary_state", "dependencies_satisfied")))
			batch.TakeSnapshot(e, repo.Running)
		}
	})
}

func instanceOf(i int) repo.Entity {
	return repo.Entity{Service: fmt.Sprintf("system/service-%d", i%250), Instance: "default"}
}

// measure has clients do something in parallel, and reports the times that a call takes.
func measure(b *testing.B, s *served, clients int, call func(c door.Store, i int) error) {
	all := make([]door.Store, clients)
	for i := range all {
		c := s.client()
		if _, err := c.Generation(); err != nil {
			b.Fatal(err)
		}
		all[i] = c
	}
	times := make([][]time.Duration, clients)
	var group sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i, c := range all {
		group.Go(func() {
			for n := i; n < b.N; n += clients {
				at := time.Now()
				if err := call(c, n); err != nil {
					b.Error(err)
					return
				}
				times[i] = append(times[i], time.Since(at))
			}
		})
	}
	group.Wait()
	b.StopTimer()
	sorted := slices.Concat(times...)
	slices.Sort(sorted)
	if len(sorted) == 0 {
		return
	}
	for name, at := range map[string]int{"p50-us": len(sorted) / 2, "p99-us": len(sorted) * 99 / 100} {
		b.ReportMetric(float64(sorted[at].Nanoseconds())/1000, name)
	}
}

func BenchmarkDoor(b *testing.B) {
	// The volatile file is on a memory file system, as in a zone.
	memory, err := os.MkdirTemp("/dev/shm", "door")
	must(b, err)
	b.Cleanup(func() { must(b, os.RemoveAll(memory)) })
	s := &served{t: b, dir: place(b)}
	s.path = doorOf(s.dir)
	s.repo, err = openRepos(s.dir, memory)
	must(b, err)
	b.Cleanup(func() { must(b, s.repo.Close()) })
	s.start(nil)
	b.Cleanup(func() { must(b, s.server.Close()) })
	usualSystem(b, door.NewLocal(s.repo))
	names := []string{"general", "general_ovr", "restarter"}
	for _, bench := range []struct {
		name string
		call func(c door.Store, i int) error
	}{
		{"generation", func(c door.Store, i int) error { _, err := c.Generation(); return err }},
		{"property", func(c door.Store, i int) error {
			_, err := c.Property(instanceOf(i), door.Effective, "restarter", "state")
			return err
		}},
		{"groups", func(c door.Store, i int) error { _, err := c.Groups(instanceOf(i), door.Effective); return err }},
		{"states", func(c door.Store, i int) error {
			_, err := c.Scan(door.Query{Levels: door.Instances, View: door.Direct, Groups: names})
			return err
		}},
		{"write-volatile", func(c door.Store, i int) error {
			var batch repo.Batch
			batch.SetValues(instanceOf(i), "restarter", str("state", "s"+strconv.Itoa(i)))
			_, err := c.Apply(&batch)
			return err
		}},
		{"write-persistent", func(c door.Store, i int) error {
			var batch repo.Batch
			batch.SetValues(instanceOf(i), "g1", str("a", "s"+strconv.Itoa(i)))
			_, err := c.Apply(&batch)
			return err
		}},
	} {
		for _, clients := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/clients-%d", bench.name, clients), func(b *testing.B) { measure(b, s, clients, bench.call) })
		}
	}
	b.Run("property/direct", func(b *testing.B) {
		l := door.NewLocal(s.repo)
		for i := range b.N {
			if _, err := l.Property(instanceOf(i), door.Effective, "restarter", "state"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("connect", func(b *testing.B) {
		for range b.N {
			c := s.client()
			if _, err := c.Generation(); err != nil {
				b.Fatal(err)
			}
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
