package console

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

// attachTo does a client's part of the handshake and gives the connection, blocking.
func attachTo(t testing.TB, dir string, id wire.Ident) (*sys.FD, wire.Answer) {
	t.Helper()
	fd, line := dialLine(t, dir, id.Line())
	a, err := wire.ParseAnswer([]byte(line))
	if err != nil {
		t.Fatalf("answer %q: %v", line, err)
	}
	return fd, a
}

// dial connects, and waits while the backlog is full.
func dial(t testing.TB, dir *sys.FD) *sys.FD {
	t.Helper()
	for {
		fd, err := sys.DialUnix(dir, "console")
		if !errors.Is(err, unix.EAGAIN) {
			must(t, err)
			return fd
		}
		time.Sleep(time.Millisecond)
	}
}

// dialLine sends a first line and reads the answer, empty when the connection was closed.
func dialLine(t testing.TB, dir, first string) (*sys.FD, string) {
	t.Helper()
	d, err := sys.OpenDir(dir)
	must(t, err)
	defer d.Close()
	fd := dial(t, d)
	_, _ = send(fd.Int(), []byte(first))
	var line []byte
	var c [1]byte
	for len(line) == 0 || line[len(line)-1] != '\n' {
		n, err := read(fd.Int(), c[:])
		if n == 0 || err != nil {
			break
		}
		line = append(line, c[0])
	}
	return fd, string(line)
}

func ident(from wire.From) wire.Ident { return wire.Ident{Pid: os.Getpid(), Locale: "C", From: from} }

const benchBytes = 64 << 20

// startWriter makes a writer of n bytes fill the terminal.
func startWriter(b testing.TB, slave string, n int) *exec.Cmd {
	w := player(b, "writer", slave, strconv.Itoa(n))
	must(b, w.Start())
	return w
}

// drain reads n bytes.
func drain(b testing.TB, fd int, n int) {
	buf := make([]byte, 64<<10)
	for n > 0 {
		got, err := read(fd, buf)
		if got == 0 || err != nil {
			b.Fatalf("%d bytes to come: %v", n, err)
		}
		n -= got
	}
}

// The raw limit: a writer and a reader of a pty, nothing between.
func BenchmarkRawPty(b *testing.B) {
	master, slave, err := pty.Open()
	must(b, err)
	defer master.Close()
	defer slave.Close()
	_, err = term.MakeRaw(int(slave.Fd()))
	must(b, err)
	b.SetBytes(benchBytes)
	for b.Loop() {
		w := startWriter(b, slave.Name(), benchBytes)
		drain(b, int(master.Fd()), benchBytes)
		must(b, w.Wait())
	}
}

// Through keeper, ring, supervisor and socket.
func BenchmarkConsole(b *testing.B) {
	c := startConsole(b)
	fd, _ := attachTo(b, c.dir, ident(wire.Live))
	defer fd.Close()
	b.SetBytes(benchBytes)
	for b.Loop() {
		w := startWriter(b, c.slave, benchBytes)
		drain(b, fd.Int(), benchBytes)
		must(b, w.Wait())
	}
	b.ReportMetric(float64(c.stats.Stats().Lost), "lost")
}

// A writer whose console nobody watches.
func BenchmarkUnwatched(b *testing.B) {
	c := startConsole(b)
	b.SetBytes(benchBytes)
	for b.Loop() {
		must(b, startWriter(b, c.slave, benchBytes).Wait())
	}
}

// A key's way: client, supervisor, the terminal's echo, keeper, ring, supervisor, client.
func BenchmarkKeystroke(b *testing.B) {
	c := startConsole(b)
	tty, err := os.OpenFile(c.slave, os.O_RDWR|unix.O_NOCTTY, 0)
	must(b, err)
	defer tty.Close()
	t, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	must(b, err)
	t.Lflag |= unix.ECHO
	must(b, unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, t))
	fd, _ := attachTo(b, c.dir, ident(wire.Live))
	defer fd.Close()
	var took []time.Duration
	key := []byte("k")
	for b.Loop() {
		start := time.Now()
		if _, err := send(fd.Int(), key); err != nil {
			b.Fatal(err)
		}
		drain(b, fd.Int(), 1)
		took = append(took, time.Since(start))
		_ = unix.IoctlSetInt(int(tty.Fd()), unix.TCFLSH, unix.TCIFLUSH) // nobody reads the input
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-us")
}
