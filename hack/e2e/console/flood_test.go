package console

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// bigLog keeps all that a flood of seconds writes.
var bigLog = []string{
	"add attr; set name=console-log-size; set type=uint; set value=67108864; end",
	"add attr; set name=console-log-count; set type=uint; set value=99; end",
}

// TestKilledAtFullSpeed: the supervisor is killed again and again while the zone writes as fast as
// it can. The writer's client gets every byte; a reader gets every byte or is told how many
// it missed; the log on disk has every byte once, in order, across its files.
func TestKilledAtFullSpeed(t *testing.T) {
	z := booted(t, bigLog...)
	w := attach(t, z, "-C")
	r := attach(t, z, "-r")
	stop := flood(t, z)
	kills := 20
	if testing.Short() {
		kills = 5
	}
	start := time.Now()
	for range kills {
		before, _ := w.at(t)
		testenv.Eventually(t, func() bool { pos, _ := w.at(t); return pos > before+1<<20 }, "the zone to write")
		killZoned(t, z)
	}
	stop()
	end := end(t, w)
	took := time.Since(start)
	testenv.Eventually(t, func() bool { pos, _ := r.at(t); return r.over() && pos == end }, "the reader to have come as far")
	f := compareLog(t, z)
	testenv.Eventually(t, func() bool { f = compareLog(t, z); return f.over() }, "the log to have come as far")
	logged, logLost := f.at(t)
	_, wLost := w.at(t)
	_, rLost := r.at(t)
	t.Logf("%d kills in %v; %d MiB written; missed: writer %d, reader %d, log %d bytes", kills, took.Round(time.Millisecond), end>>20, wLost, rLost, logLost)
	if logged != end {
		t.Errorf("the log ends at %d, the console at %d", logged, end)
	}
	// On a machine that is busy enough a client or the log may be too slow; then it says so.
	if said := zonedLog(z); wLost > 0 && !strings.Contains(said, "stalls") || logLost > 0 && !strings.Contains(said, "slower than the zone") {
		t.Error("bytes are missing and nobody was slow")
	}
	if refused := z.Cmd("zlogin", "-C", zoneName); refused.Run() == nil {
		t.Error("the writer is not the writer any more")
	}
}

// TestStalledReader: one that stands still while the zone writes at full speed slows neither the
// zone nor others, and is told to the byte what it missed.
func TestStalledReader(t *testing.T) {
	z := booted(t, bigLog...)
	r := attach(t, z, "-r")
	stalled := attach(t, z, "-r")
	w := attach(t, z, "-C")
	signal(t, stalled, unix.SIGSTOP)
	stop := flood(t, z)
	testenv.EventuallyWithin(t, 2*time.Minute, func() bool { pos, _ := w.at(t); return pos > 64<<20 }, "64 MiB beside a reader that stands still")
	stop()
	end := end(t, w)
	testenv.Eventually(t, func() bool { pos, _ := r.at(t); return r.over() && pos == end }, "the other reader to have come as far")
	signal(t, stalled, unix.SIGCONT)
	testenv.Eventually(t, func() bool { pos, _ := stalled.at(t); return stalled.over() && pos == end }, "the reader that stood still to have come as far")
	_, wLost := w.at(t)
	_, rLost := r.at(t)
	_, sLost := stalled.at(t)
	t.Logf("%d MiB written; missed: writer %d, reader %d, the one that stood still %d bytes", end>>20, wLost, rLost, sLost)
	if wLost > 0 && !strings.Contains(zonedLog(z), "stalls") {
		t.Errorf("the writer missed %d bytes", wLost)
	}
	if sLost < end/2 {
		t.Errorf("only %d of %d bytes were missed", sLost, end)
	}
}
