package server

import (
	"sync"
	"time"

	"github.com/linuxzones/zones/svc/repo/door"
)

const (
	// rememberedFor is longer than any client asks again.
	rememberedFor = 2 * time.Minute
	// rememberedMax is for root, and for all others together. An answer has some hundred bytes.
	rememberedMax = 1024
)

// answered is how the batches of late ended: of root's, and of others', so that these do not push
// those out. It is memory and nothing else: what a server before did is not known.
type answered struct {
	now func() time.Time
	mu  sync.Mutex
	of  [2]memory
}

// memory is bounded by number and by time.
type memory struct {
	byKey map[batchKey]*outcome
	order []batchKey // as they came
	// lost is when the latest came that went before its time: one that is not known and is
	// younger may have been among those.
	lost time.Time
}

type batchKey struct {
	uid uint32
	id  [door.IDBytes]byte
}

// outcome is one batch's. Its frame is there when done is closed.
type outcome struct {
	at    time.Time
	done  chan struct{}
	frame []byte
}

func (a *answered) init(now func() time.Time) {
	a.now = now
	for i := range a.of {
		a.of[i].byKey = map[batchKey]*outcome{}
	}
}

// claim finds a batch. mine: it is new, and the caller does it and closes done. nil: it was sent
// before, and how it ended is not known any more.
func (a *answered) claim(k batchKey, again bool) (e *outcome, mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := &a.of[0]
	if k.uid != 0 {
		m = &a.of[1]
	}
	now := a.now()
	m.forget(now)
	if e := m.byKey[k]; e != nil {
		return e, false
	}
	if again && !m.lost.IsZero() && now.Sub(m.lost) < rememberedFor {
		return nil, false
	}
	e = &outcome{at: now, done: make(chan struct{})}
	m.byKey[k] = e
	m.order = append(m.order, k)
	return e, true
}

// forget drops what is too old, and the oldest when there is no room. One that is under way may
// be among those: who does it has it.
func (m *memory) forget(now time.Time) {
	n := 0
	for ; n < len(m.order); n++ {
		at := m.byKey[m.order[n]].at
		full := len(m.order)-n >= rememberedMax
		if now.Sub(at) < rememberedFor {
			if !full {
				break
			}
			m.lost = at
		}
		delete(m.byKey, m.order[n])
	}
	if n > 0 {
		m.order = append(m.order[:0], m.order[n:]...)
	}
}
