package console

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"testing"
	"time"
)

// stream compares what a client writes with the pattern, as it comes.
type stream struct {
	r         io.Reader
	pos       uint64
	buf, want []byte
}

// take reads and compares the next bytes.
func (s *stream) take() error {
	if s.buf == nil {
		s.buf, s.want = make([]byte, 64<<10), make([]byte, 64<<10)
	}
	n, err := s.r.Read(s.buf)
	fillPattern(s.want[:n], s.pos)
	if !bytes.Equal(s.buf[:n], s.want[:n]) {
		i := 0
		for s.buf[i] == s.want[i] {
			i++
		}
		return fmt.Errorf("wrong byte at %d: %q, want %q", s.pos+uint64(i), s.buf[i:min(i+32, n)], s.want[i:min(i+32, n)])
	}
	s.pos += uint64(n)
	return err
}

// The supervisor is killed again and again while a writer saturates the console. The client
// gets every byte once, and the writer is never kept waiting beyond the ring's limit.
func TestKilledSupervisorLosesNothing(t *testing.T) {
	kills := 50
	if testing.Short() {
		kills = 10
	}
	c := startConsole(t)
	cl := player(t, "client", c.dir, "console", "noescape")
	out, err := cl.StdoutPipe()
	must(t, err)
	in, err := cl.StdinPipe()
	must(t, err)
	must(t, cl.Start())
	waitFor(t, "client", func() bool { return c.stats.Attached() == 1 })
	w := player(t, "writer", c.slave, strconv.Itoa(1<<62))
	must(t, w.Start())

	s := &stream{r: out}
	start := time.Now()
	nextKill := start.Add(100 * time.Millisecond)
	seen := 0
	for done := 0; done < kills; {
		must(t, s.take())
		if time.Now().After(nextKill) {
			if n := c.kill(); n > seen { // the last one was replaced already
				seen, done = n, done+1
			}
			nextKill = time.Now().Add(time.Duration(20+done*7%80) * time.Millisecond)
		}
	}
	took := time.Since(start)
	during := c.stats.Stats()
	must(t, w.Process.Kill())
	_ = w.Wait()
	for s.pos < c.stats.Head() || c.stats.Head() != settledHead(c) {
		must(t, s.take())
	}
	must(t, in.Close())
	must(t, cl.Process.Kill())
	_ = cl.Wait()
	st := c.stats.Stats()
	t.Logf("%d supervisors killed in %v; %d MiB compared at %.0f MiB/s, 0 bytes missing; %d stalls, the longest %v",
		kills, took.Round(time.Millisecond), s.pos>>20, float64(during.Written)/took.Seconds()/(1<<20), st.Stalls, time.Duration(st.LongestStall))
	if st.Lost != 0 {
		t.Fatalf("the ring overwrote %d bytes", st.Lost)
	}
}

func settledHead(c *testConsole) uint64 {
	time.Sleep(20 * time.Millisecond)
	return c.stats.Head()
}

func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}
