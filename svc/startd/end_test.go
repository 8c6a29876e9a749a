package startd

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door/client"
)

// TestEnded: SIGTERM ends it, whatever it is doing and whoever hangs at its door.
func TestEnded(t *testing.T) {
	z := newZone(t)
	z.imports("trap '' TERM; exec sleep 1000")
	cmd := z.process()
	c := z.client()
	put(t, c, "1")
	watch, err := c.Watch(repo.Filter{})
	must(t, err)
	defer watch.Close()
	// These say nothing, half of a request, and that a huge one comes.
	for _, text := range []string{"", "\x00\x00\x00\x10\x01", "\x00\xff\xff\xff" + strings.Repeat("x", 100_000)} {
		conn, err := net.Dial("unix", z.cfg.Door)
		must(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte(text))
		must(t, err)
	}
	testenv.Eventually(t, func() bool { return z.calls() == "import -e;" }, "the early import")
	must(t, cmd.Process.Signal(unix.SIGTERM))
	done := make(chan error)
	go func() { done <- cmd.Wait() }()
	ended := false
	testenv.EventuallyWithin(t, shortEnd, func() bool {
		select {
		case err = <-done:
			ended = true
		default:
		}
		return ended
	}, "the end")
	must(t, err)
	if _, err := watch.Next(context.Background()); !errors.Is(err, repo.ErrClosed) {
		t.Errorf("the watch: %v", err)
	}
	if !strings.HasSuffix(strings.TrimSpace(z.log()), "ended") {
		t.Errorf("log:\n%s", z.log())
	}
	must(t, repo.Check(z.cfg.Repository.Path))
	// Who asks now waits for the next one.
	answer := make(chan error)
	waiting := client.New(client.Config{Path: z.cfg.Door})
	go func() { _, err := waiting.Generation(); answer <- err }()
	z.imports("")
	r := z.start()
	must(t, <-answer)
	must(t, waiting.Close())
	must(t, r.end())
}

// TestEndedAtOnce: an end that comes before anything was begun.
func TestEndedAtOnce(t *testing.T) {
	z := newZone(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 3 {
		must(t, Run(ctx, z.cfg))
	}
	if z.calls() != "" || strings.Contains(z.log(), "import") {
		t.Errorf("imports %s, log:\n%s", z.calls(), z.log())
	}
	z.boot()
}

// TestDoorInTheWay: what has the door's name and is no socket goes; what cannot go is told.
func TestDoorInTheWay(t *testing.T) {
	z := newZone(t)
	must(t, os.WriteFile(z.cfg.Door, []byte("x"), 0o600))
	z.boot()
	z = newZone(t)
	must(t, os.WriteFile(z.path("console"), nil, 0o644))
	must(t, os.Mkdir(z.cfg.Door, 0o755))
	if err := Run(t.Context(), z.cfg); err == nil {
		t.Error("it is served at a directory")
	}
	if !strings.Contains(z.read("console"), "make the door of the repository: ") || z.calls() != "" {
		t.Errorf("console %q, imports %q", z.read("console"), z.calls())
	}
	must(t, repo.Check(z.cfg.Repository.Path))
}

// TestMainRefuses: it is init's to start.
func TestMainRefuses(t *testing.T) {
	if os.Getppid() != 1 && Main(nil) != 1 {
		t.Error("it was started by hand")
	}
}
