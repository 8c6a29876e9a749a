package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/api/doortest"
	"golang.org/x/sys/unix"
)

const zone = "web"

func client(t *testing.T) *api.Client {
	return &api.Client{
		Layout: layout.At(t.TempDir()), Zone: zone,
		Debug: func(line string) { t.Log("debug:", line) },
	}
}

func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Deadline(time.Minute))
	t.Cleanup(cancel)
	return ctx
}

func TestMessagesThenResult(t *testing.T) {
	c := client(t)
	c.Locale = "de_DE.UTF-8"
	s := doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) {
		c.Request()
		c.Message(api.LevelNote, "zone is already booted")
		c.Message(api.LevelProgress, "one")
		c.Send(api.Reply{Type: "of tomorrow"})
		c.Send(api.Reply{Type: api.ReplyResult, Rval: -1, State: "running"})
	})
	var got []string
	r, err := c.Call(shortly(t), api.Request{Verb: api.VerbBoot, BootArgs: "-s", BootArgsGiven: true},
		api.Events{Message: func(r api.Reply) { got = append(got, string(r.Level)+" "+r.Text) }})
	if err != nil || r.Rval != -1 || r.State != "running" {
		t.Fatalf("%+v, %v", r, err)
	}
	if want := []string{"note zone is already booted", "progress one"}; !slices.Equal(got, want) {
		t.Errorf("messages %q, want %q", got, want)
	}
	q := s.Requests()[0]
	if q.Version != api.Version || len(q.ID) != 32 || q.Locale != "de_DE.UTF-8" || q.BootArgs != "-s" || !q.BootArgsGiven {
		t.Errorf("request %+v", q)
	}
}

// TestReconnects: whatever a supervisor's death looks like from outside, its successor is
// asked again with the same id.
func TestReconnects(t *testing.T) {
	half := wire.Append(nil, []byte(`{"type":"result"}`))[:9]
	deaths := map[string]doortest.Script{
		"leaving: closes at once":        func(*doortest.Conn) {},
		"leaving: reads, says nothing":   func(c *doortest.Conn) { c.Request() },
		"died after a message":           func(c *doortest.Conn) { c.Request(); c.Message(api.LevelNote, "x") },
		"died within a frame":            func(c *doortest.Conn) { c.Request(); c.Raw(half) },
		"died within a header":           func(c *doortest.Conn) { c.Request(); c.Raw(half[:2]) },
		"died with request half read":    func(c *doortest.Conn) {},
		"died after an unknown frame":    func(c *doortest.Conn) { c.Request(); c.Send(api.Reply{Type: "new"}) },
		"died with the request not read": func(c *doortest.Conn) { c.Message(api.LevelNote, "early") },
	}
	for name, death := range deaths {
		t.Run(name, func(t *testing.T) {
			c := client(t)
			s := doortest.Serve(t, c.Layout, zone, death, death, doortest.OK)
			r, err := c.Call(shortly(t), api.Request{Verb: api.VerbHalt}, api.Events{})
			if err != nil || r.Rval != 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			if n := s.Connections(); n != 3 {
				t.Errorf("%d connections, want 3", n)
			}
			for _, q := range s.Requests() {
				if q.ID != s.Requests()[0].ID {
					t.Errorf("ids differ: %v", s.Requests())
				}
			}
		})
	}
}

func TestNonsenseIsAnError(t *testing.T) {
	for name, raw := range map[string][]byte{
		"not JSON":        wire.Append(nil, []byte("HTTP/1.1 200 OK")),
		"wrong type":      wire.Append(nil, []byte(`{"type":7}`)),
		"empty frame":     {0, 0, 0, 0},
		"huge frame":      {255, 255, 255, 255, 'x'},
		"one too long":    {0, 1, 0, 1, 'x'},
		"an array":        wire.Append(nil, []byte(`[1,2]`)),
		"binary":          wire.Append(nil, bytes.Repeat([]byte{0xfe}, 100)),
		"tty without one": wire.Append(nil, []byte(`{"type":"tty"}`)),
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t)
			s := doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) { c.Request(); c.Raw(raw); c.WaitClosed() })
			_, err := c.Call(shortly(t), api.Request{Verb: api.VerbPing}, api.Events{})
			if !errors.Is(err, api.ErrProtocol) {
				t.Errorf("%v, want ErrProtocol", err)
			}
			if n := s.Connections(); n != 1 {
				t.Errorf("%d connections: nonsense was asked for again", n)
			}
		})
	}
}

func TestSlowServerByteByByte(t *testing.T) {
	c := client(t)
	doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) {
		c.Request()
		for _, b := range wire.Append(nil, []byte(`{"type":"result","rval":0,"state":"ready"}`)) {
			c.Raw([]byte{b})
			<-time.After(time.Millisecond)
		}
	})
	r, err := c.Call(shortly(t), api.Request{Verb: api.VerbReady}, api.Events{})
	if err != nil || r.State != "ready" {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestCancelledWhileServerHangs(t *testing.T) {
	c := client(t)
	asked := make(chan struct{})
	doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) { c.Request(); close(asked); c.WaitClosed() })
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(shortly(t))
	go func() { <-asked; cancel(why) }()
	if _, err := c.Call(ctx, api.Request{Verb: api.VerbBoot}, api.Events{}); !errors.Is(err, why) {
		t.Fatalf("%v, want the cause of the cancellation", err)
	}
}

func TestNoServer(t *testing.T) {
	c := client(t)
	if _, err := c.Call(shortly(t), api.Request{Verb: api.VerbPing}, api.Events{}); !errors.Is(err, api.ErrNoServer) {
		t.Errorf("no state directory: %v", err)
	}
	doortest.MakeState(t, c.Layout, zone).Close()
	if _, err := c.Call(shortly(t), api.Request{Verb: api.VerbPing}, api.Events{}); !errors.Is(err, api.ErrNoServer) {
		t.Errorf("no door: %v", err)
	}
	doortest.Serve(t, c.Layout, zone, doortest.OK).Close()
	if _, err := c.Call(shortly(t), api.Request{Verb: api.VerbPing}, api.Events{}); !errors.Is(err, api.ErrNoServer) {
		t.Errorf("nobody behind the door: %v", err)
	}
}

// TestDeathThroes: the one that leaves closes without a word and lets go of the lock a
// moment later; only then is another started.
func TestDeathThroes(t *testing.T) {
	c := client(t)
	dir := doortest.MakeState(t, c.Layout, zone)
	defer dir.Close()
	lock, _, err := sys.LockFile(dir, api.ZschedPid)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.WritePid(4711); err != nil {
		t.Fatal(err)
	}
	var s *doortest.Server
	released := make(chan struct{})
	leaving := make(chan struct{})
	s = doortest.Serve(t, c.Layout, zone, func(*doortest.Conn) { close(leaving) })
	go func() {
		<-leaving
		s.Close()
		<-time.After(50 * time.Millisecond)
		close(released)
		lock.Release()
	}()
	starts := 0
	c.Start = func(_ context.Context, z string, say func(string)) error {
		starts++
		select {
		case <-released:
		default:
			t.Error("started while the old one held the lock")
		}
		say("WARNING: zone is in state 'running'")
		doortest.Serve(t, c.Layout, z, doortest.OK)
		return nil
	}
	var said []string
	c.Startup = func(l string) { said = append(said, l) }
	if _, err := c.Call(shortly(t), api.Request{Verb: api.VerbBoot}, api.Events{}); err != nil {
		t.Fatal(err)
	}
	if starts != 1 || len(said) != 1 {
		t.Errorf("%d starts, said %q", starts, said)
	}
}

// TestLoserTalksToWinner: the one that we start finds another in charge.
func TestLoserTalksToWinner(t *testing.T) {
	c := client(t)
	c.Start = func(_ context.Context, z string, _ func(string)) error {
		doortest.Serve(t, c.Layout, z, doortest.OK)
		return api.ErrInCharge
	}
	if _, err := c.Call(shortly(t), api.Request{Verb: api.VerbBoot}, api.Events{}); err != nil {
		t.Fatal(err)
	}
}

// TestOutageIsBounded: supervisors that never answer are given up with an error that says so.
func TestOutageIsBounded(t *testing.T) {
	defer api.SetOutageMax(200 * time.Millisecond)()
	c := client(t)
	c.Debug = nil
	doortest.Serve(t, c.Layout, zone, func(*doortest.Conn) {})
	_, err := c.Call(shortly(t), api.Request{Verb: api.VerbBoot}, api.Events{})
	if !errors.Is(err, api.ErrUnavailable) {
		t.Fatal(err)
	}
}

// TestDeadlyRequestIsBounded: each supervisor says a word and dies of the request.
func TestDeadlyRequestIsBounded(t *testing.T) {
	c := client(t)
	c.Debug = nil
	s := doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) { c.Request(); c.Message(api.LevelNote, "x") })
	_, err := c.Call(shortly(t), api.Request{Verb: api.VerbBoot}, api.Events{})
	if !errors.Is(err, api.ErrUnavailable) || s.Connections() < 10 {
		t.Fatalf("%v after %d connections", err, s.Connections())
	}
}

func TestStartFailureEndsTheCall(t *testing.T) {
	c := client(t)
	c.Start = func(context.Context, string, func(string)) error {
		return &api.StartError{Program: "/x/zsched", Code: 3}
	}
	var se *api.StartError
	_, err := c.Call(shortly(t), api.Request{Verb: api.VerbBoot}, api.Events{})
	if !errors.As(err, &se) || se.Code != 3 {
		t.Fatal(err)
	}
}

func TestRequestTooLong(t *testing.T) {
	c := client(t)
	_, err := c.Call(shortly(t), api.Request{Verb: api.VerbLogin, Login: &api.Login{Args: []string{strings.Repeat("x", api.RequestBytesMax)}}}, api.Events{})
	if !errors.Is(err, api.ErrRequestTooLong) {
		t.Fatal(err)
	}
}

func TestLongRequestWithDescriptors(t *testing.T) {
	c := client(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	arg := strings.Repeat("x", api.RequestBytesMax-1000)
	s := doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) {
		q := c.Request()
		if len(c.Files) != 3 {
			t.Errorf("%d descriptors with the request, want 3", len(c.Files))
			return
		}
		_, _ = unix.Write(c.Files[1].Int(), []byte("hello"))
		c.Send(api.Reply{Type: api.ReplyStarted, Pid: 42})
		_ = q
		c.Exited(3 << 8)
	})
	fd := sys.Own(int(w.Fd()))
	pid := 0
	res, err := c.Call(shortly(t), api.Request{Verb: api.VerbLogin, Login: &api.Login{Args: []string{arg}}},
		api.Events{Started: func(p int) { pid = p }}, fd, fd, fd)
	_ = w.Close()
	if err != nil || !res.Exited || res.Status != 3<<8 || pid != 42 {
		t.Fatalf("%+v pid %d: %v", res, pid, err)
	}
	var b [16]byte
	if n, _ := r.Read(b[:]); string(b[:n]) != "hello" {
		t.Errorf("through the descriptor came %q", b[:n])
	}
	if got := s.Requests()[0].Login.Args[0]; got != arg {
		t.Errorf("argument of %d bytes arrived, %d were sent", len(got), len(arg))
	}
}

// TestLoginSurvivesSupervisor: before the login runs the same request is asked again, with
// its descriptors; afterwards the successor is only asked how it ended.
func TestLoginSurvivesSupervisor(t *testing.T) {
	c := client(t)
	files := make(chan int, 4)
	ask := func(c *doortest.Conn) { c.Request(); files <- len(c.Files) }
	s := doortest.Serve(t, c.Layout, zone,
		ask,
		func(c *doortest.Conn) { ask(c); c.Send(api.Reply{Type: api.ReplyStarted, Pid: 7}) },
		ask,
		func(c *doortest.Conn) { ask(c); c.Exited(9) })
	p, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	fd := sys.Own(int(p.Fd()))
	started := 0
	r, err := c.Call(shortly(t), api.Request{Verb: api.VerbLogin, Login: &api.Login{}}, api.Events{Started: func(int) { started++ }}, fd, fd, fd)
	if err != nil || r.Status != 9 || started != 1 {
		t.Fatalf("%+v, started %d times, %v", r, started, err)
	}
	s.Close()
	q := s.Requests()
	for i, want := range []struct {
		verb  api.Verb
		files int
	}{{api.VerbLogin, 3}, {api.VerbLogin, 3}, {api.VerbWait, 0}, {api.VerbWait, 0}} {
		if n := <-files; q[i].Verb != want.verb || n != want.files {
			t.Errorf("request %d: %s with %d descriptors, want %s with %d", i, q[i].Verb, n, want.verb, want.files)
		}
	}
	if q[1].ID != q[0].ID || q[2].Target != q[0].ID || q[3].ID != q[2].ID {
		t.Errorf("ids: %+v", q)
	}
}

func TestTerminalComesOnce(t *testing.T) {
	c := client(t)
	give := func(c *doortest.Conn) {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		c.Send(api.Reply{Type: api.ReplyTTY}, int(f.Fd()))
	}
	doortest.Serve(t, c.Layout, zone,
		func(c *doortest.Conn) { c.Request(); give(c) },
		func(c *doortest.Conn) {
			c.Request()
			give(c)
			c.Send(api.Reply{Type: api.ReplyStarted, Pid: 7})
			c.Exited(0)
		})
	before := openFDs(t)
	got := 0
	_, err := c.Call(shortly(t), api.Request{Verb: api.VerbLogin, Login: &api.Login{TTY: true}},
		api.Events{TTY: func(m *sys.FD) { got++; m.Close() }})
	if err != nil || got != 1 {
		t.Fatalf("%d terminals, %v", got, err)
	}
	// What plays the supervisor closes its side a moment after this one has.
	testenv.Eventually(t, func() bool { return openFDs(t) <= before+1 }, fmt.Sprintf("as many descriptors as before: %d", before))
}

// TestUnaskedDescriptorsAreClosed: a frame that should carry none carries some.
func TestUnaskedDescriptorsAreClosed(t *testing.T) {
	c := client(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	n := int(null.Fd())
	doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) {
		c.Request()
		for range 50 {
			c.Send(api.Reply{Type: api.ReplyMessage, Text: "x"}, n, n, n)
		}
		c.Send(api.Reply{Type: api.ReplyResult}, n)
	})
	before := openFDs(t)
	if _, err := c.Call(shortly(t), api.Request{Verb: api.VerbPing}, api.Events{}); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func() bool { return openFDs(t) <= before+2 }, fmt.Sprintf("as many descriptors as before: %d", before))
}

func TestManyAtOnce(t *testing.T) {
	c := client(t)
	c.Debug = nil
	doortest.Serve(t, c.Layout, zone, func(c *doortest.Conn) {
		q := c.Request()
		c.Send(api.Reply{Type: api.ReplyResult, State: q.ID})
	})
	errs := make(chan error)
	const n = 50
	for range n {
		go func() {
			id := api.NewID()
			r, err := c.Call(shortly(t), api.Request{Verb: api.VerbPing, ID: id}, api.Events{})
			if err == nil && r.State != id {
				err = fmt.Errorf("answer to %s came for %s", r.State, id)
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func openFDs(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

// TestRepeatedMessages: a supervisor that is asked again says again what it said; a person
// hears it once, and what is new as well, even when it is the same words.
func TestRepeatedMessages(t *testing.T) {
	c := client(t)
	say := func(n int, texts ...string) doortest.Script {
		return func(c *doortest.Conn) {
			c.Request()
			for _, s := range texts {
				c.Message(api.LevelNote, s)
			}
			if n == 0 {
				c.Result(0)
			}
		}
	}
	doortest.Serve(t, c.Layout, zone, say(1, "a", "b"), say(1), say(1, "a"), say(0, "a", "b", "b", "c"))
	var got []string
	_, err := c.Call(shortly(t), api.Request{Verb: api.VerbBoot}, api.Events{Message: func(r api.Reply) { got = append(got, r.Text) }})
	if want := []string{"a", "b", "b", "c"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q; %v", got, want, err)
	}
}

func TestDialConsole(t *testing.T) {
	c := client(t)
	if _, err := c.DialConsole(shortly(t)); !errors.Is(err, api.ErrNoServer) {
		t.Errorf("without a server: %v", err)
	}
	starts := 0
	c.Start = func(context.Context, string, func(string)) error {
		starts++
		dir := doortest.MakeState(t, c.Layout, zone)
		defer dir.Close()
		fd, err := sys.ListenUnix(dir, api.ConsoleName, 0o600, 1)
		if err != nil {
			return err
		}
		t.Cleanup(func() { fd.Close() })
		return api.ErrInCharge // the winner's console then is found at the next attempt
	}
	fd, err := c.DialConsole(shortly(t))
	if err != nil || starts != 1 {
		t.Fatalf("%v after %d starts", err, starts)
	}
	fd.Close()
}
