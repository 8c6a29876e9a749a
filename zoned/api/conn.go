package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/wire"
)

// sendTimeMax bounds the sending of a request. A live server takes it out of the socket at
// once; one that was stopped leaves it there, and RequestBytesMax may exceed the buffer.
const sendTimeMax = 30 * time.Second

// conn is one connection to a door. It reads bytes and collects the descriptors that come
// with them. Its file is non-blocking and in the runtime's poller, so that a deadline or a
// cancelled context ends a wait.
type conn struct {
	f   *os.File
	raw syscall.RawConn
	// fds came since the last frame was taken.
	fds []*sys.FD
	// idle is called whenever nothing has come for waitNotice.
	idle func()
}

// newConn takes over the socket fd, which must be non-blocking.
func newConn(fd *sys.FD) (*conn, error) {
	f := os.NewFile(uintptr(fd.Disown()), DoorName)
	raw, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("door: %w", err)
	}
	return &conn{f: f, raw: raw}, nil
}

// Read implements io.Reader; descriptors go to c.fds. It goes on after a silence rather
// than return: half a frame may have been read, and the rest must still fit to it.
func (c *conn) Read(p []byte) (int, error) {
	for {
		_ = c.f.SetReadDeadline(time.Now().Add(waitNotice))
		n, err := c.readOnce(p)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if c.idle != nil {
			c.idle()
		}
	}
}

func (c *conn) readOnce(p []byte) (n int, err error) {
	werr := c.raw.Read(func(fd uintptr) bool {
		var got []*sys.FD
		n, got, err = sys.Recv(int(fd), p)
		c.fds = append(c.fds, got...)
		return !errors.Is(err, syscall.EAGAIN)
	})
	switch {
	case werr != nil:
		return 0, werr
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// takeFDs hands over what came with the last frame.
func (c *conn) takeFDs() []*sys.FD {
	fds := c.fds
	c.fds = nil
	return fds
}

func (c *conn) close() {
	sys.CloseAll(c.takeFDs())
	_ = c.f.Close()
}

// send writes one request frame, descriptors with its first byte. The header goes alone,
// since a message with descriptors must not be cut and four bytes never are.
func (c *conn) send(payload []byte, files []*sys.FD) error {
	_ = c.f.SetWriteDeadline(time.Now().Add(sendTimeMax))
	frame := wire.Append(nil, payload)
	nums := make([]int, len(files))
	for i, f := range files {
		nums[i] = f.Int()
	}
	var err error
	werr := c.raw.Write(func(fd uintptr) bool {
		err = sys.Send(int(fd), frame[:wire.HeaderBytes], nums...)
		return !errors.Is(err, syscall.EAGAIN)
	})
	if err = errors.Join(werr, err); err != nil {
		return err
	}
	_, err = c.f.Write(frame[wire.HeaderBytes:])
	return err
}

// receive takes one reply frame. Its descriptors wait in takeFDs.
func (c *conn) receive() (Reply, error) {
	b, err := wire.Read(c, ReplyBytesMax)
	switch {
	case err == nil:
	case errors.Is(err, wire.ErrTooLong), errors.Is(err, wire.ErrEmpty):
		return Reply{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	default:
		// The end of the stream, between frames or within one, and a reset are the same
		// thing: the supervisor left or died.
		return Reply{}, fmt.Errorf("%w: %w", errLost, err)
	}
	var r Reply
	if err := json.Unmarshal(b, &r); err != nil {
		return Reply{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return r, nil
}

// under makes ctx's end end every wait on c: by closing, since a deadline in the past
// would be overwritten by the next read's. The returned func undoes it.
func (c *conn) under(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, func() { _ = c.f.Close() })
}
