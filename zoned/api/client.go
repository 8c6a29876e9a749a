package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"golang.org/x/sys/unix"
)

// Limits of the client's patience.
const (
	// OutageMax is how long a client goes on without a word from any supervisor: a keeper
	// restarts a dead one within milliseconds, and after ten deaths in ten seconds with
	// delays that double.
	OutageMax = 30 * time.Second
	// connectionsMax bounds how often one call connects: a supervisor that dies of this
	// very request each time after its first word would otherwise be asked for ever.
	connectionsMax = 100
	// pauseFirst and pauseMax are the waits between attempts. The first is short because
	// the ordinary case is a successor that is there already.
	pauseFirst = 5 * time.Millisecond
	pauseMax   = 500 * time.Millisecond
	// heardMax bounds the messages that are remembered so that they are not said twice.
	heardMax = 1024
	// waitNotice is after how long without a frame Events.Waiting is called.
	waitNotice = 10 * time.Second
)

// outageMax is OutageMax, shorter in tests.
var outageMax = OutageMax

// Client asks the supervisor of one zone. It holds no connection between calls and may be
// used by several goroutines at once; the funcs it is given then must bear that.
type Client struct {
	Layout layout.Layout
	Zone   string
	// Start starts a supervisor where there is none. Nil: Call then returns ErrNoServer.
	Start func(ctx context.Context, zone string, say func(line string)) error
	// Startup is given the start-up messages of a supervisor, line by line.
	Startup func(line string)
	// Debug is told of reconnections; only of interest under -v.
	Debug func(line string)
	// Locale goes with every request.
	Locale string
}

// Events are called while a call is under way, from its goroutine. Each may be nil.
type Events struct {
	// Message is a line for a person.
	Message func(Reply)
	// TTY is given the master of the login's terminal and owns it.
	TTY func(master *sys.FD)
	// Started says that a login's process runs.
	Started func(pid int)
	// Line is given the lines of an answer, whole. Its error ends the call.
	Line func(line []byte) error
	// Again says that the connection ended early and the supervisor, or its successor, is asked
	// anew: lines may come again.
	Again func()
	// Waiting is called every so often while the supervisor is silent.
	Waiting func(since time.Duration)
}

// call is one request on its way, over however many connections.
type call struct {
	*Client
	req         Request
	payload     []byte
	files       []*sys.FD
	ev          Events
	begun       bool // a login's process was reported; from then on it is waited for
	haveTTY     bool
	heard       []string  // messages delivered, progress not among them
	repeated    int       // how many of them this connection has said again
	line        []byte    // the beginning of a line whose end has not come
	outage      time.Time // since when nothing was heard; zero: all is well
	connections int
	pause       time.Duration
}

// Call sends req and returns its result. files are handed in with a login; they stay the
// caller's. A result with Rval other than 0 is not an error here: why was a message.
//
// When the connection ends before the result, the supervisor has left or died: another is
// started if need be and asked again with the same id, until OutageMax has passed in
// silence (ErrUnavailable). A cancelled ctx ends the call; the request goes on.
func (c *Client) Call(ctx context.Context, req Request, ev Events, files ...*sys.FD) (Reply, error) {
	req.Version = Version
	if req.ID == "" {
		req.ID = NewID()
	}
	if req.Locale == "" {
		req.Locale = c.Locale
	}
	k := &call{Client: c, req: req, files: files, ev: ev}
	if err := k.encode(); err != nil {
		return Reply{}, err
	}
	for {
		r, err := k.attempt(ctx)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return Reply{}, context.Cause(ctx)
		}
		if !again(err) {
			return Reply{}, err
		}
		if err := k.rest(ctx, err); err != nil {
			return Reply{}, err
		}
	}
}

func (k *call) encode() error {
	b, err := json.Marshal(&k.req)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	if len(b) > RequestBytesMax {
		return fmt.Errorf("%w: %d bytes, allowed are %d", ErrRequestTooLong, len(b), RequestBytesMax)
	}
	k.payload = b
	return nil
}

// again says whether another attempt may help.
func again(err error) bool {
	return errors.Is(err, errLost) || errors.Is(err, ErrInCharge) || errors.Is(err, unix.EAGAIN)
}

// rest notes a failed attempt and waits a little before the next, or gives up.
func (k *call) rest(ctx context.Context, why error) error {
	now := time.Now()
	if k.outage.IsZero() {
		k.outage = now
		k.pause = pauseFirst
	}
	if now.Sub(k.outage) > outageMax || k.connections >= connectionsMax {
		return fmt.Errorf("%w for %d seconds (%d connections): %w", ErrUnavailable,
			int(now.Sub(k.outage).Seconds()), k.connections, why)
	}
	k.debug("no answer (%v), asking again", why)
	t := time.NewTimer(k.pause)
	defer t.Stop()
	k.pause = min(2*k.pause, pauseMax)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// attempt is one connection: find or start a server, ask, and listen to the end.
func (k *call) attempt(ctx context.Context) (Reply, error) {
	if k.connections > 0 {
		k.cutOff()
	}
	fd, err := k.reach(ctx, DoorName)
	if err != nil {
		return Reply{}, err
	}
	c, err := newConn(fd)
	if err != nil {
		return Reply{}, err
	}
	defer c.close()
	defer c.under(ctx)()
	k.connections++
	k.repeated, k.line = 0, nil
	sendErr := c.send(k.payload, k.passed())
	// A server that refuses may close before it has read all: what it said is read first.
	r, err := k.listen(c)
	if err != nil && sendErr != nil && errors.Is(err, errLost) {
		err = fmt.Errorf("%w: %w", errLost, sendErr)
	}
	return r, err
}

// passed are the descriptors for this attempt: none once the login runs, since the
// question then is how it ended.
func (k *call) passed() []*sys.FD {
	if k.begun {
		return nil
	}
	return k.files
}

// listen reads frames until the result.
func (k *call) listen(c *conn) (Reply, error) {
	since := time.Now()
	c.idle = func() {
		if k.ev.Waiting != nil {
			k.ev.Waiting(time.Since(since))
		}
	}
	for {
		r, err := c.receive()
		if err != nil {
			return Reply{}, err
		}
		since, k.outage = time.Now(), time.Time{}
		if r.Type == ReplyResult {
			return r, nil
		}
		if err := k.deliver(c, r); err != nil {
			return Reply{}, err
		}
	}
}

// deliver hands one frame to the caller. Frames of an unknown type are of a later
// protocol of the same major version and are passed over.
func (k *call) deliver(c *conn, r Reply) error {
	fds := c.takeFDs()
	if r.Type == ReplyTTY {
		if len(fds) != 1 {
			sys.CloseAll(fds)
			return fmt.Errorf("%w: a terminal with %d descriptors", ErrProtocol, len(fds))
		}
		if k.haveTTY || k.ev.TTY == nil {
			sys.CloseAll(fds)
			return nil
		}
		k.haveTTY = true
		k.ev.TTY(fds[0])
		return nil
	}
	sys.CloseAll(fds)
	switch r.Type {
	case ReplyMessage:
		if k.news(r) && k.ev.Message != nil {
			k.ev.Message(r)
		}
	case ReplyStarted:
		return k.started(r.Pid)
	case ReplyLine:
		return k.lines(r)
	}
	return nil
}

// news says whether a message was not delivered before. A supervisor that is asked again
// repeats from the beginning what it said, in the same order.
func (k *call) news(r Reply) bool {
	if r.Level == LevelProgress {
		return true
	}
	said := string(r.Level) + " " + r.Key + " " + r.Text
	if k.repeated < len(k.heard) && k.heard[k.repeated] == said {
		k.repeated++
		return false
	}
	if len(k.heard) < heardMax {
		k.heard = append(k.heard, said)
	}
	k.repeated = len(k.heard)
	return true
}

// started turns the request into a wait for the login that now runs: a successor must not
// be handed descriptors again, and has only to say how it ended.
func (k *call) started(pid int) error {
	if k.begun || k.req.Verb != VerbLogin {
		return nil
	}
	k.begun = true
	if k.ev.Started != nil {
		k.ev.Started(pid)
	}
	k.req = Request{Version: Version, ID: NewID(), Verb: VerbWait, Locale: k.req.Locale, Target: k.req.ID}
	return k.encode()
}

func (k *call) debug(format string, args ...any) {
	if k.Client.Debug != nil {
		k.Client.Debug(fmt.Sprintf(format, args...))
	}
}
