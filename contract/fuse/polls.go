package fuse

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// pollTable is this process's view of the polled files.
type pollTable struct {
	mem    *Memory
	byFH   map[uint64]int
	unused []int
}

// arm notes that somebody waits for the open file fh, which the kernel calls kh.
func (t *pollTable) arm(fh, kh uint64) error {
	i, known := t.byFH[fh]
	if known && t.mem.poll(i).kh.Load() == kh {
		t.mem.poll(i).armed.Store(1)
		return nil
	}
	if known {
		t.drop(fh) // another open file was given the same handle
	}
	i, err := t.place()
	if err != nil {
		return err
	}
	e := t.mem.poll(i)
	e.fh = fh
	e.armed.Store(1)
	e.kh.Store(kh)
	t.byFH[fh] = i
	return nil
}

func (t *pollTable) place() (int, error) {
	if n := len(t.unused); n > 0 {
		i := t.unused[n-1]
		t.unused = t.unused[:n-1]
		return i, nil
	}
	high := t.mem.head.pollsHigh.Load()
	if high >= PollsMax {
		return 0, ErrPollsFull
	}
	t.mem.head.pollsHigh.Store(high + 1)
	return int(high), nil
}

// drop forgets an open file.
func (t *pollTable) drop(fh uint64) {
	i, known := t.byFH[fh]
	if !known {
		return
	}
	t.mem.poll(i).kh.Store(0)
	delete(t.byFH, fh)
	t.unused = append(t.unused, i)
}

// WakePoll wakes whoever polls the open file fh and waits; they ask again what holds.
func (s *Session) WakePoll(fh uint64) error {
	i, known := s.polls.byFH[fh]
	if !known {
		return nil
	}
	return s.wake(s.mem.poll(i))
}

// WakeAllPolls wakes everybody who polls and waits.
func (s *Session) WakeAllPolls() error {
	for _, i := range s.polls.byFH {
		if err := s.wake(s.mem.poll(i)); err != nil {
			return err
		}
	}
	return nil
}

// wake tells the kernel, and only then that it was told.
func (s *Session) wake(e *pollEntry) error {
	if e.armed.Load() == 0 {
		return nil
	}
	*(*uint64)(unsafe.Pointer(&s.outBody()[0])) = e.kh.Load()
	err := s.send(8, notifyPoll, 0)
	if err != nil && err != unix.ENOENT {
		return s.sendError(err)
	}
	e.armed.Store(0)
	return nil
}

// InvalidateAttr makes the kernel ask for the attributes of a node again. It is safe at any
// time: no lock that a client may hold is waited for.
func (s *Session) InvalidateAttr(node uint64) error {
	*(*invalNodeOut)(unsafe.Pointer(&s.outBody()[0])) = invalNodeOut{node: node, off: -1}
	err := s.send(int(unsafe.Sizeof(invalNodeOut{})), notifyInvalNode, 0)
	if err == unix.ENOENT { // the kernel does not know it
		return nil
	}
	return s.sendError(err)
}

// resumePolls finds what a predecessor's clients poll, and wakes them.
func (s *Session) resumePolls() error {
	s.polls = pollTable{mem: s.mem, byFH: map[uint64]int{}}
	for i := range int(min(s.mem.head.pollsHigh.Load(), PollsMax)) {
		e := s.mem.poll(i)
		if e.kh.Load() == 0 {
			s.polls.unused = append(s.polls.unused, i)
			continue
		}
		s.polls.byFH[e.fh] = i
	}
	return s.WakeAllPolls()
}
