package console

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
)

// A client that reads nothing delays the zone once, briefly, and loses only its own view.
func TestStalledClientDoesNotHoldTheZone(t *testing.T) {
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	start := time.Now()
	done, longest := l.zoneWrites(64<<20, 2*forever)
	rate := float64(done) / time.Since(start).Seconds() / (1 << 20)
	if done != 64<<20 {
		t.Fatalf("%d bytes written", done)
	}
	if longest > forever/2 { // the machine may be busy; the ring's own limit is twice that
		t.Errorf("the zone waited %v", longest)
	}
	l.logged("stalls")
	t.Logf("%.0f MiB/s beside a client that reads nothing; the longest wait %v", rate, longest)
	if s := l.w.Stats(); s.Lost != 0 {
		t.Errorf("%d bytes counted as lost, which nobody had a right to", s.Lost)
	}
}

// The original's client is told in band how much it missed, and what follows is whole.
func TestOriginalClientIsToldWhatItMissed(t *testing.T) {
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Original))
	defer fd.Close()
	const total = 16 << 20
	if done, _ := l.zoneWrites(total, forever); done != total {
		t.Fatalf("%d bytes written", done)
	}
	l.put("END")
	got := readUntil(t, fd.Int(), "END")
	i := bytes.Index(got, []byte("\r\n[NOTICE: "))
	if i < 0 {
		t.Fatal("nothing said")
	}
	var lost int
	for _, c := range got[i+len("\r\n[NOTICE: "):] {
		if c < '0' || c > '9' {
			break
		}
		lost = lost*10 + int(c-'0')
	}
	text := wire.LostText(uint64(lost))
	if !strings.HasPrefix(string(got[i:]), text) {
		t.Fatalf("text %q", got[i:i+60])
	}
	want := make([]byte, total)
	fillPattern(want, 0)
	if !bytes.Equal(got[:i], want[:i]) {
		t.Error("wrong bytes before the gap")
	}
	after := got[i+len(text) : len(got)-3]
	if i+lost+len(after) != total || !bytes.Equal(after, want[i+lost:]) {
		t.Errorf("%d before, %d lost, %d after: not %d, or wrong bytes", i, lost, len(after), total)
	}
}

// A client that counts is disconnected instead, and finds its place.
func TestCountingClientLearnsByItsPosition(t *testing.T) {
	limit(t, &patience, patience) // it is changed below
	l := newLocal(t)
	fd, a := l.attach(ident(wire.Live))
	const total = 16 << 20
	if done, _ := l.zoneWrites(total, forever); done != total {
		t.Fatalf("%d bytes written", done)
	}
	var pos, lost uint64
	buf, want := make([]byte, 64<<10), make([]byte, 64<<10)
	for pos < total {
		n, err := read(fd.Int(), buf)
		if n == 0 {
			fd.Close()
			id := ident(wire.Position)
			id.Point = wire.Point{Epoch: a.Point.Epoch, Pos: pos}
			var b wire.Answer
			fd, b = l.attach(id)
			if b.HolderPid != 0 || b.Point.Pos < pos {
				t.Fatalf("back at %d with %+v, %v", pos, b, err)
			}
			lost += b.Point.Pos - pos
			pos = b.Point.Pos
			continue
		}
		fillPattern(want[:n], pos)
		if !bytes.Equal(buf[:n], want[:n]) {
			t.Fatalf("wrong bytes at %d", pos)
		}
		pos += uint64(n)
	}
	if lost == 0 || lost > total {
		t.Errorf("%d lost", lost)
	}
	l.logged("caught up")
	l.inLoop(func(*loop) { patience = forever })
	// Now it holds again: nothing more is lost.
	done := make(chan int, 1)
	go func() { n, _ := l.zoneWrites(total, forever); done <- n }()
	for end := pos + total; pos < end; {
		n, err := read(fd.Int(), buf)
		if n == 0 {
			t.Fatalf("disconnected at %d: %v", pos, err)
		}
		fillPattern(want[:n], pos)
		if !bytes.Equal(buf[:n], want[:n]) {
			t.Fatalf("wrong bytes at %d", pos)
		}
		pos += uint64(n)
	}
	<-done
	fd.Close()
}

// One that stalls when it is to leave gets what is left of its output, the notice and the end.
func TestStalledClientIsDropped(t *testing.T) {
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	if done, _ := l.zoneWrites(8<<20, forever); done != 8<<20 {
		t.Fatalf("%d bytes written", done)
	}
	told := make(chan error, 1)
	go func() { told <- l.srv.Notice(wire.Uninstalling, "") }()
	waitFor(t, "it to be dropped", func() (dropped bool) { // reading before that, it would be asked to come back
		l.inLoop(func(lp *loop) { dropped = lp.holder != nil && lp.holder.dropped })
		return dropped
	})
	got := readUntil(t, fd.Int(), wire.Uninstalling.Text("", false))
	if !bytes.Contains(got, []byte(" bytes of console output lost]\r\n")) {
		t.Error("not told what it missed")
	}
	if expectEnd(t, fd.Int()) {
		t.Error("the end looks like a death")
	}
	fd.Close()
	must(t, <-told)
}

// A client that is slow but steady gets every byte: the zone is slowed down instead.
func TestSlowClientLosesNothing(t *testing.T) {
	limit(t, &patience, 4*time.Second)
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	total := 3 << 20
	var zone sync.WaitGroup
	zone.Go(func() { l.zoneWrites(total, forever) })
	defer zone.Wait()
	buf, want := make([]byte, 32<<10), make([]byte, 32<<10)
	for pos := 0; pos < total; {
		time.Sleep(60 * time.Millisecond) // half a MiB a second: longer in all than the patience
		n, err := read(fd.Int(), buf)
		if n == 0 {
			t.Fatalf("disconnected at %d: %v", pos, err)
		}
		fillPattern(want[:n], uint64(pos))
		if !bytes.Equal(buf[:n], want[:n]) {
			t.Fatalf("wrong bytes at %d", pos)
		}
		pos += n
	}
	if strings.Contains(l.log.String(), "stalls") {
		t.Error("taken for stalled")
	}
}

// A ring whose header is damaged ends the session, not the server.
func TestDamagedRing(t *testing.T) {
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	mem, err := unix.Mmap(l.w.FD(), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	defer unix.Munmap(mem)
	copy(mem[64:], bytes.Repeat([]byte{0xff}, 16)) // head and reserve
	ring.Kick(l.data.Int())
	expectEnd(t, fd.Int())
	l.logged("not readable")
	other, line := dialLine(t, l.dir, ident(wire.Live).Line())
	defer other.Close()
	if line != "" {
		t.Fatalf("answer %q", line)
	}
}

func readUntil(t testing.TB, fd int, end string) []byte {
	t.Helper()
	var got []byte
	buf := make([]byte, 64<<10)
	for !bytes.HasSuffix(got, []byte(end)) {
		n, err := read(fd, buf)
		if n == 0 {
			t.Fatalf("the stream ended after %d bytes: %v", len(got), err)
		}
		got = append(got, buf[:n]...)
	}
	return got
}
