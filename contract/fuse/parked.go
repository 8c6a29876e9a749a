package fuse

import (
	"cmp"
	"slices"
)

// parkedSlots is this process's view of the parked requests.
type parkedSlots struct {
	mem      *Memory
	byUnique map[uint64]*Request
	unused   []int // free entries below the high-water mark
}

// releaseAbove is how many parked slots keep their memory when none is in use.
const releaseAbove = 16

// Park moves the current request out of the way, so that it can be answered later: the value
// that comes back stands for it from now on. ErrParkedFull: ParkedMax wait already; the request
// still wants its answer. ErrAnswered: it was, or it is one that has no answer.
func (s *Session) Park(r *Request) (*Request, error) {
	if !r.open || r.slot != readingSlot || !r.Op().waits() {
		return nil, ErrAnswered
	}
	p, err := s.parked.put(r)
	if err != nil {
		return nil, err
	}
	crash("parked")
	r.open = false
	s.mem.freeReading()
	crash("moved")
	return p, nil
}

// Parked are the requests that wait, in the order in which they were parked.
func (s *Session) Parked() []*Request {
	list := make([]*Request, 0, len(s.parked.byUnique))
	for _, r := range s.parked.byUnique {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *Request) int {
		return cmp.Compare(s.mem.parked(a.slot).seq, s.mem.parked(b.slot).seq)
	})
	return list
}

func (p *parkedSlots) find(unique uint64) *Request { return p.byUnique[unique] }

func (p *parkedSlots) put(r *Request) (*Request, error) {
	i, err := p.place()
	if err != nil {
		return nil, err
	}
	if err := reserve(p.mem.fd.Int(), bodiesAt+i*slotBytes, len(r.raw)); err != nil {
		p.unused = append(p.unused, i)
		return nil, err
	}
	parked := p.view(i, copy(p.mem.parkedBody(i), r.raw))
	crash("copied")
	e := p.mem.parked(i)
	e.seq = p.mem.head.parkedSeq.Add(1)
	e.unique.Store(r.Unique())
	return parked, nil
}

// place finds a free entry. The high-water mark is raised before the entry is used, so that
// the next process looks at it.
func (p *parkedSlots) place() (int, error) {
	if n := len(p.unused); n > 0 {
		i := p.unused[n-1]
		p.unused = p.unused[:n-1]
		return i, nil
	}
	high := p.mem.head.parkedHigh.Load()
	if high >= ParkedMax {
		return 0, ErrParkedFull
	}
	p.mem.head.parkedHigh.Store(high + 1)
	return int(high), nil
}

func (p *parkedSlots) view(i, length int) *Request {
	r := &Request{raw: p.mem.parkedBody(i)[:length:length], slot: i, open: true}
	p.byUnique[r.Unique()] = r
	return r
}

func (p *parkedSlots) free(r *Request) {
	delete(p.byUnique, r.Unique())
	p.mem.parked(r.slot).unique.Store(0)
	p.unused = append(p.unused, r.slot)
	if len(p.byUnique) == 0 {
		p.reset()
	}
}

// reset starts at the first slot again, and gives back the memory of a crowd that has left.
func (p *parkedSlots) reset() {
	high := int(p.mem.head.parkedHigh.Load())
	p.mem.head.parkedHigh.Store(0)
	p.unused = p.unused[:0]
	if high > releaseAbove {
		// Memory that is kept for nothing is no harm.
		_ = release(p.mem.fd.Int(), bodiesAt, high*slotBytes)
	}
}

// resumeParked finds what a predecessor had parked and what is still wanted of it. An entry that
// does not hold together is answered EIO, as far as its number is known.
func (s *Session) resumeParked() error {
	s.parked = parkedSlots{mem: s.mem, byUnique: map[uint64]*Request{}}
	for i := range int(min(s.mem.head.parkedHigh.Load(), ParkedMax)) {
		e := s.mem.parked(i)
		unique := e.unique.Load()
		if unique == 0 {
			s.parked.unused = append(s.parked.unused, i)
			continue
		}
		wanted, err := s.wanted(unique)
		if err != nil {
			return err
		}
		if wanted && s.sound(i, unique) {
			continue
		}
		if wanted {
			err = s.refuse(unique)
		}
		e.unique.Store(0)
		s.parked.unused = append(s.parked.unused, i)
		if err != nil {
			return err
		}
	}
	if len(s.parked.byUnique) == 0 {
		s.parked.reset()
	}
	return nil
}

// sound takes the entry into the view if it is what Park makes.
func (s *Session) sound(i int, unique uint64) bool {
	head := Request{raw: s.mem.parkedBody(i)}
	length := int(head.header().length)
	if length < inHeaderBytes || length > slotBytes || head.Unique() != unique || s.parked.find(unique) != nil {
		return false
	}
	head.raw = head.raw[:length]
	if head.check() != formGood || !head.Op().waits() {
		return false
	}
	s.parked.view(i, length)
	return true
}
