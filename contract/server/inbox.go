package server

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// inbox is how other goroutines ask the loop to do something.
type inbox struct {
	wake *sys.FD // an eventfd: readable when there is something

	mu     sync.Mutex // guards what follows
	calls  []*call
	closed error // why no more are taken
}

// call is a function that the loop is to run.
type call struct {
	do   func()
	done chan struct{}
	err  error
}

func newInbox() (*inbox, error) {
	n, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, &sys.Error{Op: "eventfd", Errno: err}
	}
	return &inbox{wake: sys.Own(n)}, nil
}

// run has the loop call do, and waits for it. ErrSlow: it was not called, and will not be.
func (b *inbox) run(do func()) error {
	c := &call{do: do, done: make(chan struct{})}
	b.mu.Lock()
	switch {
	case b.closed != nil:
		defer b.mu.Unlock()
		return b.closed
	case len(b.calls) >= callsMax:
		b.mu.Unlock()
		return ErrBusyCalls
	}
	b.calls = append(b.calls, c)
	b.ring()
	b.mu.Unlock()
	t := time.NewTicker(callLimit / callLooks)
	defer t.Stop()
	return b.await(c, t.C)
}

// await waits for a call for so many ticks. A process that was stopped, or not scheduled, for however
// long misses all of them but one: the loop then has nearly all of its time still, as it must, for it stood
// still as well.
func (b *inbox) await(c *call, ticks <-chan time.Time) error {
	for range callLooks {
		select {
		case <-c.done:
			return c.err
		case <-ticks:
		}
	}
	return b.giveUp(c)
}

// giveUp takes a call back, unless it is being done: then it is waited for, since what it does
// takes no time.
func (b *inbox) giveUp(c *call) error {
	b.mu.Lock()
	for i, other := range b.calls {
		if other == c {
			b.calls = append(b.calls[:i], b.calls[i+1:]...)
			b.mu.Unlock()
			return ErrSlow
		}
	}
	b.mu.Unlock()
	<-c.done
	return c.err
}

// ring makes the eventfd readable. The caller holds mu.
func (b *inbox) ring() {
	if b.wake.Valid() {
		_, _ = unix.Write(b.wake.Int(), []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// serve runs at most max calls.
func (b *inbox) serve(max int) {
	var buf [8]byte
	_, _ = unix.Read(b.wake.Int(), buf[:])
	for range max {
		c := b.take()
		if c == nil {
			return
		}
		c.do()
		close(c.done)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.calls) > 0 {
		b.ring()
	}
}

func (b *inbox) take() *call {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.calls) == 0 {
		return nil
	}
	c := b.calls[0]
	b.calls = b.calls[1:]
	return c
}

// close refuses calls from here on, those that wait included.
func (b *inbox) close(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed == nil {
		b.closed = why
	}
	for _, c := range b.calls {
		c.err = b.closed
		close(c.done)
	}
	b.calls = nil
}

// release closes the descriptor; close came first.
func (b *inbox) release() {
	b.close(ErrStopped)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake.Close()
}
