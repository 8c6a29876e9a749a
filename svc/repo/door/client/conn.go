package client

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Conn is a way to a server.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// ErrFinal: there is nothing to be had on this way, also at the next attempt. A Conn's Read says
// so, with the reason.
var ErrFinal = errors.New("no way to the repository")

// conn is one connection that was greeted.
type conn struct {
	f      Conn
	frames door.Frames
	epoch  uint64
	sent   bool // the last request was sent whole
}

// dial connects and hears the greeting.
func dial(path string, until time.Time) (*conn, error) {
	fd, err := dialSocket(path)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd.Int(), true); err != nil {
		fd.Close()
		return nil, err
	}
	return greeted(os.NewFile(uintptr(fd.Disown()), "repository door"), until)
}

// greeted hears the greeting of a connection, which it owns.
func greeted(f Conn, until time.Time) (*conn, error) {
	k := &conn{f: f}
	k.frames.R = k
	a, err := k.receive(until)
	if err == nil && a.Status != door.Hello {
		err = door.ErrProtocol
	}
	if err == nil {
		k.epoch, err = a.Epoch()
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *conn) close() { _ = k.f.Close() }

// Read reads from the socket. A server that closed with something unread resets the connection;
// what it had said can still be read after that.
func (k *conn) Read(p []byte) (int, error) {
	n, err := k.f.Read(p)
	if errors.Is(err, unix.ECONNRESET) {
		n, err = k.f.Read(p)
	}
	return n, err
}

// exchange sends a frame and gives what is said then.
func (k *conn) exchange(frame []byte, until time.Time) (door.Answer, error) {
	_ = k.f.SetWriteDeadline(earlier(until, time.Now().Add(writeMax)))
	k.sent = false
	_, err := k.f.Write(frame)
	k.sent = err == nil
	// A server that has ended, or has enough, may have said so before it closed.
	a, rerr := k.receive(until)
	if rerr != nil {
		if err != nil && again(rerr) {
			return door.Answer{}, &lost{err}
		}
		return door.Answer{}, rerr
	}
	return a, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// receive takes one answer. Bye, and the end of the stream, are lost connections.
func (k *conn) receive(until time.Time) (door.Answer, error) {
	_ = k.f.SetReadDeadline(until)
	p, err := k.frames.Next(door.AnswerBytesMax)
	switch {
	case errors.Is(err, wire.ErrTooLong), errors.Is(err, wire.ErrEmpty):
		return door.Answer{}, door.ErrProtocol
	case errors.Is(err, ErrFinal):
		return door.Answer{}, err
	case errors.Is(err, io.EOF):
		return door.Answer{}, &lost{errEnded}
	case err != nil:
		return door.Answer{}, &lost{err}
	}
	a, err := door.ParseAnswer(p)
	if err != nil || a.Status != door.Bye {
		return a, err
	}
	k.sent = false // it was not taken
	return a, &lost{a.Failure()}
}

// errEnded: the server ended, or ended the connection, without a word.
var errEnded = errors.New("the connection ended")
