package telinit

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/linuxzones/zones/svc/request"
)

// warnAt is how long before the end everybody is told, as shutdown(8) does.
var warnAt = []time.Duration{
	2 * time.Hour, time.Hour, 30 * time.Minute, 20 * time.Minute, 10 * time.Minute, 5 * time.Minute,
	2 * time.Minute, time.Minute, 30 * time.Second, 10 * time.Second, 0,
}

// await lets the time pass, with warnings. It holds the lock that only one shutdown has.
func (m *machine) await(o order) error {
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if o.confirm && !m.confirm() {
		return errNotAsked
	}
	left := o.wait.until(m.now())
	end := m.now().Add(left)
	m.tell(warning(o, left))
	for _, at := range warnAt {
		if at >= left || o.pretend {
			continue
		}
		if !m.sleep(end.Add(-at).Sub(m.now())) {
			m.tell("The shutdown of this zone is cancelled.")
			return errCancelled
		}
		m.tell(warning(o, at))
	}
	return nil
}

// warning is what everybody reads.
func warning(o order, left time.Duration) string {
	text := "This zone is going down (" + o.request.String() + ") "
	if o.request == request.Single {
		text = "This zone is going to single-user mode "
	}
	if left > 0 {
		text += "in " + words(left) + "."
	} else {
		text += "now."
	}
	if o.message != "" {
		text += "\n" + clean(o.message)
	}
	return text
}

// words is a time for people: the two largest units.
func words(d time.Duration) string {
	d = d.Round(time.Second)
	out := ""
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		n := int64(d / u.d)
		d %= u.d
		if n == 0 {
			continue
		}
		if out != "" {
			return out + " " + plural(n, u.name)
		}
		out = plural(n, u.name)
	}
	return out
}

func plural(n int64, name string) string {
	if n != 1 {
		name += "s"
	}
	return strconv.FormatInt(n, 10) + " " + name
}

// clean keeps a message from being a terminal's escape sequence: no control characters, nor
// those of the second set (C1), nor what is not UTF-8.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
