package telinit

import (
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/svc/request"
)

const (
	// graceSolaris is shutdown(8)'s grace period without -g.
	graceSolaris = 60 * time.Second
	// graceLinux is what Linux' shutdown waits when no time is given.
	graceLinux = time.Minute
	// graceMax: a shutdown that waits longer is a mistake in the number.
	graceMax = 366 * 24 * time.Hour
	// messageBytesMax goes to every terminal.
	messageBytesMax = 1024
)

// wait is when to begin: after a time, or at a time of the day.
type wait struct {
	after   time.Duration
	clock   bool
	hour    int
	minutes int
}

// until is how long that is from now on.
func (w wait) until(now time.Time) time.Duration {
	if !w.clock {
		return w.after
	}
	at := time.Date(now.Year(), now.Month(), now.Day(), w.hour, w.minutes, 0, 0, now.Location())
	if at.Before(now) {
		at = time.Date(now.Year(), now.Month(), now.Day()+1, w.hour, w.minutes, 0, 0, now.Location())
	}
	return at.Sub(now)
}

// parseShutdown decides by the options whose shutdown is meant: -y, -g and -i are Solaris'
// alone, and the others Linux'. Without any option it is Linux': what stands in scripts.
func parseShutdown(args []string) (order, error) {
	s := shutdownArgs{args: args}
	for len(s.args) > 0 && len(s.args[0]) > 1 && s.args[0][0] == '-' {
		arg := s.args[0]
		s.args = s.args[1:]
		if arg == "--" {
			break
		}
		if !s.option(arg) {
			return order{}, usageShutdown
		}
	}
	if s.solaris && s.linux {
		return order{}, usageShutdown
	}
	if s.solaris {
		return s.asSolaris()
	}
	return s.asLinux()
}

type shutdownArgs struct {
	args           []string // what is left
	o              order
	solaris, linux bool
	yes            bool
	grace, level   string
}

func (s *shutdownArgs) option(arg string) bool {
	if word, ok := strings.CutPrefix(arg, "--"); ok {
		c, known := long[word]
		if !known {
			return false
		}
		return s.letter(c)
	}
	for i := 1; i < len(arg); i++ {
		if c := arg[i]; c == 'g' || c == 'i' {
			value := arg[i+1:]
			if value == "" {
				if len(s.args) == 0 {
					return false
				}
				value, s.args = s.args[0], s.args[1:]
			}
			s.solaris = true
			if c == 'g' {
				s.grace = value
			} else {
				s.level = value
			}
			return true
		}
		if !s.letter(arg[i]) {
			return false
		}
	}
	return true
}

func (s *shutdownArgs) letter(c byte) bool {
	switch c {
	case 'y':
		s.yes, s.solaris = true, true
		return true
	case 'r':
		s.o.request = request.Reboot
	case 'h', 'P', 'p':
		s.o.request = request.Poweroff
	case 'H':
		s.o.request = request.Halt
	case 'k':
		s.o.pretend = true
	case 'c':
		s.o.cancel = true
	default:
		return false
	}
	s.linux = true
	return true
}

func (s *shutdownArgs) asSolaris() (order, error) {
	o := s.o
	o.confirm = !s.yes
	o.wait.after = graceSolaris
	if s.grace != "" {
		n, err := strconv.ParseUint(s.grace, 10, 32)
		if err != nil || time.Duration(n)*time.Second > graceMax {
			return order{}, usageShutdown
		}
		o.wait.after = time.Duration(n) * time.Second
	}
	level := s.level
	if level == "" {
		level = "s" // as shutdown(8) says
	}
	r, ok := request.Level(level)
	if !ok || r == request.Reexamine || r == request.Multi || r == request.Server {
		return order{}, usageShutdown
	}
	o.request = r
	return o.withMessage(s.args)
}

func (s *shutdownArgs) asLinux() (order, error) {
	o := s.o
	if o.request == 0 {
		o.request = request.Poweroff
	}
	o.wait.after = graceLinux
	if len(s.args) > 0 {
		w, ok := parseTime(s.args[0])
		if !ok {
			return order{}, usageShutdown
		}
		o.wait, s.args = w, s.args[1:]
	}
	return o.withMessage(s.args)
}

func (o order) withMessage(words []string) (order, error) {
	o.message = strings.Join(words, " ")
	if len(o.message) > messageBytesMax {
		return order{}, usageShutdown
	}
	return o, nil
}

// parseTime reads now, +minutes or hh:mm.
func parseTime(s string) (wait, bool) {
	if s == "now" {
		return wait{}, true
	}
	if minutes, ok := strings.CutPrefix(s, "+"); ok {
		n, err := strconv.ParseUint(minutes, 10, 32)
		after := time.Duration(n) * time.Minute
		return wait{after: after}, err == nil && after <= graceMax
	}
	hour, minutes, ok := strings.Cut(s, ":")
	h, err := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minutes, 10, 8)
	if !ok || err != nil || err2 != nil || h > 23 || m > 59 || len(minutes) != 2 {
		return wait{}, false
	}
	return wait{clock: true, hour: int(h), minutes: int(m)}, true
}
