package login_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/admin/login"
	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/api/doortest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// result is what a run of zlogin came to.
type result struct {
	exit     int
	out, err string
	took     time.Duration
}

// runCommand logs in without a terminal at a door that runs logins here.
func runCommand(t *testing.T, l *doortest.Logins, stdin io.Reader, o login.Options) result {
	t.Helper()
	lay := layout.At(t.TempDir())
	s := doortest.Serve(t, lay, "web", l.Serve)
	defer s.Close()
	o.Zone = "web"
	if o.Door == nil {
		o.Door = &api.Client{Layout: lay, Zone: "web"}
	}
	inR, inW := pipe(t)
	outR, outW := pipe(t)
	errR, errW := pipe(t)
	o.Stdin, o.Stdout, o.Stderr = inR, outW, errW
	var out, errs bytes.Buffer
	var g sync.WaitGroup
	g.Go(func() { _, _ = io.Copy(&out, outR) })
	g.Go(func() { _, _ = io.Copy(&errs, errR) })
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		if stdin != nil {
			_, _ = io.Copy(inW, stdin)
		}
		_ = inW.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Deadline(30*time.Second))
	defer cancel()
	began := time.Now()
	exit := login.Run(ctx, o)
	r := result{exit: exit, took: time.Since(began)}
	_ = inR.Close()
	_ = outW.Close()
	_ = errW.Close()
	g.Wait()
	<-fed
	_ = outR.Close()
	_ = errR.Close()
	r.out, r.err = out.String(), errs.String()
	return r
}

func pipe(t *testing.T) (*os.File, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
	return r, w
}

func sh(line string) login.Options { return login.Options{Args: []string{line}} }

func TestCommandStatusAndStreams(t *testing.T) {
	for _, c := range []struct {
		line, in       string
		exit           int
		stdout, stderr string
	}{
		{"true", "", 0, "", ""},
		{"exit 7", "", 7, "", ""},
		{"exit 255", "", 255, "", ""},
		{"echo out; echo err >&2", "", 0, "out\n", "err\n"},
		{"cat", "hello", 0, "hello", ""},
		{"read x; echo got $x; exit 3", "one\ntwo\n", 3, "got one\n", ""},
		{"kill -9 $$", "", 137, "", ""},
		{"kill -TERM $$", "", 143, "", ""},
		{"printf 'a\\0b'", "", 0, "a\x00b", ""},
		{"exec >&- 2>&- <&-; exit 4", "", 4, "", ""},
		{"nonexistent-program 2>/dev/null", "", 127, "", ""},
	} {
		r := runCommand(t, &doortest.Logins{}, strings.NewReader(c.in), sh(c.line))
		if r.exit != c.exit || r.out != c.stdout || r.err != c.stderr {
			t.Errorf("%s: exit %d %q %q, want %d %q %q", c.line, r.exit, r.out, r.err, c.exit, c.stdout, c.stderr)
		}
	}
}

// TestCommandOutputIsWhole: the last byte of much output comes, also through a slow reader.
func TestCommandOutputIsWhole(t *testing.T) {
	r := runCommand(t, &doortest.Logins{}, nil, sh("head -c 3000000 /dev/zero; echo end"))
	if len(r.out) != 3000004 || !strings.HasSuffix(r.out, "end\n") {
		t.Errorf("%d bytes", len(r.out))
	}
}

func TestCommandNoInput(t *testing.T) {
	o := sh("wc -c")
	o.NoInput = true
	r := runCommand(t, &doortest.Logins{}, strings.NewReader("not for it"), o)
	if strings.TrimSpace(r.out) != "0" {
		t.Errorf("the command read %q bytes with -n", r.out)
	}
}

// TestBackgroundChild: what keeps the output open is not waited for, and what was written
// before the end is not lost.
func TestBackgroundChild(t *testing.T) {
	for _, line := range []string{
		"sleep 30 & echo done; exit 5",
		"(while sleep 0.01; do echo tick; done) & echo done; sleep 0.1; exit 5",
	} {
		r := runCommand(t, &doortest.Logins{}, nil, sh(line))
		if r.exit != 5 || !strings.Contains(r.out, "done\n") {
			t.Errorf("%s: %+v", line, r)
		}
		if limit := testenv.Deadline(25 * time.Second); r.took > limit {
			t.Errorf("%s: took %v", line, r.took)
		}
	}
}

// TestCommandThatReadsNothing: input that nobody takes keeps nobody.
func TestCommandThatReadsNothing(t *testing.T) {
	r := runCommand(t, &doortest.Logins{}, io.LimitReader(zeros{}, 10<<20), sh("exit 6"))
	if r.exit != 6 {
		t.Errorf("%+v", r)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestSupervisorDies: before the login, at its start, and while it is waited for.
func TestSupervisorDies(t *testing.T) {
	for name, l := range map[string]*doortest.Logins{
		"before it read the request": {LoseEarly: 3},
		"after the start":            {Lose: true},
		"both":                       {LoseEarly: 2, Lose: true},
	} {
		r := runCommand(t, l, strings.NewReader("hello\n"), sh("read x; echo $x; echo err >&2; sleep 0.2; exit 9"))
		if r.exit != 9 || r.out != "hello\n" || r.err != "err\n" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// doorFunc is a door that is a function.
type doorFunc func(ctx context.Context, req api.Request, ev api.Events, files ...*sys.FD) (api.Reply, error)

func (f doorFunc) Call(ctx context.Context, req api.Request, ev api.Events, files ...*sys.FD) (api.Reply, error) {
	return f(ctx, req, ev, files...)
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		door doorFunc
		want string
	}{
		"said": {func(_ context.Context, _ api.Request, ev api.Events, _ ...*sys.FD) (api.Reply, error) {
			ev.Message(api.Reply{Level: api.LevelError, Text: "login allowed only to running zones (web is 'installed')."})
			return api.Reply{Rval: -1}, nil
		}, "zlogin: login allowed only to running zones (web is 'installed').\n"},
		"not said": {func(context.Context, api.Request, api.Events, ...*sys.FD) (api.Reply, error) {
			return api.Reply{Rval: -1}, nil
		}, "zlogin: zone 'web': the supervisor does not know how the command ended\n"},
		"unreachable": {func(context.Context, api.Request, api.Events, ...*sys.FD) (api.Reply, error) {
			return api.Reply{}, errors.New("no supervisor answered")
		}, "zlogin: zone 'web': no supervisor answered\n"},
		"hostile text": {func(_ context.Context, _ api.Request, ev api.Events, _ ...*sys.FD) (api.Reply, error) {
			ev.Message(api.Reply{Level: api.LevelError, Text: "a\x1b]0;b\a\n\xff"})
			return api.Reply{Rval: -1}, nil
		}, "zlogin: a?]0;b????\n"},
	} {
		r := runCommand(t, &doortest.Logins{}, strings.NewReader("x"), login.Options{Door: c.door, Args: []string{"true"}})
		if r.exit != 1 || r.out != "" {
			t.Errorf("%s: %+v", name, r)
		}
		if name != "hostile text" && r.err != c.want || strings.ContainsAny(r.err[:len(r.err)-1], "\x1b\a\n") {
			t.Errorf("%s: said %q, want %q", name, r.err, c.want)
		}
	}
}

// TestSupervisorGoneForGood: the command's output goes on to its end; then it is said that
// the status is not known.
func TestSupervisorGoneForGood(t *testing.T) {
	door := doorFunc(func(_ context.Context, _ api.Request, ev api.Events, files ...*sys.FD) (api.Reply, error) {
		out, err := files[1].Dup()
		if err != nil {
			return api.Reply{}, err
		}
		ev.Started(1)
		go func() {
			<-time.After(300 * time.Millisecond)
			_ = sys.WriteAll(out.Int(), []byte("late\n"))
			_ = out.Close()
		}()
		return api.Reply{}, api.ErrUnavailable
	})
	r := runCommand(t, &doortest.Logins{}, nil, login.Options{Door: door, Args: []string{"x"}})
	if r.exit != 1 || r.out != "late\n" || r.err != "zlogin: zone 'web': no supervisor answered\n" {
		t.Errorf("%+v", r)
	}
}

// TestReaderThatLeaves: the command gets SIGPIPE, as it would in a pipe on this host.
func TestReaderThatLeaves(t *testing.T) {
	lay := layout.At(t.TempDir())
	l := &doortest.Logins{}
	doortest.Serve(t, lay, "web", l.Serve)
	inR, _ := pipe(t)
	outR, outW := pipe(t)
	go func() {
		b := make([]byte, 10)
		_, _ = io.ReadFull(outR, b)
		_ = outR.Close()
	}()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	exit := login.Run(t.Context(), login.Options{
		Zone: "web", Door: &api.Client{Layout: lay, Zone: "web"}, Args: []string{"yes"}, NoInput: true,
		Stdin: inR, Stdout: outW, Stderr: null,
	})
	if exit != 141 {
		t.Errorf("exit %d, want 141 (SIGPIPE)", exit)
	}
}

func TestManyCommandsLeakNothing(t *testing.T) {
	before := fds(t)
	for i := range 30 {
		if r := runCommand(t, &doortest.Logins{Lose: i%2 == 0}, nil, sh(fmt.Sprintf("exit %d", i))); r.exit != i {
			t.Errorf("%d: %+v", i, r)
		}
	}
	// What plays the supervisor closes its side a moment after this one has.
	testenv.Eventually(t, func() bool { return fds(t) <= before+2 }, fmt.Sprintf("as many descriptors as before: %d", before))
}

func fds(t *testing.T) int {
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}
