package admin

import (
	"fmt"
	"io"
	"time"

	"github.com/linuxzones/zones/vplat/image"
)

const (
	// progressEvery is the pause between two updates of a line: faster than that nobody
	// reads, and a slow terminal must not slow an installation.
	progressEvery = 100 * time.Millisecond
	// progressWidth cuts a line that would wrap on a terminal of 80 columns, since a
	// wrapped line cannot be overwritten.
	progressWidth = 79
)

// transient is one line at the bottom of a terminal that is overwritten and wiped. On
// anything but a terminal it writes nothing.
type transient struct {
	w     io.Writer // nil: not a terminal
	zone  string
	shown bool
	last  time.Time
	now   func() time.Time
}

func (a *Admin) transient() *transient {
	t := &transient{zone: a.Zone, now: time.Now}
	if a.ErrTTY {
		t.w = a.Err
	}
	return t
}

// due says whether enough time has passed for another update.
func (t *transient) due() bool {
	if t.w == nil {
		return false
	}
	return !t.shown || t.now().Sub(t.last) >= progressEvery
}

func (t *transient) set(text string) {
	if t.w == nil {
		return
	}
	line := Printable(t.zone + ": " + text)
	if r := []rune(line); len(r) > progressWidth {
		line = string(r[:progressWidth-3]) + "..."
	}
	_, _ = fmt.Fprintf(t.w, "\r%s\x1b[K", line)
	t.shown, t.last = true, t.now()
}

func (t *transient) clear() {
	if t.w != nil && t.shown {
		_, _ = fmt.Fprint(t.w, "\r\x1b[K")
		t.shown = false
	}
}

// work turns image's progress into a transient line: how much, of how much, how fast.
func (t *transient) work(verb string) func(image.Progress) {
	began := t.now()
	return func(p image.Progress) {
		if !t.due() {
			return
		}
		t.set(describeProgress(verb, p, t.now().Sub(began)))
	}
}

func describeProgress(verb string, p image.Progress, took time.Duration) string {
	s := verb
	if p.Bytes > 0 {
		s += " " + size(p.Bytes)
		if p.TotalBytes > 0 {
			s += fmt.Sprintf(" of %s (%d%%)", size(p.TotalBytes), min(100, p.Bytes*100/p.TotalBytes))
		}
		s += ","
	}
	s += fmt.Sprintf(" %d entries", p.Entries)
	if sec := took.Seconds(); sec >= 1 && p.Bytes > 0 {
		s += ", " + size(int64(float64(p.Bytes)/sec)) + "/s"
	} else if sec >= 1 {
		s += fmt.Sprintf(", %d/s", int64(float64(p.Entries)/sec))
	}
	if p.Path != "" {
		s += "  " + p.Path
	}
	return s
}

// size is a number of bytes for people.
func size(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1000, 0
	for f >= 999.95 && u < len(units)-1 {
		f, u = f/1000, u+1
	}
	return fmt.Sprintf("%.1f %cB", f, units[u])
}
