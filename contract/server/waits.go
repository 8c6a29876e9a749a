package server

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/ctfs"
	"github.com/linuxzones/zones/contract/fuse"
)

// waitFor says what a request waits for.
type waitFor uint8

const (
	forEvents waitFor = iota // a read of the handle
	forBirth                 // an activation, for its turn
	forMove                  // a first member, that is being moved
)

// waiting is a request that waits.
type waiting struct {
	r   *fuse.Request
	why waitFor
	fh  uint64
	uid uint32
}

// waits are the requests that wait, each list in the order in which they came: concurrent
// readers of one open file are served so, and births of one user.
type waits struct {
	byUnique map[uint64]*waiting
	readers  map[uint64][]*waiting // by handle
	births   []*waiting
	moves    []*waiting
	perUser  map[uint32]int
}

func newWaits() waits {
	return waits{byUnique: map[uint64]*waiting{}, readers: map[uint64][]*waiting{}, perUser: map[uint32]int{}}
}

func (w *waits) add(x *waiting) {
	w.byUnique[x.r.Unique()] = x
	w.perUser[x.uid]++
	switch x.why {
	case forEvents:
		w.readers[x.fh] = append(w.readers[x.fh], x)
	case forBirth:
		w.births = append(w.births, x)
	case forMove:
		w.moves = append(w.moves, x)
	}
}

// drop forgets a request; nil when it does not wait.
func (w *waits) drop(unique uint64) *waiting {
	x := w.byUnique[unique]
	if x == nil {
		return nil
	}
	delete(w.byUnique, unique)
	if w.perUser[x.uid]--; w.perUser[x.uid] == 0 {
		delete(w.perUser, x.uid)
	}
	switch x.why {
	case forEvents:
		if w.readers[x.fh] = without(w.readers[x.fh], x); len(w.readers[x.fh]) == 0 {
			delete(w.readers, x.fh)
		}
	case forBirth:
		w.births = without(w.births, x)
	case forMove:
		w.moves = without(w.moves, x)
	}
	return x
}

func without(list []*waiting, x *waiting) []*waiting {
	for i, y := range list {
		if x == y {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// purpose is what a request would wait for.
func purpose(r *fuse.Request) (why waitFor, fh uint64) {
	switch r.Op() {
	case fuse.OpRead:
		return forEvents, r.Read().FH
	case fuse.OpWrite:
		in, text := r.Write()
		if ctfs.IsBorn(text) {
			return forMove, in.FH
		}
		return forBirth, in.FH
	}
	return forEvents, 0
}

// wait puts a request aside. Where there is no place it is answered EAGAIN.
func (s *Server) wait(r *fuse.Request) ctfs.Answer {
	uid := r.UID()
	if uid != s.cfg.UIDBase && uid != 0 && s.waits.perUser[uid] >= waitingPerUser {
		return ctfs.Answer{What: ctfs.Fail, Errno: unix.EAGAIN}
	}
	p, err := s.session.Park(r)
	if err != nil {
		return ctfs.Answer{What: ctfs.Fail, Errno: unix.EAGAIN}
	}
	crash("parked")
	s.await(p)
	return ctfs.Answer{What: ctfs.Parked}
}

// await waits for what a parked request waits for.
func (s *Server) await(p *fuse.Request) {
	why, fh := purpose(p)
	s.waits.add(&waiting{r: p, why: why, fh: fh, uid: p.UID()})
}

// retry serves a request that waits once more, and says whether it was answered.
func (s *Server) retryWait(x *waiting) bool {
	a := s.serve(x.r)
	if a.What == ctfs.Wait {
		return false
	}
	s.waits.drop(x.r.Unique())
	s.answer(x.r, a)
	return true
}

// wakeReaders serves who waits for events of a handle.
func (s *Server) wakeReaders(fh uint64) {
	for len(s.waits.readers[fh]) > 0 {
		if !s.retryWait(s.waits.readers[fh][0]) {
			return
		}
	}
}
