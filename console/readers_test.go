package console

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
)

// Readers see what the writer sees, and what they send goes nowhere.
func TestReaders(t *testing.T) {
	l := newLocal(t)
	slave, master := l.terminal()
	must(t, l.srv.SetInput(master))
	early := l.view(framed(wire.Live, wire.Reader)) // before any writer
	w := l.view(framed(wire.Live, wire.Writer))
	r := l.view(framed(wire.Live, wire.Reader))
	if w.answer.Reader || !r.answer.Reader || !early.answer.Reader || !w.answer.Framed() || r.answer.HolderPid != 0 {
		t.Fatalf("answers %+v %+v %+v", w.answer, r.answer, early.answer)
	}
	waitFor(t, "three", func() bool { return l.srv.Attached() == 3 })
	r.types("rm -rf /\r")
	early.types("\x03\x04")
	r.says(wire.SizeFrame(wire.Window{Cols: 7, Rows: 7}))
	l.put("one")
	for _, v := range []*viewer{early, w, r} {
		v.sees("one")
	}
	w.types("ls\r")
	expect(t, int(slave.Fd()), "ls\r") // nothing of the readers' came before it
	if ws, err := unix.IoctlGetWinsize(int(slave.Fd()), unix.TIOCGWINSZ); err != nil || ws.Col == 7 {
		t.Errorf("a reader sets the size: %+v, %v", ws, err)
	}
	// The writer goes, the readers stay; another writer comes.
	w.fd.Close()
	waitFor(t, "the writer to be gone", func() bool { return l.srv.Attached() == 2 })
	l.put("two")
	r.sees("two")
	early.sees("two")
	w = l.view(framed(wire.Live, wire.Writer))
	if w.answer.Reader {
		t.Errorf("no writer, and yet %+v", w.answer)
	}
	second, line := dialLine(t, l.dir, framed(wire.Live, wire.Writer).Line())
	defer second.Close()
	if line != fmt.Sprintf("%d\n", os.Getpid()) {
		t.Errorf("a second writer is told %q", line)
	}
}

// Sixty-four may watch; the next is told so, and gets in when one has gone.
func TestReadersMax(t *testing.T) {
	l := newLocal(t)
	all := make([]*viewer, readersMax)
	for i := range all {
		all[i] = l.view(framed(wire.Live, wire.Reader))
	}
	fd, a := l.attach(framed(wire.Live, wire.Reader))
	if a.Full != readersMax {
		t.Fatalf("answer %+v", a)
	}
	expectEnd(t, fd.Int())
	fd.Close()
	l.logged("too many readers")
	w := l.view(framed(wire.Live, wire.Writer)) // readers keep no writer out
	l.put("hello")
	w.sees("hello")
	for _, v := range all {
		v.sees("hello")
	}
	// The writer whose console is taken finds no place among them: it is told, and let go.
	taker := l.view(framed(wire.Live, wire.Taker))
	w.until("the end", func() bool { return w.ended })
	if len(w.taken) != 1 || taker.answer.Reader {
		t.Errorf("taken %v, %+v", w.taken, taker.answer)
	}
	w.fd.Close()
	all[3].fd.Close()
	fd, a = l.attach(framed(wire.Live, wire.Reader)) // at once: the death is seen when the next one comes
	defer fd.Close()
	if !a.Reader {
		t.Errorf("no place after one has left: %+v", a)
	}
}

// Each client starts at its own place in what is kept.
func TestScreenful(t *testing.T) {
	l := newLocal(t)
	for i := range 100 {
		l.put(fmt.Sprintf("line %d\r\n", i))
	}
	l.put("\x1b[1mlogin: ")
	for _, role := range []wire.Role{wire.Reader, wire.Writer} {
		id := framed(wire.Screen, role)
		id.Rows = 3
		v := l.view(id)
		v.sees("line 98\r\nline 99\r\n\x1b[1mlogin: ")
	}
	h := l.view(framed(wire.History, wire.Reader))
	h.until("all", func() bool { return h.pos == l.w.Head() })
	if !strings.HasPrefix(string(h.data), "line 0\r\nline 1\r\n") {
		t.Errorf("history %.40q", h.data)
	}
}

// A late joiner of a console that was never quiet begins at a boundary, whatever the zone paints.
func TestScreenfulOfPaint(t *testing.T) {
	l := newLocal(t)
	piece := "\x1b[38;5;196m日本é\x1b[0m\x1b]0;a title\x07"
	whole := ""
	for range 1000 { // one line that never ends
		whole += piece
	}
	for rest := whole; len(rest) > 0; rest = rest[min(1000, len(rest)):] {
		l.put(rest[:min(1000, len(rest))])
	}
	v := l.view(framed(wire.Screen, wire.Reader))
	v.until("all", func() bool { return v.pos == l.w.Head() })
	if n := len(v.data); n > screenBytes || n < screenBytes-100 {
		t.Errorf("%d bytes", n)
	}
	at := len(whole) - len(v.data)
	if in := at % len(piece); in != 0 && in != 11 && in != 14 && in != 17 && in != 19 && in != 23 {
		t.Errorf("begins at %d of %q: %.20q", in, piece, v.data)
	}
}

// -f takes the console: the former writer is told by whom, and what it types goes nowhere.
func TestTakeover(t *testing.T) {
	l := newLocal(t)
	slave, master := l.terminal()
	must(t, l.srv.SetInput(master))
	a := l.view(framed(wire.Live, wire.Writer))
	a.types("a\r")
	expect(t, int(slave.Fd()), "a\r")
	b := l.view(framed(wire.Live, wire.Taker))
	a.until("to be told", func() bool { return len(a.taken) == 1 })
	if b.answer.Reader || a.taken[0] != os.Getpid() {
		t.Fatalf("%+v, taken %v", b.answer, a.taken)
	}
	a.types("lost\r")
	a.says(wire.SizeFrame(wire.Window{Cols: 9, Rows: 9}))
	l.put("both")
	a.sees("both")
	b.sees("both")
	b.types("b\r")
	expect(t, int(slave.Fd()), "b\r")
	if ws, err := unix.IoctlGetWinsize(int(slave.Fd()), unix.TIOCGWINSZ); err != nil || ws.Col == 9 {
		t.Errorf("%+v, %v", ws, err)
	}
	// Again and again, at once: one writer at any time, and no reader too many.
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			fd, _ := attachTo(t, l.dir, framed(wire.Live, wire.Taker))
			_, _ = send(fd.Int(), append([]byte{'D', 0, 0, 1}, 'x'))
			time.Sleep(10 * time.Millisecond)
			fd.Close()
		})
	}
	all.Wait()
	waitFor(t, "two readers", func() bool { return l.srv.Attached() == 2 })
	free := l.view(framed(wire.Live, wire.Taker)) // nobody to take it from
	if free.answer.Reader {
		t.Errorf("%+v", free.answer)
	}
}

// A client of the original's form goes on as a reader and is told in band; one of ours that
// knows no frames is closed, comes back, and is told who has the console.
func TestTakeoverFromOlderClients(t *testing.T) {
	l := newLocal(t)
	orig, _ := l.attach(ident(wire.Original))
	defer orig.Close()
	b := l.view(framed(wire.Live, wire.Taker))
	l.put("more")
	expect(t, orig.Int(), wire.TakenText(os.Getpid())+"more")
	b.fd.Close()
	waitFor(t, "one reader", func() bool { return l.srv.Attached() == 1 })

	old, a := l.attach(ident(wire.Live))
	defer old.Close()
	c := l.view(framed(wire.Live, wire.Taker))
	c.sees("")
	expectEnd(t, old.Int())
	back := ident(wire.Position)
	back.Point = a.Point
	again, answer := l.attach(back)
	again.Close()
	if answer.HolderPid != os.Getpid() || answer.Framed() {
		t.Errorf("comes back to %+v", answer)
	}
}

// The size is the writer's; the next terminal has it too, and readers are told of each change.
func TestSizeFollowsTheWriter(t *testing.T) {
	l := newLocal(t)
	slave, master := l.terminal()
	must(t, l.srv.SetInput(master))
	w := l.view(framed(wire.Live, wire.Writer))
	r := l.view(framed(wire.Live, wire.Reader))
	size := func(fd uintptr) wire.Window {
		ws, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
		must(t, err)
		return wire.Window{Cols: ws.Col, Rows: ws.Row}
	}
	for _, want := range []wire.Window{{Cols: 80, Rows: 24}, {Cols: 132, Rows: 50}, {Cols: 65535, Rows: 1}} {
		w.says(wire.SizeFrame(want))
		waitFor(t, "size", func() bool { return size(slave.Fd()) == want })
		r.until("size", func() bool { return len(r.sizes) > 0 && r.sizes[len(r.sizes)-1] == want })
	}
	w.says(wire.SizeFrame(wire.Window{}))
	late := l.view(framed(wire.Live, wire.Reader))
	late.until("size", func() bool { return len(late.sizes) == 1 })
	if want := (wire.Window{Cols: 65535, Rows: 1}); late.sizes[0] != want || size(slave.Fd()) != want {
		t.Errorf("a window of no size: %v, %v", late.sizes, size(slave.Fd()))
	}
	must(t, l.srv.SetInput(nil))
	next, master := l.terminal() // the zone is booted again
	must(t, l.srv.SetInput(master))
	waitFor(t, "size", func() bool { return size(next.Fd()) == wire.Window{Cols: 65535, Rows: 1} })
}

// Garbage from a client ends its connection and nothing else.
func TestGarbageFrames(t *testing.T) {
	l := newLocal(t)
	r := l.view(framed(wire.Live, wire.Reader))
	for _, role := range []wire.Role{wire.Reader, wire.Writer, wire.Taker} {
		for _, garbage := range []string{"ls -l\r", "\x00\x00\x00\x00", "D\xff\xff\xff", "W\x00\x00\x01x", strings.Repeat("Z", 9000)} {
			v := l.view(framed(wire.Live, role))
			v.says([]byte(garbage))
			v.until("the end", func() bool { return v.ended })
			v.fd.Close()
		}
	}
	l.put("still")
	r.sees("still")
	waitFor(t, "one", func() bool { return l.srv.Attached() == 1 })
}

// Everybody is disconnected when the zone is uninstalled, who asked when it halts.
func TestNoticesDropReaders(t *testing.T) {
	l := newLocal(t)
	id := framed(wire.Live, wire.Reader)
	stays := l.view(id)
	id.DropWithZone = true
	goes := l.view(id)
	told := make(chan error, 1)
	go func() { told <- l.srv.Notice(wire.Halted, "") }()
	goes.until("the end", func() bool { return goes.ended })
	if hungUp(goes.fd.Int()) {
		t.Error("the end looks like a death")
	}
	goes.fd.Close()
	must(t, <-told)
	stays.sees(wire.Halted.Text("", false))
	w := l.view(framed(wire.Live, wire.Writer))
	go func() { told <- l.srv.Notice(wire.Uninstalling, "") }()
	for _, v := range []*viewer{stays, w} {
		v.until("the end", func() bool { return v.ended })
		if text := wire.Uninstalling.Text("", false); string(v.data) != text {
			t.Errorf("%q", v.data)
		}
		v.fd.Close()
	}
	must(t, <-told)
	<-l.idle
}

// Readers that read nothing: neither the zone nor who reads notices, and each is told to the
// byte what it missed.
func TestStalledReadersHoldNobodyUp(t *testing.T) {
	l := newLocal(t)
	w := l.view(framed(wire.Live, wire.Writer))
	stalled := make([]*viewer, 5)
	for i := range stalled {
		stalled[i] = l.view(framed(wire.Live, wire.Reader))
	}
	const total = 32 << 20
	type wrote struct {
		n       int
		longest time.Duration
	}
	ch := make(chan wrote, 1)
	start := time.Now()
	go func() { n, longest := l.zoneWrites(total, 2*forever); ch <- wrote{n, longest} }()
	w.follows(total) // the writer holds the ring: it gets every byte
	z := <-ch
	// The writer may stall itself, on a busy machine; then the log says so.
	if z.n != total || w.lost != 0 && !strings.Contains(l.log.String(), "stalls") {
		t.Fatalf("%d bytes written, the writer missed %d", z.n, w.lost)
	}
	t.Logf("%.0f MiB/s beside 5 readers that read nothing; the zone waited %v at most", float64(total>>20)/time.Since(start).Seconds(), z.longest)
	for _, v := range stalled {
		v.follows(total)
		if v.lost < total/4 || v.lost > total {
			t.Errorf("missed %d", v.lost)
		}
	}
}

// Without a writer the zone waits for nobody, and a reader that keeps up misses nothing or is
// told what.
func TestReadersAloneDoNotHold(t *testing.T) {
	l := newLocal(t)
	r := l.view(framed(wire.Live, wire.Reader))
	l.view(framed(wire.Live, wire.Reader)) // and one that does not read
	const total = 32 << 20
	var zone sync.WaitGroup
	zone.Go(func() { l.zoneWrites(total, 2*forever) })
	defer zone.Wait()
	r.follows(total)
	if s := l.w.Stats(); s.Stalls != 0 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
	t.Logf("missed %d of %d bytes", r.lost, total)
}

// A supervisor dies just after a take-over: whoever comes back first, the taker is the writer
// and the former one a reader.
func TestTheTakerIsTheWriterAfterADeath(t *testing.T) {
	limit(t, &reconnectGrace, forever)
	l := newLocal(t)
	a := l.view(framed(wire.Live, wire.Writer))
	taker := framed(wire.Live, wire.Taker)
	b := l.view(taker)
	l.put("abc")
	b.sees("abc")
	l.srv.Shutdown()
	r, err := ring.OpenReader(l.w.FD())
	must(t, err)
	defer r.Close()
	if r.Holder() != os.Getpid() {
		t.Fatalf("the ring names %d", r.Holder())
	}
	r.SetHolder(os.Getpid() + 1) // as if the taker were another process than this one
	l.put("def")
	l.start()
	back := framed(wire.Position, wire.Writer)
	back.Point = wire.Point{Epoch: a.answer.Point.Epoch, Pos: 3}
	former := l.view(back)
	if !former.answer.Reader || former.answer.HolderPid != os.Getpid()+1 {
		t.Fatalf("the former writer comes back as %+v", former.answer)
	}
	former.sees("def")
	r.SetHolder(os.Getpid())
	l.srv.Shutdown()
	l.start()
	again := l.view(back)
	if again.answer.Reader {
		t.Errorf("the taker comes back as %+v", again.answer)
	}
	again.sees("def")
	late := l.view(back) // and whoever believes to be the writer too, is told
	if !late.answer.Reader || late.answer.HolderPid != os.Getpid() {
		t.Errorf("%+v", late.answer)
	}
}
