package server

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Limits.
const (
	// backlog is how many wait to be accepted; accepting is never held up for long.
	backlog = 128
	// buildersMax is how many answers are made, and requests taken apart, at once, for root and for
	// all others: they take memory and the processor, and wait for nobody outside. Root's do not
	// wait for others'.
	buildersMax  = 4
	strangersMax = 2
	// batchesMax is how many batches of others than root are taken apart and done at once: there
	// is one writer, and a batch that waits takes many times the memory of its frame.
	batchesMax = 2
	// doorMode lets everybody connect, which takes the right to write.
	doorMode = 0o666
	// linesMax is how many lines are logged in a minute.
	linesMax = 20
	// keptBytesMax is how much memory a connection keeps between requests.
	keptBytesMax = 64 << 10
)

// patience is how long clients are waited for.
type patience struct {
	// request is for a request, from its first byte to its last.
	request time.Duration
	// reply is for an answer to be read, and for changes.
	reply time.Duration
	// word is for the word with which a connection ends, and for all that is still read when the
	// server ends.
	word time.Duration
	// accept is the pause when the machine is out of descriptors or memory.
	accept time.Duration
}

var usual = patience{request: 10 * time.Second, reply: 20 * time.Second, word: 200 * time.Millisecond, accept: 100 * time.Millisecond}

// Config is what a server serves.
type Config struct {
	// Repo stays the caller's, who closes it after the server.
	Repo *repo.Repo
	// Listener is the socket, from Listen or from a server before. It stays the caller's, who can
	// hand it to the next server: who connects in between waits.
	Listener *sys.FD
	// Authorizations gives those of a user who is not root; an error stands for none, and is
	// logged. nil: nobody has any.
	Authorizations func(uid uint32) (auth.Set, error)
	// Log is told what an administrator should know, in a line. nil: nobody is.
	Log func(line string)
}

// Server is a server that runs.
type Server struct {
	cfg      Config
	patience patience
	epoch    uint64
	listener *os.File
	raw      syscall.RawConn
	builders [2]chan struct{} // root's, and others'
	batches  chan struct{}
	roster   roster
	answered answered
	lines    lines

	group sync.WaitGroup
	stop  chan struct{}
	close sync.Once
}

// Listen makes the door: a socket that everybody may connect to who may read its directory. A dead
// one of that name is replaced.
func Listen(path string) (*sys.FD, error) {
	dir, err := sys.OpenDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	name := filepath.Base(path)
	l, err := sys.ListenUnix(dir, name, doorMode, backlog)
	if err != nil {
		return nil, err
	}
	// The umask has taken from it what others need to connect.
	if err := unix.Fchmodat(dir.Int(), name, doorMode, 0); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// New starts a server.
func New(cfg Config) (*Server, error) { return start(cfg, usual, allowed) }

func start(cfg Config, p patience, q quota) (*Server, error) {
	fd, err := cfg.Listener.Dup()
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd.Int(), true); err != nil {
		fd.Close()
		return nil, err
	}
	var epoch [8]byte
	door.Random(epoch[:])
	s := &Server{
		cfg: cfg, patience: p, epoch: binary.BigEndian.Uint64(epoch[:]),
		listener: os.NewFile(uintptr(fd.Disown()), "repository door"),
		builders: [2]chan struct{}{make(chan struct{}, buildersMax), make(chan struct{}, strangersMax)},
		batches:  make(chan struct{}, batchesMax), stop: make(chan struct{}),
	}
	s.roster.init(q)
	s.answered.init(time.Now)
	if s.raw, err = s.listener.SyscallConn(); err != nil {
		return nil, errors.Join(err, s.listener.Close())
	}
	s.group.Go(s.accept)
	return s, nil
}

// Close ends the server: requests under way are answered, then each connection is told. It may be
// called twice.
func (s *Server) Close() error {
	s.close.Do(func() {
		close(s.stop)
		s.listener.Close()
		s.roster.endAll(time.Now().Add(s.patience.word))
	})
	s.group.Wait()
	return nil
}

func (s *Server) accept() {
	for {
		var fd *sys.FD
		var failed error
		err := s.raw.Read(func(n uintptr) bool {
			fd, failed = sys.Accept(int(n))
			return !errors.Is(failed, unix.EAGAIN)
		})
		switch {
		case err != nil:
			return // closed
		case errors.Is(failed, unix.ECONNABORTED):
		case failed != nil:
			s.log("accept: " + failed.Error())
			if !s.pause(s.patience.accept) {
				return
			}
		default:
			s.take(fd)
		}
	}
}

func (s *Server) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// turn waits for a turn to build something for the user; the func ends it.
func (s *Server) turn(uid uint32) func() {
	builders := s.builders[0]
	if uid != 0 {
		builders = s.builders[1]
	}
	return enter(builders)
}

func enter(places chan struct{}) func() {
	places <- struct{}{}
	return func() { <-places }
}

// pause waits, and says whether the server goes on.
func (s *Server) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.stop:
		return false
	}
}

// take finds out who it is, and whether there is room.
func (s *Server) take(fd *sys.FD) {
	peer, err := sys.PeerOf(fd.Int())
	if err != nil {
		fd.Close() // it is gone already
		return
	}
	peer.Pidfd.Close()
	c := newConn(s, peer.UID, os.NewFile(uintptr(fd.Disown()), "repository door connection"))
	refused := s.roster.admit(c)
	s.group.Go(func() {
		defer c.f.Close()
		if refused != nil {
			c.bye(refused)
			return
		}
		defer s.roster.remove(c)
		c.serve()
	})
}

// log says a line. Users can bring lines about as often as they connect: there are linesMax in a
// minute, and the last of them says so.
func (s *Server) log(line string) {
	if s.cfg.Log == nil {
		return
	}
	s.lines.mu.Lock()
	now := time.Now()
	if now.Sub(s.lines.since) >= time.Minute {
		s.lines.since, s.lines.n = now, 0
	}
	s.lines.n++
	n := s.lines.n
	s.lines.mu.Unlock()
	switch {
	case n < linesMax:
		s.cfg.Log("repository door: " + line)
	case n == linesMax:
		s.cfg.Log("repository door: " + line + "; more of this minute is not logged")
	}
}

// lines counts what is logged. mu is held alone.
type lines struct {
	mu    sync.Mutex
	since time.Time
	n     int
}
