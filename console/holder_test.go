package console

import (
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

func TestOriginalClientIsLive(t *testing.T) {
	l := newLocal(t)
	l.put("before")
	fd, line := dialLine(t, l.dir, "IDENT "+strconv.Itoa(os.Getpid())+" C\n")
	defer fd.Close()
	if line != "OK\n" {
		t.Fatalf("answer %q", line)
	}
	l.put("after")
	expect(t, fd.Int(), "after")
}

func TestHistory(t *testing.T) {
	l := newLocal(t)
	l.put("first lines\r\n")
	fd, a := l.attach(ident(wire.History))
	defer fd.Close()
	if want := (wire.Point{Epoch: l.w.Epoch()}); a.Point != want {
		t.Fatalf("answer %v, want %v", a.Point, want)
	}
	l.put("and more")
	expect(t, fd.Int(), "first lines\r\nand more")
}

func TestResume(t *testing.T) {
	const kept = "0123456789"
	for name, c := range map[string]struct {
		from  wire.From
		epoch uint64 // added to the ring's
		pos   uint64
		want  uint64
	}{
		"here":            {wire.Position, 0, 4, 4},
		"at the head":     {wire.Position, 0, 10, 10},
		"beyond the head": {wire.Position, 0, 1 << 60, 10},
		"another epoch":   {wire.Position, 1, 4, 0},
		"live":            {wire.Live, 0, 0, 10},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t)
			l.put(kept)
			id := ident(c.from)
			id.Point = wire.Point{Epoch: l.w.Epoch() + c.epoch, Pos: c.pos}
			fd, a := l.attach(id)
			defer fd.Close()
			if want := (wire.Point{Epoch: l.w.Epoch(), Pos: c.want}); a.Point != want {
				t.Fatalf("answer %v, want %v", a.Point, want)
			}
			l.put("!")
			expect(t, fd.Int(), kept[c.want:]+"!")
		})
	}
}

func TestOneHolder(t *testing.T) {
	l := newLocal(t)
	first, _ := l.attach(ident(wire.Live))
	if n := l.srv.Attached(); n != 1 {
		t.Fatalf("%d attached", n)
	}
	second, a := l.attach(ident(wire.Live))
	if a.HolderPid != os.Getpid() {
		t.Fatalf("answer %+v", a)
	}
	expectEnd(t, second.Int())
	second.Close()
	l.put("still")
	expect(t, first.Int(), "still")
	first.Close()
	third, a := l.attach(ident(wire.Live)) // at once: the death is seen when the next one comes
	if a.HolderPid != 0 {
		t.Fatalf("a dead holder keeps the console: %+v", a)
	}
	third.Close()
	<-l.idle
}

// A client that has ended its input still watches, and is not taken for dead.
func TestHalfClosedHolder(t *testing.T) {
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	must(t, unix.Shutdown(fd.Int(), unix.SHUT_WR))
	other, a := l.attach(ident(wire.Live))
	other.Close()
	if a.HolderPid == 0 {
		t.Fatal("the holder was thrown out")
	}
	l.put("hello")
	expect(t, fd.Int(), "hello")
}

func TestNotices(t *testing.T) {
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	for _, n := range []wire.Notice{wire.Readied, wire.Booting, wire.Rebooting, wire.Halted, wire.BootFailed, wire.BadBootArgs} {
		must(t, l.srv.Notice(n, "-s"))
		expect(t, fd.Int(), n.Text("-s", false))
	}
	if l.srv.Attached() != 1 {
		t.Fatal("a client without -d was dropped")
	}
}

// Who is disconnected reads everything, then an end that differs from a death.
func TestNoticeThatDrops(t *testing.T) {
	for _, c := range []struct {
		notice wire.Notice
		asked  bool
	}{{wire.Halted, true}, {wire.BootFailed, true}, {wire.Uninstalling, false}, {wire.Uninstalling, true}} {
		l := newLocal(t)
		id := ident(wire.Live)
		id.DropWithZone = c.asked
		fd, _ := l.attach(id)
		l.put("last words")
		told := make(chan error, 1)
		go func() { told <- l.srv.Notice(c.notice, "") }()
		expect(t, fd.Int(), "last words"+c.notice.Text("", c.asked))
		if expectEnd(t, fd.Int()) {
			t.Errorf("%v: the end looks like a death", c)
		}
		select {
		case err := <-told:
			t.Errorf("%v: Notice returned while the client was there: %v", c, err)
		case <-time.After(20 * time.Millisecond):
		}
		fd.Close()
		must(t, <-told)
		waitFor(t, "idle", func() bool { return l.srv.Attached() == 0 })
	}
}

// A client that does not leave is cut off, and a notice waits for it no longer than that.
func TestNoticeThatDropsTheStubborn(t *testing.T) {
	limit(t, &leaveTime, time.Second)
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	start := time.Now()
	if err := l.srv.Notice(wire.Uninstalling, ""); !errors.Is(err, ErrNotTold) {
		t.Fatalf("err %v", err)
	}
	if d := time.Since(start); d < leaveTime || d > forever/2 {
		t.Fatalf("after %v", d)
	}
	expect(t, fd.Int(), wire.Uninstalling.Text("", false))
}

func TestNoticeWithoutClient(t *testing.T) {
	l := newLocal(t)
	must(t, l.srv.Notice(wire.Uninstalling, ""))
	fd, _ := l.attach(ident(wire.History))
	defer fd.Close()
	expect(t, fd.Int(), wire.Uninstalling.Text("", false))
}

// A successor keeps the place and every byte for a client that comes back, and lets nobody else
// in meanwhile.
func TestSuccessorKeepsThePlace(t *testing.T) {
	limit(t, &reconnectGrace, forever)
	l := newLocal(t)
	fd, a := l.attach(ident(wire.Live))
	l.put("abc")
	expect(t, fd.Int(), "abc")
	l.srv.Shutdown()
	if !expectEnd(t, fd.Int()) {
		t.Fatal("a shutdown must look like a death: the client is to come back")
	}
	fd.Close()
	l.put("def")
	l.start()
	if l.srv.Attached() != 1 {
		t.Fatal("the place is not kept")
	}
	d, err := sys.OpenDir(l.dir)
	must(t, err)
	defer d.Close()
	other, err := sys.DialUnix(d, "console")
	must(t, err)
	defer other.Close()
	_, err = send(other.Int(), []byte(ident(wire.Live).Line()))
	must(t, err)
	time.Sleep(50 * time.Millisecond)

	back := ident(wire.Position)
	back.Point = wire.Point{Epoch: a.Point.Epoch, Pos: a.Point.Pos + 3}
	fd, b := l.attach(back)
	defer fd.Close()
	if b.Point != back.Point {
		t.Fatalf("resumed at %v, want %v", b.Point, back.Point)
	}
	expect(t, fd.Int(), "def")
	expect(t, other.Int(), wire.Answer{HolderPid: os.Getpid()}.Line())
}

// Nobody comes back: the writers are let go, and who waited gets in.
func TestSuccessorGivesThePlaceUp(t *testing.T) {
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	l.srv.Shutdown()
	fd.Close()
	start := time.Now()
	l.start()
	next, a := l.attach(ident(wire.Live))
	defer next.Close()
	if a.HolderPid != 0 {
		t.Fatalf("answer %+v", a)
	}
	if d := time.Since(start); d < reconnectGrace-50*time.Millisecond || d > forever/2 {
		t.Fatalf("let in after %v", d)
	}
}

// Supervisors that die one after the other do not begin the time anew.
func TestGraceIsNotProlonged(t *testing.T) {
	l := newLocal(t)
	fd, _ := l.attach(ident(wire.Live))
	l.srv.Shutdown()
	fd.Close()
	r, err := ring.OpenReader(l.w.FD())
	must(t, err)
	defer r.Close()
	var until int64
	for i := range 5 {
		l.start()
		if i == 0 {
			until = r.HoldUntil()
		}
		if got := r.HoldUntil(); got != until && sys.Monotonic() < until {
			t.Fatalf("successor %d keeps the place until %d, the first until %d", i, got, until)
		}
		time.Sleep(20 * time.Millisecond)
		l.srv.Shutdown()
	}
	l.start()
	waitFor(t, "idle", func() bool { return l.srv.Attached() == 0 })
	if sys.Monotonic() < until {
		t.Error("given up too early")
	}
	if done, _ := l.zoneWrites(4*ring.Size, forever/2); done != 4*ring.Size {
		t.Fatal("the writers are held by nobody")
	}
}

func TestAfterShutdown(t *testing.T) {
	l := newLocal(t)
	l.srv.Shutdown()
	l.srv.Shutdown()
	if err := l.srv.SetInput(nil); !errors.Is(err, ErrShutdown) {
		t.Errorf("SetInput: %v", err)
	}
	if err := l.srv.Notice(wire.Uninstalling, ""); !errors.Is(err, ErrShutdown) {
		t.Errorf("Notice: %v", err)
	}
}

func TestIncompleteConfig(t *testing.T) {
	if _, err := New(Config{Zone: "web"}); !errors.Is(err, ErrConfig) {
		t.Fatal(err)
	}
}

// Who takes the console over from a dead supervisor's client, and is gone before the answer, costs
// that client nothing: its bytes are kept, and its place.
func TestTakerThatVanishes(t *testing.T) {
	limit(t, &reconnectGrace, forever)
	l := newLocal(t)
	fd, a := l.attach(framed(wire.Live, wire.Writer))
	defer fd.Close()
	l.srv.Shutdown()
	l.put("written in between")
	l.start()
	if at := l.srv.cfg.Ring.Cursor(); at != a.Point.Pos {
		t.Fatalf("the ring is held at %d, not %d", at, a.Point.Pos)
	}
	seen := make(chan [2]uint64)
	must(t, l.srv.ask(func(l *loop) {
		// One has gone when it is looked at, the other a moment later.
		for _, enter := range []func(candidate){l.welcome, l.attach} {
			ours, theirs, err := sys.Pair(unix.SOCK_STREAM)
			if err == nil {
				theirs.Close()
				enter(candidate{conn: newConn(ours), ident: framed(wire.Live, wire.Taker), pid: 1})
			}
			seen <- [2]uint64{l.ring.Cursor(), uint64(l.ring.Attached())}
		}
	}))
	for range 2 {
		if got := <-seen; got != [2]uint64{a.Point.Pos, 1} {
			t.Errorf("the ring is held at %d, attached %d; want %d and 1", got[0], got[1], a.Point.Pos)
		}
	}
}
