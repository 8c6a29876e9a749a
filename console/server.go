package console

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sparing"
	"github.com/linuxzones/zones/internal/sys"
)

// Config is what a Server is made of. All of it is needed, but OnIdle and
// LogFile. The server owns the
// listener, the ring and the two events from New on, also when New fails.
type Config struct {
	Zone string
	// Listener is the listening, non-blocking socket. The keeper has it too, so that
	// connections queue while no supervisor is there.
	Listener *sys.FD
	Ring     *ring.Reader
	// DataEvent is kicked by the keeper when the ring has more, RoomEvent by the server when
	// the keeper may write on.
	DataEvent, RoomEvent *sys.FD
	// Append has the keeper put bytes into the ring, and returns when they are there: what a
	// client sees is exactly the ring, and positions can be compared.
	Append func([]byte) error
	// Authorize says why the peer of a connection must not use the console. It is called
	// before a byte is read, on a goroutine of the connection's own, with a descriptor that is
	// valid during the call.
	Authorize func(connfd int) error
	// OnIdle is called when the last client has gone. It runs on the loop: it must return at
	// once and not call the server, except Attached.
	OnIdle func()
	Log    *logrus.Entry
	// LogFile is where the output is written; nil: nowhere.
	LogFile *LogFile
}

func (c *Config) complete() bool {
	return c.Zone != "" && c.Listener.Valid() && c.Ring != nil && c.DataEvent.Valid() && c.RoomEvent.Valid() &&
		c.Append != nil && c.Authorize != nil && c.Log != nil
}

func (c *Config) release() {
	c.Listener.Close()
	c.DataEvent.Close()
	c.RoomEvent.Close()
	if c.Ring != nil {
		c.Ring.Close()
	}
}

// Server serves the clients of one zone's console.
type Server struct {
	cfg    Config
	wake   *sys.FD // eventfd: there are requests, or the end
	group  group
	once   sync.Once
	logger *logger // nil: no log

	mu       sync.Mutex // guards the three below; nothing is called with it held but Kick
	requests []func(*loop)
	ending   bool // Shutdown was called
	ended    bool // the loop takes no more requests

	attached   atomic.Int32 // clients, and places kept for one that reconnects
	holderAsks atomic.Bool  // the holder asked to be dropped with the zone

	handshakes handshakes
	refusals   sparing.Limiter // of those in the log
}

// New starts serving. Clients that a dead predecessor had find their place kept for a while.
func New(cfg Config) (*Server, error) {
	if !cfg.complete() {
		cfg.release()
		return nil, ErrConfig
	}
	wake, err := ring.NewEvent()
	if err != nil {
		cfg.release()
		return nil, fmt.Errorf("console of zone %s: %w", cfg.Zone, err)
	}
	s := &Server{cfg: cfg, wake: wake, refusals: sparing.Limiter{PerMinute: refusalsLogged}}
	var l *loop
	if err = s.openLogger(); err == nil {
		l, err = newLoop(s)
	}
	if err != nil {
		if s.logger != nil {
			s.logger.ring.Close()
		}
		cfg.release()
		wake.Close()
		return nil, fmt.Errorf("console of zone %s: %w", cfg.Zone, err)
	}
	s.group.start(l.run)
	if s.logger != nil {
		// Not one of the group: nobody can wait for a disk.
		go s.logger.run()
	}
	return s, nil
}

// SetInput says where clients' input goes: to a pty master, which the server owns from then
// on and makes non-blocking, or nowhere (nil), where it is discarded: before the zone is ready
// and after it is halted. Input on its way to the previous one is discarded.
func (s *Server) SetInput(master *sys.FD) error {
	err := s.ask(func(l *loop) {
		l.input.set(master)
		l.setInput(&l.input)
	})
	if err != nil {
		master.Close()
	}
	return err
}

// Notice puts an event between the zone's output, for everybody at the console, and
// disconnects whom it should. Then it returns when they have left (at most a second or two):
// the caller may exit after it.
func (s *Server) Notice(kind wire.Notice, args string) error {
	asked := s.holderAsks.Load()
	if err := s.cfg.Append([]byte(kind.Text(args, asked))); err != nil {
		return fmt.Errorf("console notice: %w", err)
	}
	if !kind.Drops(true) {
		return nil
	}
	left := make(chan error, 1)
	if err := s.ask(func(l *loop) { l.dropClients(kind, l.ring.Head(), left) }); err != nil {
		return err
	}
	return <-left // the loop answers each, at its end too
}

// Attached is the number of clients, with places that are kept for one that reconnects.
func (s *Server) Attached() int { return int(s.attached.Load()) }

// Shutdown ends the server as its death would, but tidily: clients find their connection
// closed and look for the successor; their number, and the cursor, are left in the ring.
func (s *Server) Shutdown() {
	s.once.Do(func() {
		s.mu.Lock()
		s.ending = true
		ring.Kick(s.wake.Int())
		s.mu.Unlock()
		s.handshakes.closeAll()
		s.group.wait()
		if s.logger != nil {
			s.logger.finish()
			s.logger.holds.end()
		}
		s.wake.Close()
		s.cfg.release()
	})
}

// ask hands f to the loop, which runs it after those handed over before. No error: it is run.
func (s *Server) ask(f func(*loop)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ending || s.ended:
		return ErrShutdown
	case len(s.requests) >= requestsMax:
		return ErrBusy
	}
	s.requests = append(s.requests, f)
	ring.Kick(s.wake.Int())
	return nil
}

// take gives the loop what it was asked for, and whether it should end. When it should, no
// more is accepted after this.
func (s *Server) take() (requests []func(*loop), end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, s.requests = s.requests, nil
	s.ended = s.ended || s.ending
	return requests, s.ended
}

// fail is take for a loop that cannot go on.
func (s *Server) fail() []func(*loop) {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	requests, _ := s.take()
	return requests
}
