package console

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// viewer is a client of frames, from the test's side.
type viewer struct {
	t      testing.TB
	fd     *sys.FD
	answer wire.Answer
	dec    wire.Frames
	pos    uint64 // of the next byte
	data   []byte // the console's bytes that were not looked at
	lost   uint64
	taken  []int
	sizes  []wire.Window
	ended  bool
}

func framed(from wire.From, role wire.Role) wire.Ident {
	return wire.Ident{Pid: os.Getpid(), Locale: "C", From: from, Rows: 24, Version: wire.Version, Role: role}
}

func (l *local) view(id wire.Ident) *viewer { return viewAt(l.t, l.dir, id) }

func viewAt(t testing.TB, dir string, id wire.Ident) *viewer {
	t.Helper()
	fd, a := attachTo(t, dir, id)
	t.Cleanup(func() { fd.Close() })
	return &viewer{t: t, fd: fd, answer: a, pos: a.Point.Pos}
}

// take reads once, for at most as long as said. False: nothing came.
func (v *viewer) take(limit time.Duration) bool {
	v.t.Helper()
	pfd := []unix.PollFd{{Fd: int32(v.fd.Int()), Events: unix.POLLIN}}
	if k, _ := unix.Poll(pfd, int(limit/time.Millisecond)); k <= 0 {
		return false
	}
	buf := make([]byte, 64<<10)
	n, err := read(v.fd.Int(), buf)
	if n == 0 {
		if err != nil && !errors.Is(err, unix.ECONNRESET) {
			v.t.Fatal(err)
		}
		v.ended = true
		return false
	}
	for p := buf[:n]; len(p) > 0; {
		var f wire.Frame
		if f, p, err = v.dec.Next(p); err != nil {
			v.t.Fatal(err)
		}
		switch f.Kind {
		case wire.Data:
			v.pos += uint64(len(f.Data))
			v.data = append(v.data, f.Data...)
		case wire.Lost:
			v.pos += f.Lost
			v.lost += f.Lost
		case wire.Taken:
			v.taken = append(v.taken, f.Pid)
		case wire.Size:
			v.sizes = append(v.sizes, f.Window)
		}
	}
	return true
}

// sees reads until the console's bytes are exactly want.
func (v *viewer) sees(want string) {
	v.t.Helper()
	for end := time.Now().Add(testenv.Deadline(forever)); len(v.data) < len(want) && time.Now().Before(end) && !v.ended; {
		v.take(time.Second)
	}
	if string(v.data) != want {
		v.t.Fatalf("seen %q, want %q", v.data, want)
	}
	v.data = nil
}

// until reads until cond.
func (v *viewer) until(what string, cond func() bool) {
	v.t.Helper()
	for end := time.Now().Add(testenv.Deadline(forever)); !cond(); {
		if v.take(time.Second); time.Now().After(end) || v.ended && !cond() {
			v.t.Fatalf("%s: not in time, %+v", what, v)
		}
	}
}

func (v *viewer) types(s string) {
	v.t.Helper()
	h := wire.Head(wire.Data, len(s))
	_, err := send(v.fd.Int(), append(h[:], s...))
	must(v.t, err)
}

func (v *viewer) says(frame []byte) {
	v.t.Helper()
	_, err := send(v.fd.Int(), frame)
	must(v.t, err)
}

// follows reads pattern bytes, comparing each, until position to. What is told to be missing is
// left out.
func (v *viewer) follows(to uint64) {
	v.t.Helper()
	want := make([]byte, 64<<10)
	buf := make([]byte, 64<<10)
	for v.pos < to {
		n, err := read(v.fd.Int(), buf)
		if n == 0 {
			v.t.Fatalf("ended at %d: %v", v.pos, err)
		}
		for p := buf[:n]; len(p) > 0; {
			var f wire.Frame
			if f, p, err = v.dec.Next(p); err != nil {
				v.t.Fatal(err)
			}
			v.pos += f.Lost
			v.lost += f.Lost
			fillPattern(want[:len(f.Data)], v.pos)
			if !bytes.Equal(f.Data, want[:len(f.Data)]) {
				v.t.Fatalf("wrong bytes at %d", v.pos)
			}
			v.pos += uint64(len(f.Data))
		}
	}
}
