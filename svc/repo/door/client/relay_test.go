package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/server"
	"github.com/linuxzones/zones/svc/tree"
)

// outside is who talks to a door through processes.
type outside struct {
	t    *testing.T
	args []string // of the process
	env  []string
	mu   sync.Mutex
	all  []*through
}

// through is a connection that is a process.
type through struct {
	in, out *os.File // our ends
	cmd     *exec.Cmd
	errs    bytes.Buffer
	ended   chan struct{}
	once    sync.Once
}

// relayed is outside of a door, with this test's own relay between.
func relayed(t *testing.T, path string) *outside {
	return &outside{t: t, args: []string{"/proc/self/exe"}, env: []string{role + "=relay", "CLIENT_TEST_DOOR=" + path}}
}

func (o *outside) dial(time.Time) (Conn, error) {
	theirIn, in, err := os.Pipe()
	must(o.t, err)
	out, theirOut, err := os.Pipe()
	must(o.t, err)
	h := &through{in: in, out: out, cmd: exec.Command(o.args[0], o.args[1:]...), ended: make(chan struct{})}
	h.cmd.Env = append(os.Environ(), o.env...)
	h.cmd.Stdin, h.cmd.Stdout, h.cmd.Stderr = theirIn, theirOut, &h.errs
	must(o.t, h.cmd.Start())
	theirIn.Close()
	theirOut.Close()
	go func() { _ = h.cmd.Wait(); close(h.ended) }()
	o.mu.Lock()
	o.all = append(o.all, h)
	o.mu.Unlock()
	return h, nil
}

func (o *outside) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.all)
}

func (h *through) Read(p []byte) (int, error) {
	n, err := h.out.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	<-h.ended
	if !h.cmd.ProcessState.Success() {
		err = fmt.Errorf("%w: %v: %s", ErrFinal, h.cmd.ProcessState, strings.TrimSpace(h.errs.String()))
	}
	return n, err
}

func (h *through) Write(p []byte) (int, error)        { return h.in.Write(p) }
func (h *through) SetReadDeadline(t time.Time) error  { return h.out.SetReadDeadline(t) }
func (h *through) SetWriteDeadline(t time.Time) error { return h.in.SetWriteDeadline(t) }

// Close ends the input: a relay must end by that alone.
func (h *through) Close() error {
	h.once.Do(func() {
		h.in.Close()
		select {
		case <-h.ended:
		case <-time.After(testenv.Deadline(time.Minute)):
			h.errs.WriteString("a relay whose input has ended goes on")
			_ = h.cmd.Process.Kill()
			<-h.ended
		}
		h.out.Close()
	})
	return nil
}

// client is one from outside; all its processes must have ended by themselves.
func (o *outside) client(patience time.Duration) *Client {
	c := New(Config{Dial: o.dial, Patience: testenv.Deadline(patience)})
	o.t.Cleanup(func() {
		must(o.t, c.Close())
		for _, h := range o.all {
			must(o.t, h.Close())
			if strings.Contains(h.errs.String(), "goes on") {
				o.t.Error(h.errs.String())
			}
		}
	})
	return c
}

// real is a repository with a server.
type real struct {
	t    *testing.T
	path string
	r    *repo.Repo
	s    *server.Server
}

func serveReal(t *testing.T) *real {
	t.Helper()
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "repository.db")})
	must(t, err)
	d := &real{t: t, path: filepath.Join(dir, "door"), r: r}
	d.start()
	t.Cleanup(func() { must(t, errors.Join(d.s.Close(), r.Close())) })
	return d
}

func (d *real) start() {
	d.t.Helper()
	l, err := server.Listen(d.path)
	must(d.t, err)
	defer l.Close()
	d.s, err = server.New(server.Config{Repo: d.r, Listener: l})
	must(d.t, err)
}

// fill is a batch of much.
func fill(n int, bytes int) *repo.Batch {
	var b repo.Batch
	for i := range n {
		e := repo.Entity{Service: "s" + strconv.Itoa(i), Instance: "i"}
		b.Ensure(e)
		b.PutGroup(e, &tree.Group{Name: "g", Type: "application", Props: []tree.Property{
			{Name: "p", Type: prop.AString, Values: []string{strings.Repeat("x", bytes)}}}})
	}
	return &b
}

// TestRelay: requests and answers of all sizes pass.
func TestRelay(t *testing.T) {
	d := serveReal(t)
	o := relayed(t, d.path)
	c := o.client(20 * time.Second)
	_, err := c.Apply(fill(600, 4000))
	must(t, err)
	r, err := c.Scan(door.Query{Levels: door.Instances, View: door.Direct})
	if err != nil || len(r.Entries) != 600 || len(r.Entries[599].Groups[0].Props[0].Values[0]) != 4000 {
		t.Errorf("%d entries, %v", len(r.Entries), err)
	}
	if _, err := c.Group(repo.Entity{Service: "none"}, door.Direct, "g"); !errors.Is(err, repo.ErrNotFound) {
		t.Error(err)
	}
	must(t, c.Verify())
	if o.count() != 1 {
		t.Errorf("%d relays", o.count())
	}
}

// TestRelayWatch: changes come as they happen, and the relay of a watch ends with it.
func TestRelayWatch(t *testing.T) {
	d := serveReal(t)
	c := relayed(t, d.path).client(20 * time.Second)
	w, err := c.Watch(repo.Filter{})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	_, err = c.Apply(fill(1, 1))
	must(t, err)
	if e, err := w.Next(t.Context()); err != nil || e.On.Service != "s0" {
		t.Errorf("%+v, %v", e, err)
	}
	must(t, w.Close())
	w, err = c.Watch(repo.Filter{})
	must(t, err)
	defer w.Close()
	must(t, d.s.Close())
	if e, err := w.Next(t.Context()); !errors.Is(err, repo.ErrClosed) {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestRelayServerRestarts: the client connects again, through a relay of its own.
func TestRelayServerRestarts(t *testing.T) {
	d := serveReal(t)
	o := relayed(t, d.path)
	c := o.client(20 * time.Second)
	for i := range 5 {
		must(t, d.s.Close())
		if i%2 == 0 {
			d.start()
		} else { // the relay waits for the next one
			done := make(chan struct{})
			go func() { defer close(done); <-time.After(50 * time.Millisecond); d.start() }()
			defer func() { <-done }()
		}
		if _, err := c.Generation(); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if o.count() < 5 {
		t.Errorf("%d relays", o.count())
	}
}

// TestRelayKilled: it is said that the way has ended; the next call has another.
func TestRelayKilled(t *testing.T) {
	d := serveReal(t)
	o := relayed(t, d.path)
	c := o.client(20 * time.Second)
	_, err := c.Generation()
	must(t, err)
	must(t, o.all[0].cmd.Process.Kill())
	<-o.all[0].ended
	if _, err := c.Generation(); !errors.Is(err, ErrFinal) || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
	_, err = c.Generation()
	must(t, err)
}

// TestRelayNoDoor: it is final, and quick.
func TestRelayNoDoor(t *testing.T) {
	o := relayed(t, filepath.Join(t.TempDir(), "door"))
	if _, err := o.client(20 * time.Second).Generation(); !errors.Is(err, ErrFinal) || !strings.Contains(err.Error(), "door: the repository is not served") {
		t.Error(err)
	}
	if o.count() != 1 {
		t.Errorf("%d relays", o.count())
	}
	o = relayed(t, "/dev/null/door")
	if _, err := o.client(20 * time.Second).Generation(); !errors.Is(err, ErrFinal) {
		t.Error(err)
	}
}

// TestUnknownThroughRelay: of a batch that was sent, and a way that has ended, it is said that it
// is not known.
func TestUnknownThroughRelay(t *testing.T) {
	hello1 := hello(1)
	for name, last := range map[string]func(n int) (Conn, error){
		"no way at all":  func(int) (Conn, error) { return nil, errors.New("the zone is down") },
		"a final word":   func(int) (Conn, error) { return &played{final: true}, nil },
		"another server": func(int) (Conn, error) { return &played{said: wireOf(99)}, nil },
	} {
		n := 0
		c := New(Config{Patience: testenv.Deadline(5 * time.Second), Dial: func(time.Time) (Conn, error) {
			if n++; n == 1 {
				return &played{said: hello1}, nil
			}
			return last(n)
		}})
		var b repo.Batch
		b.Create(web)
		if _, err := c.Apply(&b); !errors.Is(err, door.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, c.Close())
	}
	c := New(Config{Patience: time.Second, Dial: func(time.Time) (Conn, error) { return nil, errors.New("the zone is down") }})
	var b repo.Batch
	b.Create(web)
	if _, err := c.Apply(&b); errors.Is(err, door.ErrUnknown) || err == nil || err.Error() != "the zone is down" {
		t.Errorf("what was never sent: %v", err)
	}
}

// wireOf is a frame of another version.
func wireOf(version byte) []byte { return []byte{0, 0, 0, 3, version, 1, 1} }

// played says its part, whatever it hears, and ends.
type played struct {
	said  []byte
	final bool
}

func (p *played) Read(b []byte) (int, error) {
	if len(p.said) == 0 {
		if p.final {
			return 0, ErrFinal
		}
		return 0, io.EOF
	}
	n := copy(b, p.said)
	p.said = p.said[n:]
	return n, nil
}

func (p *played) Write(b []byte) (int, error)      { return len(b), nil }
func (p *played) Close() error                     { return nil }
func (p *played) SetReadDeadline(time.Time) error  { return nil }
func (p *played) SetWriteDeadline(time.Time) error { return nil }

// TestHostile: a zone that answers with what it likes. It costs the client no more than its
// patience, and it is said what is wrong.
func TestHostile(t *testing.T) {
	greet := fmt.Sprintf("printf '%s'; ", octal(hello(1)))
	empty := octal(door.Finish(door.Begin(nil, door.More, 7)))
	page := octal(door.Finish(door.AppendEntry(door.Begin(nil, door.More, 7), web)))
	busy := octal(door.Finish(door.AppendFailure(door.Begin(nil, door.Failed, 7), door.ErrBusy)))
	for name, c := range map[string]struct {
		script string
		want   error
	}{
		"silence":            {"exec sleep 1000", door.ErrUnavailable},
		"silence then":       {greet + "exec sleep 1000", door.ErrUnavailable},
		"the end":            {"exit 0", door.ErrUnavailable},
		"the end then":       {greet + "exit 0", door.ErrUnavailable},
		"failure":            {"echo no >&2; exit 1", ErrFinal},
		"failure then":       {greet + "exit 1", ErrFinal},
		"text":               {"while :; do echo hello; done", door.ErrProtocol},
		"text then":          {greet + "while :; do echo hello; done", door.ErrProtocol},
		"zeros":              {"exec cat /dev/zero", door.ErrProtocol},
		"a huge frame":       {greet + "exec tr '\\0' '\\377' </dev/zero", door.ErrProtocol},
		"a frame in drops":   {greet + `printf '\000\001\000\000\001'; while printf x; do sleep 0.05; done`, door.ErrUnavailable},
		"a frame cut off":    {greet + `printf '\000\001\000\000\001'`, door.ErrUnavailable},
		"greetings":          {greet + greet + "cat >/dev/null", door.ErrProtocol},
		"empty pages":        {greet + "while printf '" + empty + "'; do :; done", door.ErrProtocol},
		"the same page":      {greet + "while printf '" + page + "'; do :; done", door.ErrProtocol},
		"always busy":        {greet + "while printf '" + busy + "'; do sleep 0.01; done", door.ErrUnavailable},
		"a page in a moment": {greet + endless("sleep 0.05"), door.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &outside{t: t, args: []string{"/bin/sh", "-c", c.script}}
			patience := testenv.Deadline(time.Minute) // for what is to be heard first
			if c.want == door.ErrUnavailable {
				patience = 700 * time.Millisecond
			}
			cl := New(Config{Dial: o.dialKill, Patience: patience})
			defer cl.Close()
			if _, err := cl.Services(); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// endless is pages that go on and on, with another service each.
func endless(pause string) string {
	one := octal(door.Finish(door.AppendEntry(door.Begin(nil, door.More, 7), repo.Entity{Service: "s00000000"})))
	before, after, _ := strings.Cut(one, octal([]byte("00000000")))
	return "i=10000000; while printf '" + before + "'$i'" + after + "'; do i=$((i+1)); " + pause + "; done"
}

// dialKill is dial to what does not end by itself.
func (o *outside) dialKill(until time.Time) (Conn, error) {
	c, err := o.dial(until)
	if err != nil {
		return nil, err
	}
	return killed{c.(*through)}, nil
}

type killed struct{ *through }

func (k killed) Close() error {
	_ = k.cmd.Process.Kill()
	return k.through.Close()
}

func octal(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, "\\%03o", c)
	}
	return s.String()
}

// flood says that there are more and more services, with large groups.
type flood struct {
	played
	n int
}

func (f *flood) Read(b []byte) (int, error) {
	if len(f.said) == 0 {
		p := door.AppendEntry(door.Begin(nil, door.More, 7), repo.Entity{Service: fmt.Sprintf("s%09d", f.n)})
		p = door.AppendEntryGroup(p, &door.Group{Group: tree.Group{Name: "g", Type: "t", Props: []tree.Property{
			{Name: "p", Type: prop.AString, Values: slicesOf(40)}}}})
		f.said = door.Finish(p)
		f.n++
	}
	return f.played.Read(b)
}

var longValue = strings.Repeat("x", 60_000)

func slicesOf(n int) (all []string) {
	for range n {
		all = append(all, longValue)
	}
	return all
}

// TestFlood: a zone that has more and more to say does not fill the host's memory.
func TestFlood(t *testing.T) {
	f := &flood{played: played{said: hello(1)}}
	c := New(Config{Dial: func(time.Time) (Conn, error) { return f, nil }, Patience: testenv.Deadline(20 * time.Second)})
	defer c.Close()
	if _, err := c.Scan(door.Query{Levels: door.Services, View: door.Direct}); !errors.Is(err, repo.ErrLimit) {
		t.Errorf("%v after %d", err, f.n)
	}
	if f.n > 60 {
		t.Errorf("%d pages were taken", f.n)
	}
}

// TestRelaySocketGone: a door that nobody holds is waited for, and then told.
func TestRelaySocketGone(t *testing.T) {
	d := serveReal(t)
	o := relayed(t, d.path)
	must(t, d.s.Close())
	if _, err := o.client(20 * time.Second).Generation(); !errors.Is(err, ErrFinal) || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}
