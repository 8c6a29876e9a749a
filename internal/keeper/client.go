package keeper

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// Errors of the supervisor's side.
var (
	// ErrGone: the keeper is dead. The zone must be brought down in order.
	ErrGone = errors.New("keeper: gone")
	// ErrVersion: the keeper speaks another version of the protocol.
	ErrVersion = errors.New("keeper: another version")
	// ErrSlow: the keeper did not confirm in time; it may still do what it was asked for.
	ErrSlow = errors.New("keeper: no answer")
)

// Client is the supervisor's end. Methods that send may be called from any goroutine, Next
// from one.
type Client struct {
	fd       *sys.FD
	in       []byte        // of Dial, then of Next
	mu       sync.Mutex    // one Append at a time
	appended chan struct{} // answers to Append, passed on by Next
	renewed  chan Renewed  // answers to Renew, likewise
}

// Close hangs up: the last thing before the end of the process. Next must have returned, or
// the socket must be shut down first.
func (c *Client) Close() error { return c.fd.Close() }

// Held is what a keeper holds when a supervisor comes.
type Held struct {
	Slots      map[string]*sys.FD
	Deaths     []Death
	Generation uint32 // how many supervisors were started before this one, and this one
	Crashes    uint32 // how many of them died before their start-up was complete
	Build      string // the keeper's
}

// Close releases the descriptors.
func (h *Held) Close() {
	for _, f := range h.Slots {
		f.Close()
	}
}

// Dial says hello on descriptor fd and takes what the keeper holds.
func Dial(fd *sys.FD) (*Client, *Held, error) {
	c := &Client{fd: fd, in: make([]byte, MessageMax), appended: make(chan struct{}, 1), renewed: make(chan Renewed, 1)}
	if err := c.send([]byte{byte(opHello), ProtoVersion}); err != nil {
		return nil, nil, err
	}
	h := &Held{Slots: map[string]*sys.FD{}}
	for {
		o, body, fds, err := c.recv()
		if err != nil {
			h.Close()
			return nil, nil, err
		}
		switch {
		case o == opSlot && len(fds) == 1 && validName(body):
			h.Slots[string(body)].Close()
			h.Slots[string(body)] = fds[0]
			continue
		case o == opDeath && len(fds) == 0:
			d, err := parseDeath(body)
			if err == nil {
				h.Deaths = append(h.Deaths, d)
				continue
			}
		case o == opWelcome && len(fds) == 0:
			w, err := parseWelcome(body)
			if err == nil {
				h.Generation, h.Crashes, h.Build = w.Generation, w.Crashes, w.Build
				return c, h, nil
			}
			h.Close()
			return nil, nil, err
		}
		sys.CloseAll(fds)
		h.Close()
		return nil, nil, ErrProto
	}
}

// Parent is the process number of the keeper at the other end of the supervisor's socket, as long as
// it is this process's parent; ErrGone when it is dead. Who asks getppid(2) alone is told the host's
// init then.
func Parent(fd int) (int, error) {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	if int(peer.Pid) != os.Getppid() {
		return 0, ErrGone
	}
	return int(peer.Pid), nil
}

// Next waits for the next death of a child of the keeper. ErrGone when the keeper is dead.
func (c *Client) Next() (Death, error) {
	for {
		o, body, fds, err := c.recv()
		sys.CloseAll(fds)
		if err != nil {
			return Death{}, err
		}
		switch o {
		case opDeath:
			return parseDeath(body)
		case opAppended:
			select {
			case c.appended <- struct{}{}:
			default: // its Append has given up
			}
		case opRenewed:
			if len(body) == 2 {
				select {
				case c.renewed <- Renewed{Answer(body[0]), int(body[1])}:
				default:
				}
			}
		}
	}
}

// Put has the keeper hold a duplicate of fd under name, instead of what it held there.
func (c *Client) Put(name string, fd int) error {
	return c.send(append([]byte{byte(opPut)}, name...), fd)
}

// Drop has it let go of name.
func (c *Client) Drop(name string) error { return c.send(append([]byte{byte(opDrop)}, name...)) }

// Forget says that a death was taken care of.
func (c *Client) Forget(d Death) error { return c.send(appendForget(nil, d.Pid, d.Start)) }

// appendLimit bounds the wait for the keeper to take a text; it is never busy for as long.
const appendLimit = 2 * time.Second

// Append puts a text of at most ring.AppendMax bytes into the console's ring and returns when
// it is there. Next must be running, since it takes the answer.
func (c *Client) Append(p []byte) error {
	if len(p) > ring.AppendMax {
		return ring.ErrTooLong
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.appended: // of one that gave up
	default:
	}
	if err := c.send(append([]byte{byte(opAppend)}, p...)); err != nil {
		return err
	}
	t := time.NewTimer(appendLimit)
	defer t.Stop()
	select {
	case <-c.appended:
		return nil
	case <-t.C:
		return ErrSlow
	}
}

// renewLimit bounds the wait for the keeper's look at the program on disk; its own is shorter.
const renewLimit = 15 * time.Second

// Renew has the keeper execute its own program anew, as it is on disk now, when this
// supervisor has ended. It looks first whether that one can take over; what it found is the
// answer. Next must be running. One call at a time.
func (c *Client) Renew() (Renewed, error) {
	select {
	case <-c.renewed: // of one that gave up
	default:
	}
	if err := c.send([]byte{byte(opRenew)}); err != nil {
		return Renewed{}, err
	}
	t := time.NewTimer(renewLimit)
	defer t.Stop()
	select {
	case r := <-c.renewed:
		return r, nil
	case <-t.C:
		return Renewed{}, ErrSlow
	}
}

// Hold says whether the supervisor must be restarted whatever it dies of.
func (c *Client) Hold(on bool) error {
	m := []byte{byte(opHold), 0}
	if on {
		m[1] = 1
	}
	return c.send(m)
}

// Started says that the supervisor serves.
func (c *Client) Started() error { return c.send([]byte{byte(opStarted)}) }

// Quit says that the supervisor leaves in order and the keeper may too.
func (c *Client) Quit() error { return c.send([]byte{byte(opQuit)}) }

func (c *Client) send(m []byte, fds ...int) error {
	if len(m) > MessageMax {
		return ErrProto
	}
	err := sys.Send(c.fd.Int(), m, fds...)
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return ErrGone
	}
	return err
}

// recv takes one message; its body is good until the next. A keeper that died with something
// unread may have left messages: they come behind the ECONNRESET.
func (c *Client) recv() (op, []byte, []*sys.FD, error) {
	n, fds, err := sys.Recv(c.fd.Int(), c.in)
	if errors.Is(err, unix.ECONNRESET) {
		n, fds, err = sys.Recv(c.fd.Int(), c.in)
	}
	switch {
	case errors.Is(err, unix.ECONNRESET), err == nil && n == 0:
		sys.CloseAll(fds)
		return 0, nil, nil, ErrGone
	case err != nil:
		return 0, nil, nil, err
	}
	return op(c.in[0]), c.in[1:n], fds, nil
}
