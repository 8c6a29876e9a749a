package kernel

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// jobsMax bounds the goroutines of a Zone. Kills and moves beyond wait their turn: each takes
// milliseconds unless a process is stuck in the kernel.
const jobsMax = 32

// job is a piece of work. It may give its place back with again, to be called later once more.
type job func(context.Context) (r Report, again bool)

// jobs are what runs beside the caller's loop.
type jobs struct {
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	wake   *sys.FD // an eventfd, readable when something is done

	mu      sync.Mutex // guards what follows
	running int
	waiting []job // bounded: a kill a contract and scope, a move a caller
	done    []Report
	stopped bool
}

func newJobs() (*jobs, error) {
	n, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	j := &jobs{wake: sys.Own(n)}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	return j, nil
}

// start runs f now or when there is a place.
func (j *jobs) start(f job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stopped {
		return
	}
	if j.running == jobsMax {
		j.waiting = append(j.waiting, f)
		return
	}
	j.running++
	j.group.Go(func() { j.run(f) })
}

func (j *jobs) run(f job) {
	for f != nil {
		r, again := f(j.ctx)
		j.mu.Lock()
		if again && !j.stopped {
			j.waiting = append(j.waiting, f)
		} else {
			j.done = append(j.done, r)
			j.ring()
		}
		if f = nil; len(j.waiting) > 0 {
			f, j.waiting = j.waiting[0], j.waiting[1:]
		} else {
			j.running--
		}
		j.mu.Unlock()
	}
}

// crowded says whether others wait for a place.
func (j *jobs) crowded() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.waiting) > 0
}

// ring makes the eventfd readable. The caller holds mu, so that it is not closed meanwhile.
func (j *jobs) ring() {
	if j.wake.Valid() {
		_, _ = unix.Write(j.wake.Int(), []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// poke makes FD readable, for the caller's loop itself.
func (j *jobs) poke() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring()
}

// collect takes what is done.
func (j *jobs) collect() []Report {
	j.mu.Lock()
	defer j.mu.Unlock()
	var buf [8]byte
	_, _ = unix.Read(j.wake.Int(), buf[:])
	done := j.done
	j.done = nil
	return done
}

// stop ends all and waits.
func (j *jobs) stop() {
	j.mu.Lock()
	j.stopped, j.waiting = true, nil
	j.mu.Unlock()
	j.cancel()
	j.group.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.wake.Close()
}

// pause waits, until the context ends at most, and says whether it has not.
func pause(ctx context.Context, t *time.Timer, d time.Duration) bool {
	t.Reset(d)
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
