package console

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
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
	t.Setenv(patient, "1")
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

// A client that is stopped while the zone floods its console is told how much it missed when it
// goes on, and all the rest is right.
func TestStoppedClientIsToldWhatItMissed(t *testing.T) {
	c := startConsole(t)
	cl := player(t, "client", c.dir, "console", "noescape")
	out, err := cl.StdoutPipe()
	must(t, err)
	must(t, cl.Start())
	waitFor(t, "client", func() bool { return c.stats.Attached() == 1 })
	must(t, cl.Process.Signal(syscall.SIGSTOP))
	const total = 16 << 20
	must(t, startWriter(t, c.slave, total).Wait())
	must(t, cl.Process.Signal(syscall.SIGCONT))

	var got []byte
	lostText := regexp.MustCompile(`\r\n\[NOTICE: (\d+) bytes? of console output lost\]\r\n`)
	buf, want := make([]byte, 64<<10), make([]byte, total)
	fillPattern(want, 0)
	for !bytes.HasSuffix(got, want[total-1000:]) {
		n, err := out.Read(buf)
		must(t, err)
		got = append(got, buf[:n]...)
	}
	must(t, cl.Process.Kill())
	_ = cl.Wait()
	pos, lost := 0, 0
	for len(got) > 0 {
		piece := got
		at := lostText.FindSubmatchIndex(got)
		if at != nil {
			piece = got[:at[0]]
		}
		if !bytes.Equal(piece, want[pos:pos+len(piece)]) {
			t.Fatalf("wrong bytes in the %d at %d", len(piece), pos)
		}
		pos += len(piece)
		if at == nil {
			break
		}
		n, err := strconv.Atoi(string(got[at[2]:at[3]]))
		must(t, err)
		pos, lost, got = pos+n, lost+n, got[at[1]:]
	}
	t.Logf("%d bytes seen, %d told to be missing", pos-lost, lost)
	if pos != total || lost == 0 {
		t.Errorf("%d bytes accounted for of %d, %d missing", pos, total, lost)
	}
}

func settledHead(c *testConsole) uint64 {
	time.Sleep(20 * time.Millisecond)
	return c.stats.Head()
}

func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(testenv.Deadline(forever)); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in time", what)
		}
	}
}
