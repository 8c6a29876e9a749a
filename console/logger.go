package console

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/logfile"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// LogFile says where the console's output is written.
type LogFile struct {
	Dir    string // it is there
	Limits logfile.Limits
	open   func(logfile.Limits) (logWriter, error) // for tests; nil: logfile's
}

// logWriter is a logfile.Writer, or a disk that fails.
type logWriter interface {
	Pos() (uint64, bool)
	Write(pos uint64, p []byte) (int, error)
	Lose(pos, lost uint64) error
	Anew() error
	SetLimits(logfile.Limits)
	Close()
}

// logger writes the ring to the disk, on a goroutine of its own that may stand still as long as
// the disk does. It holds the ring as the writer's client does, so that what is written between
// a supervisor's death and its successor is there; but a slow disk loses that hold in logPatience,
// and a full one at once.
type logger struct {
	ring   *ring.Reader // a mapping of its own
	holds  *holds
	log    *logrus.Entry
	open   func(logfile.Limits) (logWriter, error)
	limits atomic.Pointer[logfile.Limits]

	wake, stop, done chan struct{}

	// The goroutine's.
	w       logWriter
	buf     []byte
	failing bool
	lost    uint64
	at      uint64 // written up to there
	last    bool   // stop was said, when the ring's head was until
	until   uint64

	// The loop's: what it last told of, and since when the log is far behind.
	told      uint64
	windowAt  int64
	windowPos uint64
}

func newLogger(s *Server, r *ring.Reader) *logger {
	f := s.cfg.LogFile
	lg := &logger{
		ring: r, log: s.cfg.Log.WithField("op", "console log"), buf: make([]byte, chunkBytes),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		open: func(l logfile.Limits) (logWriter, error) { return logfile.OpenWriter(f.Dir, s.cfg.Zone, r.Epoch(), l) },
	}
	if f.open != nil {
		lg.open = f.open
	}
	lg.limits.Store(&f.Limits)
	return lg
}

func (lg *logger) nudge() {
	select {
	case lg.wake <- struct{}{}:
	default:
	}
}

// run writes until stop, and then what there was at that moment.
func (lg *logger) run() {
	defer close(lg.done)
	defer lg.ring.Close()
	defer func() {
		if lg.w != nil {
			lg.w.Close()
		}
	}()
	for {
		wait, err := lg.step()
		switch {
		case err != nil:
			lg.fail(err)
			if !lg.pause() {
				return
			}
		case lg.stopping(wait):
			return
		case wait:
			lg.idle()
		}
	}
}

// idle waits until there may be more, or a log that had to rest may hold again.
func (lg *logger) idle() {
	var rested <-chan time.Time
	if d := lg.holds.resting(sys.Monotonic()); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		rested = t.C
	}
	select {
	case <-lg.wake:
	case <-lg.stop:
	case <-rested:
	}
}

// pause waits until a disk that failed is tried again; false: not any more.
func (lg *logger) pause() bool {
	t := time.NewTimer(logRetry)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-lg.stop:
		return false
	}
}

// stopping says whether this is the end: all that there was when stop was said is written. A zone
// that goes on writing does not keep a supervisor.
func (lg *logger) stopping(written bool) bool {
	select {
	case <-lg.stop:
	default:
		return false
	}
	if !lg.last {
		lg.last, lg.until = true, lg.ring.Head()
		return false // once more, for what came meanwhile
	}
	return written || lg.at >= lg.until
}

// step writes one piece. wait: there is nothing to write now.
func (lg *logger) step() (wait bool, err error) {
	limits := *lg.limits.Load()
	if limits.Bytes == 0 {
		if lg.w != nil {
			lg.w.Close()
			lg.w = nil
		}
		lg.holds.setLog(ring.NoHold, sys.Monotonic())
		return true, nil
	}
	if lg.w == nil {
		if lg.w, err = lg.open(limits); err != nil {
			lg.w = nil
			return false, err
		}
	}
	lg.w.SetLimits(limits)
	pos, err := lg.position()
	if err != nil {
		return false, err
	}
	lg.hold(pos)
	n, lost, err := lg.ring.ReadAt(pos, lg.buf)
	if err != nil {
		return false, err
	}
	if lost > 0 {
		if err := lg.w.Lose(pos+lost, lost); err != nil {
			return false, err
		}
		lg.lost += lost
		pos += lost
	}
	if n > 0 {
		k, err := lg.w.Write(pos, lg.buf[:n])
		pos += uint64(k)
		if err != nil {
			return false, err
		}
	}
	lg.well()
	lg.hold(pos)
	lg.at = pos
	return n == 0 && lost == 0, nil
}

// position is where the log goes on. A log that is ahead of the ring is of a history that the
// ring has forgotten.
func (lg *logger) position() (uint64, error) {
	oldest, head, err := lg.ring.Range()
	if err != nil {
		return 0, err
	}
	pos, known := lg.w.Pos()
	if known && pos > head {
		if err := lg.w.Anew(); err != nil {
			return 0, err
		}
		known = false
	}
	if !known {
		pos = oldest
	}
	return pos, nil
}

// hold keeps what is not written, unless the disk fails.
func (lg *logger) hold(pos uint64) {
	if !lg.failing {
		lg.holds.setLog(pos, sys.Monotonic())
	}
}

// fail lets the zone go on, and tells, once.
func (lg *logger) fail(err error) {
	lg.holds.setLog(ring.NoHold, sys.Monotonic())
	if lg.failing {
		return
	}
	lg.failing = true
	what := "console log cannot be written; it goes on when it can, and says what is missing"
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		what = "console log: the disk is full; it goes on when there is room, and says what is missing"
	}
	lg.log.WithError(err).Error(what)
}

// well is called when bytes were written, or there were none.
func (lg *logger) well() {
	if lg.failing {
		lg.failing = false
		lg.log.WithField("lostBytes", lg.lost).Info("console log goes on")
	}
	lg.lost = 0
}

// finish has the log written to its end, as far as the disk lets it in time.
func (lg *logger) finish() {
	close(lg.stop)
	t := time.NewTimer(logFarewell)
	defer t.Stop()
	select {
	case <-lg.done:
	case <-t.C:
		lg.log.Warn("console log: the disk is stuck; the next supervisor goes on")
	}
}

// tellLog wakes the log when there is more.
func (l *loop) tellLog(head uint64) {
	if l.logger != nil && l.logger.told != head {
		l.logger.told = head
		l.logger.nudge()
	}
}

// watchLog takes the hold of a log that is far behind and does not come on: the zone does not
// wait for a disk.
func (l *loop) watchLog() {
	lg := l.logger
	if lg == nil {
		return
	}
	pos, holds := l.holds.logHolds()
	if !holds || l.ring.Head()-pos < ring.Size/2 {
		lg.windowAt = 0
		return
	}
	now := sys.Monotonic()
	switch {
	case lg.windowAt == 0 || pos-lg.windowPos >= logProgress:
		lg.windowAt, lg.windowPos = now, pos
	case now >= lg.windowAt+int64(logPatience):
		lg.windowAt = 0
		l.holds.releaseLog(now)
		lg.log.Warn("console log is slower than the zone; output goes on without it")
	}
}

// logDeadline is when watchLog must look again, 0: not by itself.
func (l *loop) logDeadline() int64 {
	if l.logger == nil || l.logger.windowAt == 0 {
		return 0
	}
	return l.logger.windowAt + int64(logPatience)
}

// SetLog changes the limits of the console's log; 0 bytes end it. Without a LogFile it does nothing.
func (s *Server) SetLog(l logfile.Limits) {
	if s.logger != nil {
		s.logger.limits.Store(&l)
		s.logger.nudge()
	}
}

// openLogger makes the logger of a server that has a log.
func (s *Server) openLogger() error {
	if s.cfg.LogFile == nil {
		return nil
	}
	r, err := ring.OpenReader(s.cfg.Ring.FD())
	if err != nil {
		return err
	}
	s.logger = newLogger(s, r)
	return nil
}
