package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/table"
)

// Reader is the supervisor's own reader of all events, with the host's numbers and all that
// is known of senders: what the host's ctwatch is told. It ends with its server; who wants to
// go on opens another one, and may Reset it.
type Reader struct {
	s      *Server
	fh     uint64
	signal chan struct{} // holds one token when there may be something to read

	mu  sync.Mutex // guards what follows
	end error
}

// Watching is how events are read.
type Watching struct {
	// FromOldest: those that are kept come first, not only those to come.
	FromOldest bool
	// Reliable: none goes before it was read, because its contract is dead or the reader is
	// slow, as far as queues have room.
	Reliable bool
}

// Watch begins to read events.
func (s *Server) Watch(how Watching) (*Reader, error) {
	r := &Reader{s: s, signal: make(chan struct{}, 1)}
	var failure error
	err := s.inbox.run(func() {
		r.fh = s.kept.fh + 1
		res := s.do0(&table.Op{Kind: table.OpenBundle, FH: r.fh, Host: true, Cred: table.Cred{Privileged: true}})
		if res.Errno != 0 {
			failure = res.Errno
			return
		}
		s.readers[r.fh] = r
		if how.Reliable {
			s.do0(&table.Op{Kind: table.Reliable, FH: r.fh, Cred: table.Cred{Privileged: true}})
		}
		if how.FromOldest {
			s.do0(&table.Op{Kind: table.Reset, FH: r.fh})
		}
	})
	if err != nil {
		return nil, err
	}
	return r, failure
}

// Read waits for events and gives as many whole lines as fit into p, of which one must fit.
// io.EOF after Close, ErrStopped when the server ends.
func (r *Reader) Read(ctx context.Context, p []byte) (int, error) {
	for {
		var res table.Result
		err := r.s.inbox.run(func() {
			if r.s.table.Readable(r.fh) {
				res = r.s.do0(&table.Op{Kind: table.Read, FH: r.fh, Max: uint32(min(len(p), readerMax))})
			} else {
				res.Errno = unix.EAGAIN
			}
		})
		switch {
		case r.ended() != nil:
			return 0, r.ended()
		case err != nil:
			return 0, err
		case res.Errno == 0 && len(res.Data) > 0:
			return copy(p, res.Data), nil
		case res.Errno != 0 && !errors.Is(res.Errno, unix.EAGAIN):
			return 0, res.Errno
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-r.signal:
		}
	}
}

// readerMax is the most bytes that one Read takes: what a record of the journal is never
// near.
const readerMax = 32 << 10

// Close ends the reader; a Read that waits returns io.EOF.
func (r *Reader) Close() error {
	r.finish(io.EOF)
	err := r.s.inbox.run(func() {
		if r.s.readers[r.fh] == r {
			delete(r.s.readers, r.fh)
			r.s.do0(&table.Op{Kind: table.Close, FH: r.fh})
		}
	})
	if errors.Is(err, ErrStopped) {
		return nil
	}
	return err
}

// ready says that there may be something to read.
func (r *Reader) ready() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

func (r *Reader) finish(why error) {
	r.mu.Lock()
	if r.end == nil {
		r.end = why
	}
	r.mu.Unlock()
	r.ready()
}

func (r *Reader) ended() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end
}

// endReaders ends all readers with the server.
func (s *Server) endReaders(why error) {
	for fh, r := range s.readers {
		delete(s.readers, fh)
		r.finish(why)
	}
}
