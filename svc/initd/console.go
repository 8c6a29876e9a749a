package initd

import (
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	consolePath = "/dev/console"
	// queuedMax: init says a dozen things in its life; a console that stands still must not
	// collect more of them than one wants to read when it moves again.
	queuedMax = 64
	// writeLimit is how long a line waits for a console that nobody reads.
	writeLimit = time.Second
	// flushLimit is how long anybody waits for the scribe.
	flushLimit = 2 * time.Second
)

// scribe writes to the console on behalf of a loop that must never wait for it.
type scribe struct {
	queue chan line
	lost  atomic.Int64
	write func(text string) bool // false: it was not written
}

// line is a text, or a request to be told when all before it is done.
type line struct {
	text string
	done chan struct{}
}

func newScribe(write func(string) bool) *scribe {
	return &scribe{queue: make(chan line, queuedMax), write: write}
}

// run is the scribe's goroutine.
func (s *scribe) run() {
	for l := range s.queue {
		if l.done != nil {
			close(l.done)
			continue
		}
		if n := s.lost.Swap(0); n > 0 && !s.write("init: "+strconv.FormatInt(n, 10)+" messages were lost: the console stood still\n") {
			s.lost.Add(n)
		}
		if !s.write(l.text + "\n") {
			s.lost.Add(1)
		}
	}
}

// say queues a line; a line that does not fit is counted, and the count is said later.
func (s *scribe) say(text string) {
	select {
	case s.queue <- line{text: text}:
	default:
		s.lost.Add(1)
	}
}

// flush waits until what was said is written, for flushLimit at most.
func (s *scribe) flush() {
	limit := time.NewTimer(flushLimit)
	defer limit.Stop()
	done := make(chan struct{})
	select {
	case s.queue <- line{done: done}:
	case <-limit.C:
		return
	}
	select {
	case <-done:
	case <-limit.C:
	}
}

// writeConsole opens the console anew for each text: what was open is dead after vhangup(2),
// which root of the zone may call at any time.
func writeConsole(text string) bool {
	fd, err := unix.Open(consolePath, unix.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	deadline := time.Now().Add(writeLimit)
	for len(text) > 0 {
		n, err := unix.Write(fd, []byte(text))
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			left := time.Until(deadline)
			if left <= 0 {
				return false
			}
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(left.Milliseconds())+1)
		case err != nil:
			return false
		default:
			text = text[n:]
		}
	}
	return true
}
