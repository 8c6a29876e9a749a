package utmp

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// queueMax is how many orders wait: a lock is waited for ten seconds, and a zone that starts a
	// thousand services has few that are recorded.
	queueMax = 256
	// saidMax bounds the texts that are remembered so as not to be said twice.
	saidMax = 32
)

// closeWait is what Close waits for the orders that are left. Tests have more.
var closeWait = time.Second

// Recorder makes records for svc.startd, which does not wait for it.
type Recorder struct {
	files  Files
	say    func(text string)
	orders chan func() error
	done   chan struct{}
	said   map[string]bool

	mu     sync.Mutex
	closed bool   // guarded by mu, as is lost
	lost   uint64 // orders there was no room for, and nobody was told yet
}

// Record begins. say is told what could not be recorded, each thing once.
func Record(files Files, say func(text string)) *Recorder {
	r := &Recorder{files: files, say: say, orders: make(chan func() error, queueMax), done: make(chan struct{}), said: map[string]bool{}}
	go r.run()
	return r
}

func (r *Recorder) run() {
	defer close(r.done)
	for do := range r.orders {
		r.tell(do())
		r.mu.Lock()
		lost := r.lost
		r.lost = 0
		r.mu.Unlock()
		if lost > 0 {
			r.say(r.files.Table + ": " + strconv.FormatUint(lost, 10) + " records were not made: those before them took too long")
		}
	}
}

func (r *Recorder) tell(err error) {
	if err == nil {
		return
	}
	if text := err.Error(); !r.said[text] && len(r.said) < saidMax {
		r.said[text] = true
		r.say(text)
	}
}

func (r *Recorder) order(do func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	select {
	case r.orders <- do:
	default:
		r.lost++
	}
}

// Booted records the boot.
func (r *Recorder) Booted() {
	r.order(func() error {
		b, err := ThisBoot()
		if err != nil {
			return err
		}
		return r.files.Booted(b)
	})
}

// Ended records the end of a process that may have a record.
func (r *Recorder) Ended(pid int, status unix.WaitStatus) {
	r.order(func() error { return r.files.End(pid, status) })
}

// Left looks for records with these prefixes whose processes have ended while nobody looked. The ends
// of others are still told, and how they ended with them.
func (r *Recorder) Left(prefixes []string, others []int) {
	r.order(func() error { return r.files.Sweep(prefixes, others) })
}

// Level records a run level.
func (r *Recorder) Level(level byte) { r.order(func() error { return r.files.Level(level) }) }

// Down records that the zone goes down.
func (r *Recorder) Down() { r.order(r.files.Down) }

// Close ends it when what was ordered is done, or is not after closeWait: then its goroutine ends when
// the file lets it.
func (r *Recorder) Close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.orders)
	}
	r.mu.Unlock()
	end := time.NewTimer(closeWait)
	defer end.Stop()
	select {
	case <-r.done:
	case <-end.C:
	}
}
