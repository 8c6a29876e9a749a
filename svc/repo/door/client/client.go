package client

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Limits of waiting.
const (
	// PatienceUsual is for one request, all its attempts together: a server that died is replaced
	// within milliseconds, and after many deaths within seconds.
	PatienceUsual = 30 * time.Second
	// noDoorMax is how long a missing door is looked for by who has never seen it: a server that
	// replaces the socket removes it for a moment.
	noDoorMax = 500 * time.Millisecond
	// pauseFirst and pauseMax are the waits between attempts.
	pauseFirst = 2 * time.Millisecond
	pauseMax   = 250 * time.Millisecond
	// writeMax is for a request to be taken by the server.
	writeMax = 10 * time.Second
)

// Config says where the door is.
type Config struct {
	// Path of the socket; empty: door.DefaultPath.
	Path string
	// Dial, when it is not nil, makes a connection in place of Path's socket: to the door of a
	// zone, from outside of it. What it fails with is final, and so is an ErrFinal of a read. The
	// server is a stranger's then: what it says in one answer to a scan is bounded, and Patience
	// is for all of that.
	Dial func(until time.Time) (Conn, error)
	// Patience is how long a request waits for a server, and for its answer; 0: PatienceUsual.
	Patience time.Duration
}

// Client is a Store at a door. It connects when it is first used.
type Client struct {
	door.Queries
	cfg Config

	mu     sync.Mutex // guards what follows
	conn   *conn
	end    time.Time // when a scan of a stranger's server must be over; zero: there is none
	seen   bool      // the door was there
	closed bool
	out    []byte
}

var _ door.Store = (*Client)(nil)

// New makes a client.
func New(cfg Config) *Client {
	if cfg.Path == "" {
		cfg.Path = door.DefaultPath
	}
	if cfg.Patience == 0 {
		cfg.Patience = PatienceUsual
	}
	c := &Client{cfg: cfg}
	c.Run = c.scan
	return c
}

// Close ends the connection.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.lose()
	return nil
}

func (c *Client) lose() {
	if c.conn != nil {
		c.conn.close()
		c.conn = nil
	}
}

// attempts is the patience of one call.
type attempts struct {
	patience time.Duration
	until    time.Time
	first    time.Time
	pause    time.Duration
}

func (c *Client) begin() *attempts {
	now := time.Now()
	a := &attempts{patience: c.cfg.Patience, until: now.Add(c.cfg.Patience), first: now, pause: pauseFirst}
	if !c.end.IsZero() {
		a.until = c.end
	}
	return a
}

// rest waits before the next attempt, or says that there is none.
func (a *attempts) rest(why error) error {
	if time.Until(a.until) < a.pause {
		return &unavailable{a.patience, why}
	}
	t := time.NewTimer(a.pause)
	<-t.C
	a.pause = min(2*a.pause, pauseMax)
	return nil
}

// unavailable is ErrUnavailable, or ErrBusy, with its reason.
type unavailable struct {
	patience time.Duration
	why      error
}

func (u *unavailable) Error() string {
	return door.ErrUnavailable.Error() + " within " + u.patience.String() + ": " + u.why.Error()
}

func (u *unavailable) Unwrap() []error { return []error{door.ErrUnavailable, u.why} }

// connect finds a server. An error that again accepts means that there may be one later.
func (c *Client) connect(a *attempts) (*conn, error) {
	if c.cfg.Dial != nil {
		f, err := c.cfg.Dial(a.until)
		if err != nil {
			return nil, err
		}
		return greeted(f, a.until)
	}
	k, err := dial(c.cfg.Path, a.until)
	switch {
	case err == nil:
		c.seen = true
		return k, nil
	case errors.Is(err, fs.ErrNotExist):
		if !c.seen && time.Since(a.first) > min(noDoorMax, a.patience/2) {
			return nil, &noServer{c.cfg.Path}
		}
		return nil, &lost{err}
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EAGAIN):
		return nil, &lost{err}
	}
	return nil, err
}

// noServer is ErrNoServer with the path.
type noServer struct{ path string }

func (n *noServer) Error() string { return n.path + ": " + door.ErrNoServer.Error() }
func (n *noServer) Unwrap() error { return door.ErrNoServer }

// lost is a connection that ended: another attempt may help.
type lost struct{ err error }

func (l *lost) Error() string { return l.err.Error() }
func (l *lost) Unwrap() error { return l.err }

// again says whether another attempt may help.
func again(err error) bool {
	var l *lost
	return errors.As(err, &l)
}

// ask sends a request, as often as it takes, and gives the answer to it: Done, More or Failed.
// resend decides whether a request that was sent whole may be sent to the server of the
// connection; nil: always.
func (c *Client) ask(r *door.Request, resend func(k *conn) error) (door.Answer, error) {
	if c.closed {
		return door.Answer{}, repo.ErrClosed
	}
	a := c.begin()
	for {
		answer, err := c.attempt(a, r, resend)
		if err == nil || !again(err) {
			return answer, err
		}
		c.lose()
		if err := a.rest(err); err != nil {
			return door.Answer{}, err
		}
	}
}

func (c *Client) attempt(a *attempts, r *door.Request, resend func(k *conn) error) (door.Answer, error) {
	if c.conn == nil {
		k, err := c.connect(a)
		if err != nil {
			return door.Answer{}, err
		}
		c.conn = k
	}
	k := c.conn
	if resend != nil {
		if err := resend(k); err != nil {
			return door.Answer{}, err
		}
	}
	c.out = r.Append(append(c.out[:0], make([]byte, wire.HeaderBytes)...))
	if len(c.out)-wire.HeaderBytes > door.RequestBytesMax {
		return door.Answer{}, &repo.LimitError{What: "bytes in one request", Max: door.RequestBytesMax}
	}
	answer, err := k.exchange(door.Finish(c.out), a.until)
	if cap(c.out) > keptBytesMax {
		c.out = nil
	}
	if err != nil {
		if !again(err) {
			c.lose() // what the connection says cannot be followed any more
		}
		return door.Answer{}, err
	}
	if answer.Status != door.Failed {
		return answer, nil
	}
	err = answer.Failure()
	if errors.Is(err, door.ErrBusy) {
		return door.Answer{}, &lost{err}
	}
	return answer, err
}

// keptBytesMax is how much memory is kept for the next request.
const keptBytesMax = 64 << 10

func dirOf(path string) (dir, name string) {
	dir, name = filepath.Split(path)
	return filepath.Clean(dir + "/."), name
}

// dialSocket connects without waiting.
func dialSocket(path string) (*sys.FD, error) {
	dir, name := dirOf(path)
	d, err := sys.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return sys.DialUnix(d, name)
}
