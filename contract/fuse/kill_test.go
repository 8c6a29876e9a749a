package fuse

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// crowd is a set of clients whose numbers are compared in the end.
type crowd struct {
	r       *rig
	clients map[string][]*client
}

func (r *rig) crowd(ways ...string) *crowd {
	r.t.Helper()
	c := &crowd{r: r, clients: map[string][]*client{}}
	for _, way := range ways {
		c.clients[way] = append(c.clients[way], r.client(way))
	}
	return c
}

// numbers stops the clients of the given ways and gives what they told.
func (c *crowd) numbers(ways ...string) (list []uint64) {
	for _, way := range ways {
		for _, one := range c.clients[way] {
			list = append(list, one.stop(c.r.t)...)
		}
		delete(c.clients, way)
	}
	return list
}

// checkExact wants each number up to the highest exactly once. Up to inFlight numbers may be
// missing: those that clients had got and were killed before they could tell.
func checkExact(t testing.TB, what string, list []uint64, highest uint64, inFlight int) {
	t.Helper()
	seen := make(map[uint64]bool, len(list))
	for _, n := range list {
		if seen[n] {
			t.Errorf("%s: %d was given twice", what, n)
		}
		if n > highest {
			t.Errorf("%s: %d of %d", what, n, highest)
		}
		seen[n] = true
	}
	if missing := int(highest) - len(seen); missing > inFlight {
		t.Errorf("%s: %d of %d were given to nobody", what, missing, highest)
	}
	if highest == 0 {
		t.Errorf("%s: nothing was given: this tested nothing", what)
	}
}

// drained waits, with a server running, until no reader can get any token more.
func (r *rig) drained() state {
	f := newTokenFS(nil, r.mem)
	testenv.Eventually(r.t, func() bool { return f.state().Tokens == 0 }, "all tokens to be taken")
	return f.state()
}

// verdict stops the crowd, with a server running, and compares.
func (c *crowd) verdict() {
	t := c.r.t
	t.Helper()
	var put uint64
	for _, n := range c.numbers("put") {
		put += n
	}
	// The last write of a client that was stopped may have been done and not told.
	st := c.r.drained()
	putters := uint64(1)
	if st.Taken < put || st.Taken > put+3*putters {
		t.Errorf("%d tokens were put in and %d taken", put, st.Taken)
	}
	takers := []string{"take", "poll", "epoll"}
	inFlight := 0
	for _, way := range takers {
		inFlight += len(c.clients[way])
	}
	seqs := len(c.clients["seq"])
	checkExact(t, "tokens", c.numbers(takers...), st.Taken, inFlight)
	list := c.numbers("seq")
	checkExact(t, "seq", list, newTokenFS(nil, c.r.mem).state().Seq, seqs)
	c.numbers("open")
}

// TestServerKilledAnywhere kills the server hundreds of times at instants that nobody chose,
// under clients that read, wait, poll, write, open and close all the time.
func TestServerKilledAnywhere(t *testing.T) {
	r := newRig(t)
	c := r.crowd("seq", "seq", "take", "take", "poll", "epoll", "put", "open")
	kills := 400
	if testing.Short() {
		kills = testenv.Rounds(60, 30)
	}
	random := rand.New(rand.NewPCG(5, 6))
	for range kills {
		server := r.server()
		// A slow machine's servers come as far as others' in the same number of instructions.
		<-time.After(testenv.Deadline(time.Duration(1 + random.IntN(12_000_000))))
		kill(server)
	}
	server := r.server()
	defer kill(server)
	c.verdict()
	st := newTokenFS(nil, r.mem).state()
	t.Logf("%d kills; %d numbers, %d tokens, %d opens", kills, st.Seq, st.Taken, st.Opens)
}

// points are all places at which crash is called.
var points = []string{
	"read", "copied", "parked", "moved", "armed", "answer", "answered", "free", "commit", "committed",
}

// TestServerKilledAtEachPoint kills it between any two steps, some times in a row each.
func TestServerKilledAtEachPoint(t *testing.T) {
	r := newRig(t)
	c := r.crowd("seq", "take", "take", "poll", "epoll", "put", "open")
	for _, point := range points {
		const most = 12
		for i, rounds := 0, testenv.Rounds(most, 4); i < rounds; i++ {
			passes := 1 + (i*most/rounds)*(i*most/rounds)
			server := r.server("FUSE_TEST_POINT="+point, fmt.Sprint("FUSE_TEST_PASSES=", passes))
			if !endsByItself(t, server) {
				t.Fatalf("point %s was not passed %d times", point, passes)
			}
		}
	}
	server := r.server()
	defer kill(server)
	c.verdict()
}

// endsByItself waits for a server that kills itself.
func endsByItself(t testing.TB, cmd *exec.Cmd) bool {
	t.Helper()
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(testenv.Deadline(2 * time.Minute)): // a hundred requests, each a turn of some process
		_ = cmd.Process.Kill()
		<-ended
		return false
	}
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signal() != syscall.SIGKILL {
		t.Fatalf("server: %v", cmd.ProcessState)
	}
	return true
}

// TestClientsKilled kills clients and the server all the time: whoever is left goes on, and
// no request of the dead stays behind.
func TestClientsKilled(t *testing.T) {
	r := newRig(t)
	kinds := []string{"seq", "take", "poll", "epoll", "put", "open"}
	random := rand.New(rand.NewPCG(7, 8))
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		var crowd []*client
		for range 4 {
			crowd = append(crowd, r.client(kinds[random.IntN(len(kinds))]))
		}
		for range 3 {
			server := r.server()
			<-time.After(testenv.Deadline(time.Duration(1 + random.IntN(8_000_000))))
			kill(server)
		}
		for _, c := range crowd {
			_ = c.cmd.Process.Kill()
		}
		server := r.server() // who was killed within a request is let go
		for _, c := range crowd {
			within(t, c.ended, "the end of a killed client")
			<-c.numbers
		}
		kill(server)
	}
	f := r.serve()
	r.open("seq", unix.O_RDONLY)
	if n := len(f.s.Parked()); n != 0 {
		t.Errorf("%d requests of the dead are waiting", n)
	}
}

// TestParkedSurvive: readers that wait are served by the next server, in their order. They are
// processes, since this one is sent SIGCHLD and an interrupted reader queues up again.
func TestParkedSurvive(t *testing.T) {
	r := newRig(t)
	server := r.server()
	var readers []*client
	for i := range 3 {
		readers = append(readers, r.client("take"))
		testenv.Eventually(t, func() bool { return r.mem.head.parkedSeq.Load() == uint64(i+1) }, "a reader to wait")
	}
	for range 3 {
		kill(server)
		server = r.server()
	}
	defer func() { kill(server) }()
	in := r.open("tokens", unix.O_WRONLY)
	for i := range readers {
		must(t, write(in, "1"))
		testenv.Eventually(t, func() bool { return r.mem.head.parkedSeq.Load() == uint64(i+4) }, "a reader to wait again")
	}
	for i, c := range readers {
		if got := c.stop(t); len(got) != 1 || got[0] != uint64(i+1) {
			t.Errorf("reader %d got %d", i, got)
		}
	}
}
