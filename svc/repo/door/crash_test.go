package door_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/repo/door/server"
)

// spawn starts a process that serves on the listener.
func spawn(t *testing.T, dir string, l *sys.FD) *exec.Cmd {
	t.Helper()
	dup, err := l.Dup()
	must(t, err)
	f := os.NewFile(uintptr(dup.Disown()), "listener")
	defer f.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), role+"=serve", "DOOR_TEST_DIR="+dir)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	_, err = cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "serving\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
}

// tally is how the increments of one client ended.
type tally struct{ done, unknown, stale int }

// increment adds one to a number that is in both files, again and again. Each change expects what
// was read. came counts those that are done.
func increment(c *client.Client, e repo.Entity, stop <-chan struct{}, came *atomic.Int64) (n tally, err error) {
	for {
		select {
		case <-stop:
			return n, nil
		default:
		}
		g, err := c.Group(e, door.Direct, "n")
		if err != nil {
			return n, err
		}
		at, err := strconv.Atoi(g.Props[0].Values[0])
		if err != nil {
			return n, err
		}
		next := str("n", strconv.Itoa(at+1))
		var b repo.Batch
		b.ExpectGroup(e, "n", g.Generation)
		b.SetValues(e, "n", next)
		v, err := c.Group(e, door.Direct, "v")
		if err != nil {
			return n, err
		}
		b.ExpectGroup(e, "v", v.Generation)
		b.SetValues(e, "v", next)
		switch _, err := c.Apply(&b); {
		case err == nil:
			n.done++
			came.Add(1)
		case errors.Is(err, door.ErrUnknown):
			n.unknown++
		case errors.Is(err, repo.ErrStale):
			n.stale++
		default:
			return n, err
		}
	}
}

// TestServersKilled: servers are killed while clients write. Each reads on with the next server;
// what it was told is done is done once, and what is not known is told so.
func TestServersKilled(t *testing.T) {
	dir := place(t)
	l, err := server.Listen(doorOf(dir))
	must(t, err)
	defer l.Close()
	cmd := spawn(t, dir, l)
	s := served{t: t, path: doorOf(dir)}
	entities := []repo.Entity{webOne, webTwo}
	apply(t, s.client(), func(b *repo.Batch) {
		for _, e := range entities {
			b.Ensure(e)
			b.PutGroup(e, group("n", str("n", "0")))
			b.PutGroup(e, volatileGroup("v", str("n", "0")))
		}
	})
	stop := make(chan struct{})
	var group sync.WaitGroup
	const each = 2
	tallies, errs := make([]tally, each*len(entities)), make([]error, each*len(entities))
	var came [2]atomic.Int64
	for i := range tallies {
		c := s.client()
		group.Go(func() { tallies[i], errs[i] = increment(c, entities[i%2], stop, &came[i%2]) })
	}
	for i := range testenv.Rounds(12, 4) {
		<-time.After(time.Duration(20+13*i%40) * time.Millisecond)
		kill(t, cmd)
		cmd = spawn(t, dir, l)
	}
	testenv.Eventually(t, func() bool { return came[0].Load() > 0 && came[1].Load() > 0 }, "something to be done of each")
	close(stop)
	group.Wait()
	c := s.client()
	for i, e := range entities {
		must(t, errors.Join(errs[i], errs[i+2]))
		done, unknown := tallies[i].done+tallies[i+2].done, tallies[i].unknown+tallies[i+2].unknown
		for _, name := range []string{"n", "v"} {
			p, err := c.Property(e, door.Direct, name, "n")
			must(t, err)
			n, err := strconv.Atoi(p.Values[0])
			if err != nil || n < done || n > done+unknown || done == 0 {
				t.Errorf("%v %s: %d; %d are done and %d not known", e, name, n, done, unknown)
			}
		}
		t.Logf("%v: %+v %+v", e, tallies[i], tallies[i+2])
	}
	must(t, c.Close())
	kill(t, cmd)
	r, err := openRepo(dir)
	must(t, err)
	must(t, errors.Join(r.Verify(), r.Close()))
}

// TestHandedOver: who asks while there is no server waits for the next one on the same listener,
// and connections to the one before are told.
func TestHandedOver(t *testing.T) {
	s := &served{t: t, dir: place(t)}
	s.path, s.repo = doorOf(s.dir), repository(t, s.dir)
	l, err := server.Listen(s.path)
	must(t, err)
	defer l.Close()
	s.start(l)
	old, fresh := s.client(), s.client()
	generation := apply(t, old, func(b *repo.Batch) { b.Ensure(webOne) })
	w, err := old.Watch(repo.Filter{})
	must(t, err)
	must(t, s.server.Close())
	if e, err := w.Next(shortly(t)); !errors.Is(err, repo.ErrClosed) {
		t.Errorf("%+v, %v", e, err)
	}
	must(t, w.Close())
	answers := make(chan error)
	for _, c := range []*client.Client{old, fresh} {
		go func() {
			g, err := c.Generation()
			if err == nil && g != generation {
				err = fmt.Errorf("generation %d, want %d", g, generation)
			}
			answers <- err
		}()
	}
	write := s.client()
	go func() {
		var b repo.Batch
		b.Create(webTwo)
		_, err := write.Apply(&b)
		answers <- err
	}()
	select {
	case err := <-answers:
		t.Fatalf("somebody answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.start(l)
	defer func() { must(t, s.server.Close()) }()
	for range 3 {
		if err := <-answers; err != nil && err.Error() != fmt.Sprintf("generation %d, want %d", generation+1, generation) {
			t.Error(err)
		}
	}
	if is, err := old.Exists(webTwo); !is || err != nil {
		t.Errorf("%v, %v", is, err)
	}
}

// TestTwoWriters: of two that read the same one is first, and the other is told.
func TestTwoWriters(t *testing.T) {
	s := serve(t)
	apply(t, s.client(), func(b *repo.Batch) {
		b.Ensure(webOne)
		b.PutGroup(webOne, group("n", str("n", "0")))
		b.PutGroup(webOne, volatileGroup("v", str("n", "0")))
	})
	stop := make(chan struct{})
	var writers sync.WaitGroup
	tallies, errs := make([]tally, 4), make([]error, 4)
	for i := range tallies {
		c := s.client()
		writers.Go(func() { tallies[i], errs[i] = increment(c, webOne, stop, new(atomic.Int64)) })
	}
	c := s.client()
	testenv.Eventually(t, func() bool {
		p, err := c.Property(webOne, door.Direct, "n", "n")
		must(t, err)
		n, _ := strconv.Atoi(p.Values[0])
		return n >= testenv.Rounds(200, 20)
	}, "the number to grow")
	close(stop)
	writers.Wait()
	var sum tally
	for i, n := range tallies {
		must(t, errs[i])
		sum.done, sum.stale, sum.unknown = sum.done+n.done, sum.stale+n.stale, sum.unknown+n.unknown
	}
	p, err := c.Property(webOne, door.Direct, "n", "n")
	if err != nil || p.Values[0] != strconv.Itoa(sum.done) || sum.unknown != 0 {
		t.Errorf("%+v, %v; %+v", p, err, sum)
	}
}

// TestScansAmongWriters: a scan of many pages is of one generation, whatever is written meanwhile.
func TestScansAmongWriters(t *testing.T) {
	s := serve(t)
	const services = 60
	write := func(c door.Store, n int) uint64 {
		return apply(t, c, func(b *repo.Batch) {
			for i := range services {
				e := repo.Entity{Service: "s" + strconv.Itoa(i), Instance: "i"}
				b.Ensure(e)
				b.PutGroup(e, group("g", str("n", strconv.Itoa(n)), str("room", fmt.Sprintf("%4000d", n), fmt.Sprintf("%4000d", n))))
			}
		})
	}
	writer := s.client()
	write(writer, 0)
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			case <-time.After(5 * time.Millisecond):
			}
			write(writer, n)
		}
	}()
	c, whole := s.client(), 0
	for range testenv.Rounds(20, 5) {
		r, err := c.Scan(door.Query{Levels: door.Instances, View: door.Direct})
		if errors.Is(err, door.ErrBusy) {
			continue // it is told; that it may be so is the limit
		}
		must(t, err)
		if whole++; len(r.Entries) != services {
			t.Fatalf("%d entries", len(r.Entries))
		}
		for _, e := range r.Entries {
			if got, want := e.Groups[0].Prop("n").Values[0], r.Entries[0].Groups[0].Prop("n").Values[0]; got != want {
				t.Fatalf("%v is of %s, the first of %s", e.On, got, want)
			}
		}
	}
	close(stop)
	if n := <-done; n < 2 || whole == 0 {
		t.Errorf("%d scans, %d writes", whole, n)
	}
}
