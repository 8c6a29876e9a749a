package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

var (
	web    = repo.Entity{Service: "web"}
	webOne = repo.Entity{Service: "web", Instance: "one"}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// script is what a false server does with one connection: it is greeted unless greet is nil; then
// each reply is given a request, and gives a frame, or nil to close.
type script struct {
	greet   []byte
	replies []func(r *door.Request) []byte
}

// fake plays scripts, one a connection, the last for all that follow.
type fake struct {
	t        testing.TB
	path     string
	listener *os.File
	requests chan *door.Request
	done     chan struct{}
}

func play(t testing.TB, scripts ...script) *fake {
	t.Helper()
	f := &fake{t: t, path: filepath.Join(t.TempDir(), "door"), requests: make(chan *door.Request, 1000), done: make(chan struct{})}
	dir, err := sys.OpenDir(filepath.Dir(f.path))
	must(t, err)
	defer dir.Close()
	fd, err := sys.ListenUnix(dir, "door", 0o600, 10)
	must(t, err)
	f.listener = os.NewFile(uintptr(fd.Disown()), "listener")
	go f.accept(scripts)
	t.Cleanup(f.end)
	return f
}

func (f *fake) end() {
	f.listener.Close()
	<-f.done
}

func (f *fake) accept(scripts []script) {
	defer close(f.done)
	raw, err := f.listener.SyscallConn()
	if err != nil {
		return
	}
	for {
		var fd *sys.FD
		var failed error
		err := raw.Read(func(n uintptr) bool {
			fd, failed = sys.Accept(int(n))
			return !errors.Is(failed, unix.EAGAIN)
		})
		if err != nil || failed != nil {
			return
		}
		f.serve(os.NewFile(uintptr(fd.Disown()), "fake"), scripts[0])
		if len(scripts) > 1 {
			scripts = scripts[1:]
		}
	}
}

func (f *fake) serve(c *os.File, s script) {
	defer c.Close()
	if s.greet == nil {
		return
	}
	_ = c.SetDeadline(time.Now().Add(testenv.Deadline(20 * time.Second)))
	_, _ = c.Write(s.greet)
	frames := door.Frames{R: c}
	for _, reply := range s.replies {
		p, err := frames.Next(door.RequestBytesMax)
		if err != nil {
			return
		}
		r, err := door.ParseRequest(p, true)
		if err != nil {
			f.t.Error(err)
			return
		}
		f.requests <- r
		frame := reply(r)
		if frame == nil {
			return
		}
		_, _ = c.Write(frame)
	}
}

func (f *fake) client() *Client {
	c := New(Config{Path: f.path, Patience: testenv.Deadline(20 * time.Second)})
	f.t.Cleanup(func() { must(f.t, c.Close()) })
	return c
}

// seen are the requests so far.
func (f *fake) seen() (all []*door.Request) {
	for len(f.requests) > 0 {
		all = append(all, <-f.requests)
	}
	return all
}

func hello(epoch uint64) []byte {
	return door.Finish(door.AppendEpoch(door.Begin(nil, door.Hello, 1), epoch))
}

func ended(*door.Request) []byte { return nil }

func done(*door.Request) []byte { return door.Finish(door.Begin(nil, door.Done, 7)) }

func failed(err error) func(*door.Request) []byte {
	return func(*door.Request) []byte {
		return door.Finish(door.AppendFailure(door.Begin(nil, door.Failed, 7), err))
	}
}

func bye(err error) []byte {
	return door.Finish(door.AppendFailure(door.Begin(nil, door.Bye, 0), err))
}

func replies(f ...func(*door.Request) []byte) []func(*door.Request) []byte { return f }

func str(name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: prop.AString, Values: values}
}

// TestReadsGoOn: whatever becomes of servers, what is read is asked again.
func TestReadsGoOn(t *testing.T) {
	for name, first := range map[string]script{
		"no greeting":     {},
		"half a greeting": {greet: hello(1)[:7]},
		"full":            {greet: bye(door.ErrBusy)},
		"no answer":       {hello(1), replies(ended)},
		"half an answer":  {hello(1), replies(func(r *door.Request) []byte { return done(r)[:5] })},
		"gives way":       {append(hello(1), bye(door.ErrBusy)...), nil},
		"ends":            {hello(1), replies(func(*door.Request) []byte { return bye(repo.ErrClosed) })},
		"busy":            {hello(1), replies(failed(door.ErrBusy))},
	} {
		t.Run(name, func(t *testing.T) {
			f := play(t, first, first, script{hello(2), replies(done)})
			if g, err := f.client().Generation(); g != 7 || err != nil {
				t.Errorf("generation %d, %v", g, err)
			}
		})
	}
}

// TestBatches: when a batch is sent again, how, and what is said when it is not known.
func TestBatches(t *testing.T) {
	plain := func(b *repo.Batch) { b.SetProperty(web, "g", str("x", "1")) }
	careful := func(b *repo.Batch) { b.ExpectGroup(web, "g", 3); plain(b) }
	lost, ok := script{hello(1), replies(ended)}, func(epoch uint64) script { return script{hello(epoch), replies(done)} }
	stale := failed(&repo.OpError{Verb: repo.ExpectGroup, On: web, Name: "g", Err: repo.ErrStale})
	for name, c := range map[string]struct {
		fill    func(b *repo.Batch)
		scripts []script
		want    []error // nil: done
		sent    int
		again   bool // whether the last was marked so
	}{
		"answered":                       {plain, []script{ok(1)}, nil, 1, false},
		"not taken":                      {plain, []script{{append(hello(1), bye(door.ErrBusy)...), nil}, ok(2)}, nil, 1, false},
		"not greeted":                    {plain, []script{{}, ok(2)}, nil, 1, false},
		"the same server":                {plain, []script{lost, ok(1)}, nil, 2, true},
		"the same, twice":                {plain, []script{lost, lost, ok(1)}, nil, 3, true},
		"the same does not know":         {plain, []script{lost, {hello(1), replies(failed(door.ErrUnknown))}}, []error{door.ErrUnknown}, 2, true},
		"the same refuses":               {plain, []script{lost, {hello(1), replies(stale)}}, []error{repo.ErrStale}, 2, true},
		"another server":                 {plain, []script{lost, ok(2)}, []error{door.ErrUnknown}, 1, false},
		"another, guarded":               {careful, []script{lost, ok(2)}, nil, 2, true},
		"another, guarded, stale":        {careful, []script{lost, {hello(2), replies(stale)}}, []error{door.ErrUnknown, repo.ErrStale}, 2, true},
		"guarded and stale at once":      {careful, []script{{hello(1), replies(stale)}}, []error{repo.ErrStale}, 1, false},
		"another, guarded, refused else": {careful, []script{lost, {hello(2), replies(failed(&repo.OpError{Err: repo.ErrInvalidName}))}}, []error{repo.ErrInvalidName}, 2, true},
		"denied":                         {plain, []script{{hello(1), replies(failed(&door.DeniedError{Missing: "a"}))}}, []error{door.ErrDenied}, 1, false},
		"saved by half":                  {plain, []script{{hello(1), replies(failed(repo.ErrHalf))}}, []error{repo.ErrHalf}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := play(t, c.scripts...)
			var b repo.Batch
			c.fill(&b)
			g, err := f.client().Apply(&b)
			for _, want := range c.want {
				if !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
			}
			unknown := slices.Contains(c.want, error(door.ErrUnknown))
			if len(c.want) == 0 && (err != nil || g != 7) || errors.Is(err, door.ErrUnknown) != unknown || errors.Is(err, repo.ErrHalf) && g != 7 {
				t.Errorf("generation %d, %v", g, err)
			}
			seen := f.seen()
			if len(seen) != c.sent || seen[len(seen)-1].Again != c.again {
				t.Fatalf("sent %d times, %v", len(seen), seen[len(seen)-1].Again)
			}
			for _, r := range seen {
				if r.ID != seen[0].ID || r.ID == [door.IDBytes]byte{} || len(r.Batch.Ops) != len(b.Ops) {
					t.Errorf("%+v is not the batch that was sent first", r)
				}
			}
		})
	}
}

// TestIDs: two batches are two.
func TestIDs(t *testing.T) {
	f := play(t, script{hello(1), replies(done, done)})
	c := f.client()
	for range 2 {
		_, err := c.Apply(&repo.Batch{})
		must(t, err)
	}
	if seen := f.seen(); len(seen) != 2 || seen[0].ID == seen[1].ID {
		t.Errorf("%+v", seen)
	}
}

// TestUnansweredBatch: a batch that may have arrived, and a server that never comes again.
func TestUnansweredBatch(t *testing.T) {
	f := play(t, script{hello(1), replies(ended)})
	c := New(Config{Path: f.path, Patience: 5 * time.Second}) // to be heard in; then it is over
	defer c.Close()
	var b repo.Batch
	b.Create(web)
	go func() {
		f.requests <- <-f.requests
		f.end()
	}()
	if _, err := c.Apply(&b); !errors.Is(err, door.ErrUnknown) || !errors.Is(err, door.ErrUnavailable) {
		t.Error(err)
	}
}

func TestGuarded(t *testing.T) {
	for name, c := range map[string]struct {
		want bool
		fill func(b *repo.Batch)
	}{
		"nothing":                 {true, func(b *repo.Batch) {}},
		"the repository":          {true, func(b *repo.Batch) { b.ExpectRepository(1); b.Delete(web, repo.WithChildren) }},
		"the group":               {true, func(b *repo.Batch) { b.ExpectGroup(web, "g", 1); b.DeleteProperty(web, "g", "x") }},
		"a whole group":           {true, func(b *repo.Batch) { b.ExpectGroup(web, "g", 0); b.PutGroup(web, &tree.Group{Name: "g"}) }},
		"an absent group":         {true, func(b *repo.Batch) { b.ExpectAbsent(web, "g"); b.CreateGroup(web, "g", "t", 0) }},
		"an absent service":       {true, func(b *repo.Batch) { b.ExpectAbsent(web, ""); b.Create(web) }},
		"another group":           {false, func(b *repo.Batch) { b.ExpectGroup(web, "g", 1); b.SetProperty(web, "h", str("x")) }},
		"the instance's group":    {false, func(b *repo.Batch) { b.ExpectGroup(web, "g", 1); b.SetProperty(webOne, "g", str("x")) }},
		"expected too late":       {false, func(b *repo.Batch) { b.SetProperty(web, "g", str("x")); b.ExpectGroup(web, "g", 1) }},
		"that it is there":        {false, func(b *repo.Batch) { b.ExpectExists(web, "g"); b.DeleteGroup(web, "g") }},
		"another service":         {false, func(b *repo.Batch) { b.ExpectAbsent(web, ""); b.Create(webOne) }},
		"a snapshot":              {false, func(b *repo.Batch) { b.ExpectGroup(webOne, "g", 1); b.TakeSnapshot(webOne, "s") }},
		"one of two":              {false, func(b *repo.Batch) { b.ExpectGroup(web, "g", 1); b.DeleteGroup(web, "g"); b.Ensure(webOne) }},
		"an operation unheard of": {false, func(b *repo.Batch) { b.Ops = append(b.Ops, repo.Op{Verb: 200}) }},
	} {
		var b repo.Batch
		c.fill(&b)
		if got := guarded(&b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPatience: nobody there is told, each kind in its words, and in time.
func TestPatience(t *testing.T) {
	dir := t.TempDir()
	ask := func(path string) error {
		c := New(Config{Path: path, Patience: 200 * time.Millisecond})
		defer c.Close()
		_, err := c.Generation()
		return err
	}
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "no", "such"), "none"} {
		if err := ask(path); !errors.Is(err, door.ErrNoServer) || !strings.HasPrefix(err.Error(), path) {
			t.Error(err)
		}
	}
	f := play(t, script{hello(1), replies(done)})
	c := New(Config{Path: f.path, Patience: testenv.Deadline(20 * time.Second)})
	defer c.Close()
	_, err := c.Generation()
	must(t, err)
	f.end()
	c.cfg.Patience = 200 * time.Millisecond
	if _, err := c.Generation(); !errors.Is(err, door.ErrUnavailable) || errors.Is(err, door.ErrNoServer) {
		t.Error(err)
	}
	if err := ask(f.path); !errors.Is(err, door.ErrUnavailable) {
		t.Error(err)
	}
	f = play(t, script{greet: bye(door.ErrBusy)})
	if err := ask(f.path); !errors.Is(err, door.ErrUnavailable) || !errors.Is(err, door.ErrBusy) {
		t.Error(err)
	}
	f = play(t, script{hello(1), replies(func(*door.Request) []byte { <-time.After(300 * time.Millisecond); return nil })})
	if err := ask(f.path); !errors.Is(err, door.ErrUnavailable) {
		t.Error(err)
	}
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o666))
	if err := ask(file); err == nil {
		t.Error("a file answers")
	}
}

// TestNonsense: a server that makes no sense is told so, and the next call has a new connection.
func TestNonsense(t *testing.T) {
	frame := func(p ...byte) func(*door.Request) []byte {
		return func(*door.Request) []byte { return wire.Append(nil, p) }
	}
	for name, c := range map[string]struct {
		first script
		want  error
	}{
		"another version":  {script{greet: wire.Append(nil, []byte{door.Version + 1, 1, 1})}, door.ErrVersion},
		"no greeting":      {script{greet: done(nil)}, door.ErrProtocol},
		"no epoch":         {script{greet: door.Finish(door.Begin(nil, door.Hello, 1))}, door.ErrProtocol},
		"4 GiB":            {script{hello(1), replies(func(*door.Request) []byte { return []byte{255, 255, 255, 255} })}, door.ErrProtocol},
		"empty":            {script{hello(1), replies(func(*door.Request) []byte { return make([]byte, 4) })}, door.ErrProtocol},
		"an unknown state": {script{hello(1), replies(frame(door.Version, 99, 1))}, door.ErrProtocol},
		"too much":         {script{hello(1), replies(frame(door.Version, byte(door.Done), 1, 1))}, door.ErrProtocol},
		"half a failure":   {script{hello(1), replies(frame(door.Version, byte(door.Failed), 1, 1))}, door.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			cl := play(t, c.first, script{hello(1), replies(done)}).client()
			if _, err := cl.Generation(); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if g, err := cl.Generation(); g != 7 || err != nil {
				t.Errorf("generation %d, %v", g, err)
			}
		})
	}
}

// TestPages: a repository that changes between pages is read anew, with larger pages, and not for
// ever.
func TestPages(t *testing.T) {
	page := func(s door.Status, generation uint64, names ...string) func(*door.Request) []byte {
		return func(*door.Request) []byte {
			b := door.Begin(nil, s, generation)
			for _, n := range names {
				b = door.AppendEntry(b, repo.Entity{Service: n})
			}
			return door.Finish(b)
		}
	}
	moved := failed(door.ErrMoved)
	f := play(t, script{hello(1), replies(page(door.More, 5, "a", "b"), moved, page(door.More, 6, "a"), ended)},
		script{hello(2), replies(page(door.More, 6, "c"), page(door.Done, 6, "d"))})
	names, err := f.client().Services()
	if err != nil || !slices.Equal(names, []string{"a", "c", "d"}) {
		t.Errorf("%q, %v", names, err)
	}
	var got []string
	for _, r := range f.seen() {
		got = append(got, r.After.On.Service+string(rune('0'+r.Generation))+string(rune('0'+r.Try)))
	}
	if want := []string{"00", "b50", "01", "a61", "a61", "c61"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	var always []func(*door.Request) []byte
	for range door.TriesMax {
		always = append(always, moved)
	}
	f = play(t, script{hello(1), always})
	if _, err := f.client().Services(); !errors.Is(err, door.ErrBusy) {
		t.Error(err)
	}
	f = play(t, script{hello(1), replies(func(*door.Request) []byte {
		return door.Finish(door.AppendEntryGroup(door.Begin(nil, door.Done, 1), &door.Group{}))
	})})
	if _, err := f.client().Services(); !errors.Is(err, door.ErrProtocol) {
		t.Errorf("a group of nothing: %v", err)
	}
}

// TestWatchHalves: a wait that ends in the middle of a change loses nothing of it.
func TestWatchHalves(t *testing.T) {
	e := repo.Event{Kind: repo.GroupChanged, Generation: 9, On: webOne, Name: "g", Type: "t"}
	frame := door.Finish(door.AppendEvent(door.Begin(nil, door.Change, 9), &e))
	f := play(t, script{hello(1), replies(func(r *door.Request) []byte { return append(done(r), frame[:9]...) },
		func(*door.Request) []byte { return frame[9:] }, ended)})
	c := f.client()
	w, err := c.Watch(repo.Filter{})
	must(t, err)
	defer w.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if got, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", got, err)
	}
	// The false server goes on when something comes.
	_, err = w.(*watch).k.f.Write(wire.Append(nil, (&door.Request{Verb: door.VerbGeneration}).Append(nil)))
	must(t, err)
	if got, err := w.Next(context.Background()); err != nil || got != e {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = w.(*watch).k.f.Write(wire.Append(nil, (&door.Request{Verb: door.VerbGeneration}).Append(nil)))
	must(t, err)
	if got, err := w.Next(context.Background()); !errors.Is(err, repo.ErrClosed) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestClosed(t *testing.T) {
	c := play(t, script{hello(1), replies(done)}).client()
	must(t, c.Close())
	if _, err := c.Generation(); !errors.Is(err, repo.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.Services(); !errors.Is(err, repo.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.Watch(repo.Filter{}); !errors.Is(err, repo.ErrClosed) {
		t.Error(err)
	}
}
