package client

import (
	"errors"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// small says pages of as many things as have a place in them, each of a few bytes.
type small struct {
	played
	fill func(b []byte) []byte
	n    int
}

func (s *small) Read(b []byte) (int, error) {
	if len(s.said) == 0 {
		s.n++
		p := door.AppendEntry(door.Begin(nil, door.More, 7), repo.Entity{Service: strconv.Itoa(s.n)})
		for len(p) < door.AnswerBytesMax-64<<10 {
			p = s.fill(p)
		}
		s.said = door.Finish(door.AppendEntry(p, repo.Entity{Service: "end" + strconv.Itoa(s.n)}))
	}
	return s.played.Read(b)
}

// TestFloodOfSmallThings: what a zone says takes many times its bytes in memory if it is services of
// one letter, groups of none, properties without values, or values without bytes. The host's memory
// is bounded all the same.
func TestFloodOfSmallThings(t *testing.T) {
	const memoryMax = 600 << 20
	for name, fill := range map[string]func(b []byte) []byte{
		"services": func(b []byte) []byte { return door.AppendEntry(b, repo.Entity{Service: "s"}) },
		"groups":   func(b []byte) []byte { return door.AppendEntryGroup(b, &door.Group{}) },
		"properties": func(b []byte) []byte {
			return door.AppendEntryGroup(b, &door.Group{Group: tree.Group{Props: make([]tree.Property, 8000)}})
		},
		"values": func(b []byte) []byte {
			return door.AppendEntryGroup(b, &door.Group{Group: tree.Group{Props: []tree.Property{{Values: make([]string, 2000)}}}})
		},
	} {
		s := &small{played: played{said: hello(1)}, fill: fill}
		c := New(Config{Dial: func(time.Time) (Conn, error) { return s, nil }, Patience: testenv.Deadline(20 * time.Second)})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := c.Scan(door.Query{Levels: door.Services, View: door.Direct})
		runtime.ReadMemStats(&after)
		taken := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d pages, %d MiB in all", name, s.n, taken>>20)
		if !errors.Is(err, repo.ErrLimit) || taken > memoryMax {
			t.Errorf("%s: %v, after %d pages and %d MiB", name, err, s.n, taken>>20)
		}
		must(t, c.Close())
	}
}
