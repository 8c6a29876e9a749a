package stream_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/admin/stream"
	"github.com/linuxzones/zones/zoned/api"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// door runs what it is asked for on this host, in place of a zone.
type door struct {
	before func(ctx context.Context, ev api.Events) error // an error is the call's
	after  func(r *api.Reply)
	lose   bool // the call ends with the start
	mu     sync.Mutex
	cmds   []*exec.Cmd
	ended  sync.WaitGroup
}

func (d *door) Call(ctx context.Context, req api.Request, ev api.Events, files ...*sys.FD) (api.Reply, error) {
	if d.before != nil {
		if err := d.before(ctx, ev); err != nil {
			return api.Reply{}, err
		}
	}
	cmd := exec.Command(req.Login.Args[0], req.Login.Args[1:]...)
	var given [3]*os.File
	for i, f := range files {
		dup, err := f.Dup()
		if err != nil {
			return api.Reply{}, err
		}
		given[i] = os.NewFile(uintptr(dup.Disown()), "given")
		defer given[i].Close()
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = given[0], given[1], given[2]
	if err := cmd.Start(); err != nil {
		ev.Message(api.Reply{Level: api.LevelError, Text: err.Error()})
		return api.Reply{Rval: -1}, nil
	}
	for _, f := range given {
		f.Close()
	}
	d.mu.Lock()
	d.cmds = append(d.cmds, cmd)
	d.mu.Unlock()
	ended := make(chan struct{})
	d.ended.Go(func() { _ = cmd.Wait(); close(ended) })
	ev.Started(cmd.Process.Pid)
	if d.lose {
		return api.Reply{}, api.ErrUnavailable
	}
	select {
	case <-ctx.Done():
		return api.Reply{}, context.Cause(ctx)
	case <-ended:
	}
	r := api.Reply{Exited: true, Status: int(cmd.ProcessState.Sys().(syscall.WaitStatus))}
	if d.after != nil {
		d.after(&r)
	}
	return r, nil
}

// serve is a door; when the test ends its programs must end by themselves.
func serve(t *testing.T) *door {
	d := &door{}
	t.Cleanup(func() {
		done := make(chan struct{})
		go func() { d.ended.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(testenv.Deadline(20 * time.Second)):
			t.Error("a program does not end")
			d.mu.Lock()
			for _, cmd := range d.cmds {
				_ = cmd.Process.Kill()
			}
			d.mu.Unlock()
			<-done
		}
	})
	return d
}

// open opens one that runs a shell's line.
func open(t *testing.T, d *door, line string) *stream.Stream {
	t.Helper()
	s, err := stream.Open(t.Context(), d, "/bin/sh", "-c", line)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func TestEcho(t *testing.T) {
	s := open(t, serve(t), "exec cat")
	b := make([]byte, 100)
	for _, text := range []string{"one", "\x00\xff", "three\n"} {
		_, err := s.Write([]byte(text))
		must(t, err)
		n, err := s.Read(b)
		if string(b[:n]) != text || err != nil {
			t.Errorf("%q, %v", b[:n], err)
		}
	}
	must(t, s.Close())
	must(t, s.Close())
	if _, err := s.Read(b); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Write(b); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// TestMuchBothWays: more than pipes hold.
func TestMuchBothWays(t *testing.T) {
	s := open(t, serve(t), "head -c 5000000 | tee /dev/stderr")
	go func() { _, _ = s.Write([]byte(strings.Repeat("x", 5_000_000))) }()
	b, err := io.ReadAll(s)
	if len(b) != 5_000_000 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestEnds: how a program ended, and what it said last, is what Read says after all output.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct{ line, out, want string }{
		"well":                {"echo out", "out\n", ""},
		"well, with words":    {"echo out; echo words >&2", "out\n", ""},
		"at once, with words": {"echo 'no door' >&2; exit 1", "", "the program in the zone failed: no door"},
		"after output":        {"echo out; echo 'no door' >&2; exit 1", "out\n", "the program in the zone failed: no door"},
		"without words":       {"exit 3", "", "the program in the zone failed: status 3"},
		"killed":              {"echo out; kill -9 $$", "out\n", "the program in the zone failed: it was killed by signal 9"},
		"the last line":       {"printf 'one\\ntwo\\n\\n\\n' >&2; exit 1", "", "the program in the zone failed: two"},
		"only empty lines":    {"printf '\\n\\n' >&2; exit 4", "", "the program in the zone failed: status 4"},
		"half a line":         {"printf 'one\\ntwo' >&2; exit 1", "", "the program in the zone failed: two"},
		"hostile words":       {"printf 'a\\033]0;b\\a\\r\\302\\233\\377c' >&2; exit 1", "", "the program in the zone failed: a?]0;b????c"},
		"megabytes of words":  {"head -c 5000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2; exit 1", "", "the program in the zone failed: last"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, serve(t), c.line)
			out, err := io.ReadAll(s)
			if string(out) != c.out || text(err) != c.want || err != nil && !errors.Is(err, stream.ErrEnded) {
				t.Errorf("%q, %v", out, err)
			}
			if _, again := s.Read(make([]byte, 1)); c.want != "" && text(again) != c.want {
				t.Errorf("again: %v", again)
			}
			_, werr := s.Write([]byte("x"))
			if werr == nil {
				t.Error("who has ended is written to")
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestEndsAtOnce: one that has ended before Open returns is one that ran: it is read to its end.
func TestEndsAtOnce(t *testing.T) {
	for range testenv.Rounds(100, 20) {
		d := serve(t)
		s, err := stream.Open(t.Context(), fast{d}, "/bin/echo", "out")
		must(t, err)
		if b, err := io.ReadAll(s); string(b) != "out\n" || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
		must(t, s.Close())
	}
}

// fast says that a program was started when it has ended.
type fast struct{ *door }

func (f fast) Call(ctx context.Context, req api.Request, ev api.Events, files ...*sys.FD) (api.Reply, error) {
	started := ev.Started
	ev.Started = func(int) {}
	r, err := f.door.Call(ctx, req, ev, files...)
	started(1)
	return r, err
}

// TestLongWords: of one endless line the end is kept, within its limit.
func TestLongWords(t *testing.T) {
	s := open(t, serve(t), "head -c 100000 /dev/zero | tr '\\0' x >&2; printf end >&2; exit 1")
	_, err := io.ReadAll(s)
	if !strings.HasSuffix(text(err), "xxend") || len(text(err)) > 4200 {
		t.Errorf("%d bytes: %.100v", len(text(err)), err)
	}
}

// TestNeverStarts: whatever the reason, Open says it.
func TestNeverStarts(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(context.Context, api.Events) error
		program string
		want    string
	}{
		"no such program": {nil, "/no/such", "the program in the zone failed: fork/exec /no/such: no such file or directory"},
		"no supervisor":   {func(context.Context, api.Events) error { return api.ErrUnavailable }, "/bin/true", api.ErrUnavailable.Error()},
	} {
		d := serve(t)
		d.before = c.before
		s, err := stream.Open(t.Context(), d, c.program)
		if s != nil || text(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		call doorFunc
		want string
	}{
		"refused": {func(ev api.Events) (api.Reply, error) {
			ev.Message(api.Reply{Level: api.LevelError, Text: "not\x1b[2J running"})
			ev.Message(api.Reply{Level: api.LevelProgress, Text: "progress"})
			return api.Reply{Rval: -1}, nil
		}, "the program in the zone failed: not?[2J running"},
		"silent":  {func(api.Events) (api.Reply, error) { return api.Reply{Rval: -1}, nil }, "the program in the zone failed: it is not known how it ended"},
		"strange": {func(api.Events) (api.Reply, error) { return api.Reply{Exited: true}, nil }, "the program in the zone failed"},
	} {
		if s, err := stream.Open(t.Context(), c.call, "x"); s != nil || text(err) != c.want || !errors.Is(err, stream.ErrEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// doorFunc is a door that starts nothing.
type doorFunc func(ev api.Events) (api.Reply, error)

func (f doorFunc) Call(_ context.Context, _ api.Request, ev api.Events, _ ...*sys.FD) (api.Reply, error) {
	return f(ev)
}

// TestSupervisorGone: when the supervisor is gone for good, what the program says still comes.
func TestSupervisorGone(t *testing.T) {
	d := serve(t)
	d.lose = true
	s := open(t, d, "read x; echo $x")
	_, err := s.Write([]byte("hello\n"))
	must(t, err)
	out, err := io.ReadAll(s)
	if string(out) != "hello\n" || !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("%q, %v", out, err)
	}
}

// TestOpenCancelled: the context bounds the start, and not what runs.
func TestOpenCancelled(t *testing.T) {
	d := serve(t)
	asked := make(chan struct{})
	d.before = func(ctx context.Context, _ api.Events) error { close(asked); <-ctx.Done(); return context.Cause(ctx) }
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("it takes too long")
	go func() { <-asked; cancel(why) }()
	if s, err := stream.Open(ctx, d, "/bin/true"); s != nil || !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	d = serve(t)
	ctx, cancel = context.WithCancelCause(t.Context())
	s, err := stream.Open(ctx, d, "/bin/cat")
	must(t, err)
	cancel(why)
	_, err = s.Write([]byte("x"))
	must(t, err)
	b := make([]byte, 9)
	if n, err := s.Read(b); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	must(t, s.Close())
	ctx, cancel = context.WithCancelCause(t.Context())
	cancel(why)
	d = serve(t)
	d.before = func(ctx context.Context, _ api.Events) error { <-ctx.Done(); return context.Cause(ctx) }
	if s, err := stream.Open(ctx, d, "/bin/true"); s != nil || !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

// TestCloseOfStubborn: a program that pays no attention to the end of its input, is stopped, or
// has closed its output and goes on, is not waited for, and gets no more of us.
func TestCloseOfStubborn(t *testing.T) {
	for name, line := range map[string]string{
		"pays no attention":    "while [ -d \"$STREAM_TEST_GO\" ]; do sleep 0.02; done",
		"has closed all":       "exec <&- >&- 2>&-; while [ -d \"$STREAM_TEST_GO\" ]; do sleep 0.02; done",
		"leaves one behind":    "(while [ -d \"$STREAM_TEST_GO\" ]; do sleep 0.02; done) & exit 0",
		"fails, and leaves it": "(while [ -d \"$STREAM_TEST_GO\" ]; do sleep 0.02; done) & exit 1",
		"writes for ever":      "exec yes",
	} {
		t.Run(name, func(t *testing.T) {
			free := t.TempDir()
			t.Setenv("STREAM_TEST_GO", free)
			d := serve(t)
			s, err := stream.Open(t.Context(), d, "/bin/sh", "-c", line)
			must(t, err)
			if strings.Contains(name, "closed") {
				if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("%d, %v", n, err)
				}
			}
			must(t, s.Close())
			must(t, s.Close())
			must(t, os.Remove(free))
		})
	}
}

// TestCloseWhileOthersWait: who reads and who writes is told.
func TestCloseWhileOthersWait(t *testing.T) {
	d := serve(t)
	s, err := stream.Open(t.Context(), d, "/bin/sleep", "1000")
	must(t, err)
	errs := make(chan error, 2)
	go func() { _, err := s.Read(make([]byte, 1)); errs <- err }()
	go func() { _, err := s.Write(make([]byte, 10<<20)); errs <- err }()
	<-time.After(20 * time.Millisecond)
	must(t, s.Close())
	for range 2 {
		if err := <-errs; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	}
	must(t, d.cmds[0].Process.Signal(unix.SIGKILL))
}

func TestDeadlines(t *testing.T) {
	s := open(t, serve(t), "read x; cat; cat >/dev/null")
	soon := func() time.Time { return time.Now().Add(30 * time.Millisecond) }
	must(t, s.SetReadDeadline(soon()))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	must(t, s.SetWriteDeadline(soon()))
	if _, err := s.Write(make([]byte, 10<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	must(t, errors.Join(s.SetReadDeadline(time.Time{}), s.SetWriteDeadline(time.Time{})))
	_, err := s.Write([]byte("\nafter\n"))
	must(t, err)
	for got := ""; !strings.Contains(got, "after\n"); {
		b := make([]byte, 1<<16)
		n, err := s.Read(b)
		must(t, err)
		got = got[max(0, len(got)-10):] + string(b[:n])
	}
}
