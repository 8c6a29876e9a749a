package contract

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Requests of event files (contract(4): ct_event_reset and so on), without arguments.
const (
	ioctlReset    = 'c'<<8 | 0x40
	ioctlNext     = 'c'<<8 | 0x41
	ioctlReliable = 'c'<<8 | 0x42
	ioctlCritical = 'c'<<8 | 0x43
)

const (
	// readBytes is what one read asks for: some hundred events.
	readBytes = 32 << 10
	// lineBytesMax bounds one event's line. The longest has some 300 bytes.
	lineBytesMax = 64 << 10
)

// Reader reads events. One goroutine reads; Close may come from another one.
type Reader struct {
	path     string
	fd       int // of file, whose own method would make it blocking
	file     *os.File
	buf      []byte // what was read and not given yet
	critical bool   // skip what is not, or is acknowledged

	mu     sync.Mutex // guards what follows
	closed bool
}

// Bundle is the queue of all contracts' events that the caller may see.
func (f *FS) Bundle() (*Reader, error) { return f.reader(process("bundle")) }

// PBundle is the queue of the events of contracts that the calling process owns.
func (f *FS) PBundle() (*Reader, error) { return f.reader(process("pbundle")) }

func (f *FS) reader(name string) (*Reader, error) {
	fd, err := f.open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	n := fd.Disown()
	path := f.dir + "/" + name
	return &Reader{path: path, fd: n, file: os.NewFile(uintptr(n), path)}, nil
}

// Close ends reading; a Next that waits returns os.ErrClosed.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.file.Close()
}

// NextAll is Next with all events that were read together with that one. There may be both events
// and an error, which came after them.
func (r *Reader) NextAll(ctx context.Context) ([]Event, error) {
	e, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	list := []Event{e}
	for {
		line, ok := r.line()
		if !ok {
			return list, nil
		}
		e, ok, err := r.parse(line)
		if err != nil {
			return list, err
		}
		if ok {
			list = append(list, e)
		}
	}
}

// parse understands a line; false: it is of no interest.
func (r *Reader) parse(line string) (e Event, ok bool, err error) {
	if e, err = ParseEvent(line); err != nil {
		return Event{}, false, &sys.Error{Op: "read", What: r.path, Errno: err}
	}
	return e, !r.critical || e.Critical && !e.Acked, nil
}

// Next waits for the next event. io.EOF: the contract is dead and all was read. EIDRM: the
// queue's owner is gone. The context's error when that ends first.
func (r *Reader) Next(ctx context.Context) (Event, error) {
	if err := ctx.Err(); err != nil {
		return Event{}, err
	}
	waits := false
	for {
		if line, ok := r.line(); ok {
			e, ok, err := r.parse(line)
			if err == nil && !ok {
				continue
			}
			return e, err
		}
		if !waits {
			waits = true
			// The deadline of an earlier call's context is over.
			_ = r.file.SetReadDeadline(time.Time{})
			defer context.AfterFunc(ctx, func() { _ = r.file.SetReadDeadline(time.Unix(1, 0)) })()
		}
		if err := r.fill(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
				return Event{}, ctx.Err()
			}
			return Event{}, err
		}
	}
}

// line takes a whole line off the buffer.
func (r *Reader) line() (string, bool) {
	i := bytes.IndexByte(r.buf, '\n')
	if i < 0 {
		return "", false
	}
	line := string(r.buf[:i])
	r.buf = r.buf[i+1:]
	return line, true
}

// fill reads more.
func (r *Reader) fill() error {
	if len(r.buf) > lineBytesMax {
		return &sys.Error{Op: "read", What: r.path, Errno: unix.EMSGSIZE}
	}
	b := make([]byte, len(r.buf)+readBytes)
	n, err := r.file.Read(b[copy(b, r.buf):])
	r.buf = b[:len(r.buf)+n]
	return err
}

// Reset goes to the oldest event that is kept.
func (r *Reader) Reset() error {
	r.buf = nil
	return r.ioctl("reset", ioctlReset)
}

// Skip goes over the next event.
func (r *Reader) Skip() error {
	if _, ok := r.line(); ok {
		return nil
	}
	return r.ioctl("skip an event of", ioctlNext)
}

// Reliable has events kept for this reader until it has read them, 8,192 at most (without it,
// 1,024 of those that need no acknowledgement); older ones are then lost, which is told.
// EPERM: the caller is not privileged.
func (r *Reader) Reliable() error { return r.ioctl("watch reliably", ioctlReliable) }

// Critical has this reader skip what is informative, or acknowledged already.
func (r *Reader) Critical() error {
	r.critical = true // for what was read ahead
	return r.ioctl("read critical events of", ioctlCritical)
}

func (r *Reader) ioctl(op string, request uint) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return os.ErrClosed
	}
	if err := sys.Retry(func() error { return unix.IoctlSetInt(r.fd, request, 0) }); err != nil {
		return &sys.Error{Op: op, What: r.path, Errno: err}
	}
	return nil
}
