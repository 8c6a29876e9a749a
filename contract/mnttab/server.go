package mnttab

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/internal/sys"
)

// WatchesMax is how many open files may be polled at a time. Each costs the server a
// descriptor; who polls one more is told POLLERR.
const WatchesMax = 512

// Config says whose table it is.
type Config struct {
	// Zone is the zone's name, as the options show it.
	Zone string
	// UID and GID are the file's owner as the host counts: the zone's root.
	UID, GID uint32
	// Dev and Mem are what Mount gave. They stay the caller's, and open longer than the server.
	Dev, Mem *sys.FD
	// Now is the clock; nil stands for time.Now.
	Now func() time.Time
}

// Server serves one zone's table.
type Server struct {
	zone     string
	uid, gid uint32
	now      func() time.Time
	hostNS   uint64
	mem      *fuse.Memory
	session  *fuse.Session
	store    *store
	seen     *seenTimes
	handles  *handles
	texts    snapshots
	recent   recent
	input    []byte // of mountinfo, used again and again

	poller   poller
	changed  changes
	about    []uint64 // of events, used again and again
	stop     atomic.Bool
	watchPid atomic.Int32 // of whom Watch told
	init     watched
}

// Mount makes the file system, attached nowhere, and its memory: mount is to be attached over
// the zone's /etc/mnttab, dev and mem are what a server needs, this one or the next.
func Mount() (dev, mount, mem *sys.FD, err error) {
	dev, mount, err = fuse.Mount(fuse.Options{Source: "mnttab", Subtype: "mnttab", RootMode: unix.S_IFREG | 0o444})
	if err != nil {
		return nil, nil, nil, err
	}
	fail := func(err error) (a, b, c *sys.FD, e error) {
		dev.Close()
		mount.Close()
		return nil, nil, nil, err
	}
	m, err := fuse.NewMemory(storeBytes)
	if err != nil {
		return fail(err)
	}
	defer m.Close()
	number, err := fuse.Connection(mount)
	if err != nil {
		return fail(err)
	}
	m.SetConnection(number)
	n, err := unix.FcntlInt(uintptr(m.FD()), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fail(&sys.Error{Op: "dup", What: "memfd", Errno: err})
	}
	return dev, mount, sys.Own(n), nil
}

// Open makes a server, which goes on where a predecessor was killed. It answers nobody before
// it runs.
func Open(c Config) (*Server, error) {
	s := &Server{zone: c.Zone, uid: c.UID, gid: c.GID, now: c.Now, texts: snapshots{byHash: map[uint64]*table{}}}
	if s.now == nil {
		s.now = time.Now
	}
	err := s.open(c)
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open(c Config) (err error) {
	if s.hostNS, err = mountNamespace(int32(os.Getpid())); err != nil {
		return &sys.Error{Op: "readlink", What: "/proc/self/ns/mnt", Errno: err}
	}
	if s.mem, err = fuse.OpenMemory(c.Mem.Int()); err != nil {
		return err
	}
	if s.store, err = openStore(s.mem.Extra(), s.now().Unix()); err != nil {
		return err
	}
	s.seen, s.handles = newSeenTimes(s.store), newHandles(s.store)
	if err := s.poller.open(c.Dev); err != nil {
		return err
	}
	s.session, err = fuse.New(c.Dev, s.mem)
	return err
}

// Connection is the number below /sys/fs/fuse/connections, for an abort.
func (s *Server) Connection() (number uint32, known bool) { return s.mem.Connection() }

// Close ends the server, not the file: readers wait for the next one. Run must have returned.
func (s *Server) Close() error {
	if s.handles != nil {
		for _, h := range s.handles.byFH {
			s.handles.unwatch(h)
		}
	}
	s.dropRecent()
	s.init.close()
	if s.session != nil {
		s.session.Close()
	}
	if s.mem != nil {
		s.mem.Close()
	}
	s.poller.close()
	return nil
}

// Watch tells of a process that lives as long as the zone, its init: its table is looked at
// now and whenever it changes, so that times are right although nobody reads. May be called
// from any goroutine.
func (s *Server) Watch(pid int) {
	s.watchPid.Store(int32(pid))
	s.wakeLoop()
}

func (s *Server) wakeLoop() {
	one := [8]byte{1}
	_ = sys.Retry(func() error { _, err := unix.Write(s.poller.kick.Int(), one[:]); return err })
}

// Run answers readers until ctx is done (nil) or the file is gone (ErrGone).
func (s *Server) Run(ctx context.Context) error {
	s.stop.Store(false)
	told := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() { s.stop.Store(true); s.wakeLoop(); close(told) })
	defer func() {
		if !cancel() {
			<-told // it uses what Close takes away
		}
	}()
	for served := 1; !s.stop.Load(); served++ {
		r, err := s.session.Next()
		switch {
		case err == nil:
			err = s.answer(r)
			// Readers that never stop do not keep watchers from hearing anything.
			if err == nil && served%servedMax == 0 {
				err = s.lookAround(false)
			}
		case err == unix.EAGAIN:
			err = s.lookAround(true)
		}
		if err == fuse.ErrGone {
			return ErrGone
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// servedMax is how many requests are answered in a row without a look at anything else.
const servedMax = 64
