package console

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/logfile"
	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
)

// logText is all of a log.
func logText(t testing.TB, dir string) string {
	t.Helper()
	r, err := logfile.OpenReader(dir, "web")
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	return string(b)
}

// comparePattern compares a log that begins at pos with what a writer writes; what it says to be
// missing is left out. It gives the position after it, and how much was missing.
func comparePattern(t testing.TB, all string, pos uint64) (end, lost uint64) {
	t.Helper()
	const begin, ending = "\r\n[NOTICE: ", " of console output lost]\r\n"
	for all != "" {
		piece, rest := all, ""
		at := strings.Index(all, ending)
		var n uint64
		if at >= 0 {
			from := strings.LastIndex(all[:at], begin)
			number, _, _ := strings.Cut(all[from+len(begin):at], " ")
			var err error
			n, err = strconv.ParseUint(number, 10, 64)
			must(t, err)
			piece, rest = all[:from], all[at+len(ending):]
		}
		want := make([]byte, len(piece))
		fillPattern(want, pos)
		if !bytes.Equal([]byte(piece), want) {
			i := 0
			for piece[i] == want[i] {
				i++
			}
			t.Fatalf("wrong byte at %d of the log", pos+uint64(i))
		}
		pos += uint64(len(piece)) + n
		lost += n
		all = rest
	}
	return pos, lost
}

// usual limits of a test's log: nothing goes.
func logAt(dir string) *LogFile {
	return &LogFile{Dir: dir, Limits: logfile.Limits{Bytes: 1 << 20, Count: 99}}
}

// The log has what the console has, from its first byte on, whoever watches, and under the next
// supervisor too.
func TestLog(t *testing.T) {
	limit(t, &logFarewell, forever)
	dir := t.TempDir()
	l := newLogged(t, logAt(dir))
	l.put("booting\r\n")
	waitFor(t, "log", func() bool { return len(readAll(dir)) > 0 && logText(t, dir) == "booting\r\n" })
	for i := range 5 {
		l.put("under " + strconv.Itoa(i) + "\r\n")
		l.srv.Shutdown()
		l.put("between\r\n")
		l.start()
	}
	must(t, l.srv.Notice(wire.Halted, ""))
	l.srv.Shutdown() // writes what there is
	want := "booting\r\n"
	for i := range 5 {
		want += "under " + strconv.Itoa(i) + "\r\nbetween\r\n"
	}
	if got := logText(t, dir); got != want+wire.Halted.Text("", false) {
		t.Errorf("%q", got)
	}
}

func readAll(dir string) []byte {
	b, _ := os.ReadFile(filepath.Join(dir, "web.console"))
	return b
}

// As fast as the zone may, with supervisors that come and go: no byte is missing.
func TestLogOfAFlood(t *testing.T) {
	limit(t, &logFarewell, forever)
	limit(t, &logPatience, forever)
	dir := t.TempDir()
	l := newLogged(t, logAt(dir))
	logs(l)
	const total = 48 << 20
	ch := make(chan time.Duration, 1)
	go func() { _, longest := l.zoneWrites(total, 2*forever); ch <- longest }()
	for range 5 {
		time.Sleep(10 * time.Millisecond)
		l.srv.Shutdown()
		l.start()
	}
	longest := <-ch
	l.srv.Shutdown()
	end, lost := comparePattern(t, logText(t, dir), 0)
	if end != total || lost != 0 || strings.Contains(l.log.String(), "slower") {
		t.Errorf("ends at %d of %d, %d missing", end, total, lost)
	}
	t.Logf("%d bytes; the zone waited %v at most", end, longest)
}

// logs waits until the log has begun, at the first byte of all.
func logs(l *local) {
	waitFor(l.t, "the log to begin", func() bool { return ended(l) == 0 })
}

// stuck is a disk that stands still.
type stuck struct {
	logWriter
	still   atomic.Bool
	release chan struct{}
}

func (s *stuck) Write(pos uint64, p []byte) (int, error) {
	if s.still.Load() {
		<-s.release
	}
	return s.logWriter.Write(pos, p)
}

// A disk that stands still: the zone waits for it once, briefly, and readers not at all; when it
// goes on the log says how much is missing.
func TestLogOnAStuckDisk(t *testing.T) {
	limit(t, &logFarewell, forever)
	limit(t, &patience, forever)
	dir := t.TempDir()
	s := &stuck{release: make(chan struct{})}
	f := logAt(dir)
	l := &local{}
	f.open = func(limits logfile.Limits) (logWriter, error) {
		w, err := logfile.OpenWriter(dir, "web", l.w.Epoch(), limits)
		s.logWriter = w
		return s, err
	}
	newLoggedWith(t, f, l)
	r := l.view(framed(wire.Live, wire.Writer))
	logs(l)
	s.still.Store(true)
	const total = 32 << 20
	ch := make(chan time.Duration, 1)
	go func() { _, longest := l.zoneWrites(total, 2*forever); ch <- longest }()
	r.follows(total) // with the writer's client nothing is lost to readers
	longest := <-ch
	if r.lost != 0 {
		t.Errorf("the writer missed %d", r.lost)
	}
	l.logged("slower than the zone")
	t.Logf("the zone waited %v at most", longest)
	// A supervisor that leaves does not wait for it for ever, and what comes late harms nobody.
	s.still.Store(false)
	close(s.release)
	l.put("")
	waitFor(t, "the log", func() bool { return ended(l) == total })
	l.srv.Shutdown()
	end, lost := comparePattern(t, logText(t, dir), 0)
	if end != total || lost == 0 {
		t.Errorf("ends at %d, %d missing", end, lost)
	}
}

// ended is where the log is.
func ended(l *local) uint64 {
	pos, _ := l.srv.logger.holds.logHolds()
	return pos
}

// A supervisor that leaves while the disk stands still does not wait for it for ever.
func TestShutdownWithAStuckDisk(t *testing.T) {
	dir := t.TempDir()
	s := &stuck{release: make(chan struct{})}
	f := logAt(dir)
	l := &local{}
	f.open = func(limits logfile.Limits) (logWriter, error) {
		w, err := logfile.OpenWriter(dir, "web", l.w.Epoch(), limits)
		s.logWriter = w
		return s, err
	}
	newLoggedWith(t, f, l)
	s.still.Store(true)
	l.put("never written")
	l.srv.Shutdown()
	l.logged("the disk is stuck")
	lg := l.srv.logger
	close(s.release)
	<-lg.done // it comes late, and finds nothing to harm
	if got := logText(t, dir); got != "never written" {
		t.Errorf("%q", got)
	}
}

// A full disk is told of once; when there is room the log goes on and says what is missing.
func TestLogOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	must(t, unix.Mount("full", dir, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	l := newLogged(t, logAt(dir))
	logs(l)
	const total = 8 << 20
	if done, longest := l.zoneWrites(total, 2*forever); done != total {
		t.Fatalf("%d bytes written", done)
	} else {
		t.Logf("the zone waited %v at most", longest)
	}
	l.logged("the disk is full")
	if st := l.w.Stats(); st.LongestStall > int64(forever)/2 {
		t.Errorf("%+v", st)
	}
	time.Sleep(2 * logRetry) // it is tried again, and not told again
	if n := strings.Count(l.log.String(), "level=error"); n != 1 {
		t.Errorf("told %d times", n)
	}
	must(t, unix.Mount("", dir, "tmpfs", unix.MS_REMOUNT, "size=20m"))
	l.logged("console log goes on")
	l.zoneWrites(100_000, forever)
	l.srv.Shutdown()
	end, lost := comparePattern(t, logText(t, dir), 0)
	if end != total+100_000 || lost == 0 {
		t.Errorf("ends at %d, %d missing", end, lost)
	}
	t.Logf("%d of %d missing", lost, end)
}

// A log that is switched off holds nobody and writes nothing; switched on, it goes on.
func TestLogSwitchedOff(t *testing.T) {
	dir := t.TempDir()
	f := logAt(dir)
	f.Limits.Bytes = 0
	l := newLogged(t, f)
	l.put("unseen")
	if done, longest := l.zoneWrites(4<<20, forever); done != 4<<20 || longest != 0 {
		t.Errorf("%d bytes, waited %v", done, longest)
	}
	if names, _ := filepath.Glob(dir + "/*"); len(names) != 0 {
		t.Errorf("%q", names)
	}
	l.srv.SetLog(logfile.Limits{Bytes: 1 << 20, Count: 3})
	l.put("seen")
	waitFor(t, "log", func() bool { return bytes.HasSuffix(readAll(dir), []byte("seen")) || anyLog(t, dir, "seen") })
	l.srv.SetLog(logfile.Limits{})
	waitFor(t, "no hold", func() bool { return ended(l) == ring.NoHold })
}

func anyLog(t testing.TB, dir, end string) bool {
	r, err := logfile.OpenReader(dir, "web")
	if err != nil {
		return false
	}
	defer r.Close()
	b, _ := io.ReadAll(r)
	return strings.HasSuffix(string(b), end)
}

// slowly is a disk that takes its time for each piece.
type slowly struct {
	logWriter
	piece time.Duration
	at    atomic.Uint64
}

func (s *slowly) Write(pos uint64, p []byte) (int, error) {
	time.Sleep(s.piece)
	n, err := s.logWriter.Write(pos, p)
	s.at.Store(pos + uint64(n))
	return n, err
}

// A disk that is slower than each of the zone's bursts, and catches up in between, holds the zone up
// for the first, and not for each.
func TestLogOnASlowDisk(t *testing.T) {
	dir := t.TempDir()
	s := &slowly{piece: 8 * time.Millisecond} // 8 MB a second
	f := logAt(dir)
	l := &local{}
	f.open = func(limits logfile.Limits) (logWriter, error) {
		w, err := logfile.OpenWriter(dir, "web", l.w.Epoch(), limits)
		s.logWriter = w
		return s, err
	}
	newLoggedWith(t, f, l)
	logs(l)
	const bursts, burst = 12, 4 << 20
	for i := range uint64(bursts) {
		if done, _ := l.zoneWrites(burst, forever); done != burst {
			t.Fatalf("%d bytes written", done)
		}
		waitFor(t, "the log to catch up", func() bool { return s.at.Load() == (i+1)*burst })
	}
	if n := strings.Count(l.log.String(), "slower than the zone"); n == 0 || n > bursts/2 {
		t.Errorf("of %d bursts %d were held up", bursts, n)
	} else {
		t.Logf("of %d bursts %d were held up", bursts, n)
	}
	l.srv.Shutdown()
	if end, lost := comparePattern(t, logText(t, dir), 0); end != bursts*burst || lost == 0 {
		t.Errorf("ends at %d, %d missing", end, lost)
	}
}

// The rest of a log that is too slow grows, and is short again after it has held for long.
func TestLogRests(t *testing.T) {
	l := newLocal(t)
	h := newHolds(l.srv.cfg.Ring, l.room.Int())
	now := int64(time.Hour)
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		h.setLog(0, now)
		if _, holds := h.logHolds(); !holds || h.resting(now) != 0 {
			t.Fatalf("before a rest of %ds it does not hold", want)
		}
		h.releaseLog(now)
		if got := h.resting(now); got != want*time.Second {
			t.Fatalf("it rests for %v, want %ds", got, want)
		}
		now += int64(want*time.Second) - 1
		h.setLog(0, now)
		if _, holds := h.logHolds(); holds {
			t.Fatalf("it holds before %ds are over", want)
		}
		now++
	}
	h.setLog(0, now)
	now += int64(logRestMax)
	h.releaseLog(now)
	if got := h.resting(now); got != logRestFirst {
		t.Errorf("after a good minute it rests for %v", got)
	}
	h.setLog(ring.NoHold, now) // a disk that fails holds nothing either way
	if _, holds := h.logHolds(); holds {
		t.Error("it holds")
	}
}
