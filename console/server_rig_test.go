package console

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// local is a server in this process, with the test as the keeper.
type local struct {
	t          testing.TB
	dir        string
	listener   *sys.FD
	mu         sync.Mutex // the keeper's, around the ring
	w          *ring.Writer
	data, room *sys.FD
	log        *lockedBuffer
	auth       func(int) error
	idle       chan struct{}
	srv        *Server
	logFile    *LogFile
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newLocal(t testing.TB) *local { return newLogged(t, nil) }

// newLogged has a log.
func newLogged(t testing.TB, f *LogFile) *local {
	t.Helper()
	return newLoggedWith(t, f, &local{})
}

// newLoggedWith makes it in place.
func newLoggedWith(t testing.TB, f *LogFile, l *local) *local {
	t.Helper()
	*l = local{logFile: f, t: t, dir: t.TempDir(), log: &lockedBuffer{}, idle: make(chan struct{}, 1), auth: func(int) error { return nil }}
	dir, err := sys.OpenDir(l.dir)
	must(t, err)
	defer dir.Close()
	l.listener, err = sys.ListenUnix(dir, "console", 0o600, 64)
	must(t, err)
	l.w, err = ring.Create()
	must(t, err)
	l.w.SetStallLimit(int64(forever)) // the server's own limits are looked at, not the ring's
	l.data, err = ring.NewEvent()
	must(t, err)
	l.room, err = ring.NewEvent()
	must(t, err)
	l.start()
	t.Cleanup(func() {
		l.srv.Shutdown()
		l.listener.Close()
		l.data.Close()
		l.room.Close()
		l.w.Close()
	})
	return l
}

// start starts a server, as a successor of the one there was.
func (l *local) start() {
	l.t.Helper()
	dup := func(fd *sys.FD) *sys.FD {
		d, err := fd.Dup()
		must(l.t, err)
		return d
	}
	r, err := ring.OpenReader(l.w.FD())
	must(l.t, err)
	log := logrus.New()
	log.SetOutput(l.log)
	l.srv, err = New(Config{
		Zone: "web", Listener: dup(l.listener), Ring: r, DataEvent: dup(l.data), RoomEvent: dup(l.room),
		Append:    func(p []byte) error { l.put(string(p)); return nil },
		Authorize: func(fd int) error { return l.auth(fd) },
		OnIdle: func() {
			select {
			case l.idle <- struct{}{}:
			default:
			}
		},
		Log: logrus.NewEntry(log), LogFile: l.logFile,
	})
	must(l.t, err)
}

// put is Append of the keeper.
func (l *local) put(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kick, err := l.w.Append([]byte(s))
	must(l.t, err)
	if kick {
		ring.Kick(l.data.Int())
	}
}

// inLoop has f run between two turns of the server.
func (l *local) inLoop(f func(*loop)) {
	l.t.Helper()
	done := make(chan struct{})
	must(l.t, l.srv.ask(func(lp *loop) { f(lp); close(done) }))
	<-done
}

// zoneWrites is a zone that writes n pattern bytes, as fast as it may, for at most limit. It
// says how many it could and how long it had to wait at once at most.
func (l *local) zoneWrites(n int, limit time.Duration) (done int, longest time.Duration) {
	end := sys.Monotonic() + int64(limit)
	var waits int64
	for done < n {
		now := sys.Monotonic()
		if now > end {
			break
		}
		l.mu.Lock()
		room, until := l.w.Space(now)
		if room > 0 {
			p := l.w.Slice()
			p = p[:min(len(p), n-done)]
			fillPattern(p, l.w.Head())
			done += len(p)
			if l.w.Advance(len(p)) {
				ring.Kick(l.data.Int())
			}
		}
		l.mu.Unlock()
		if room > 0 {
			waits = 0
			continue
		}
		if waits == 0 {
			waits = now
		}
		fds := []unix.PollFd{{Fd: int32(l.room.Int()), Events: unix.POLLIN}}
		if k, _ := unix.Poll(fds, int((until-now)/1e6)+1); k > 0 {
			ring.Clear(l.room.Int())
		}
		longest = max(longest, time.Duration(sys.Monotonic()-waits))
	}
	return done, longest
}

func (l *local) attach(id wire.Ident) (*sys.FD, wire.Answer) { return attachTo(l.t, l.dir, id) }

// expect reads exactly want.
func expect(t testing.TB, fd int, want string) {
	t.Helper()
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if k, _ := unix.Poll(pfd, int(testenv.Deadline(forever).Milliseconds())); k == 0 {
			t.Fatalf("got %q and no more, want %q", got[:n], want)
		}
		k, err := read(fd, got[n:])
		if n += k; k == 0 && err != unix.EINTR && err != unix.EAGAIN {
			t.Fatalf("got %q and %v, want %q", got[:n], err, want)
		}
	}
	if string(got) != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// expectEnd reads the end of the stream, and says whether the peer closed both ways.
func expectEnd(t testing.TB, fd int) (dead bool) {
	t.Helper()
	pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if k, _ := unix.Poll(pfd, int(testenv.Deadline(forever).Milliseconds())); k == 0 {
		t.Fatal("no end")
	}
	var b [256]byte
	if n, err := read(fd, b[:]); n != 0 || err != nil && !errors.Is(err, unix.ECONNRESET) {
		t.Fatalf("got %q, %v instead of the end", b[:n], err)
	}
	return hungUp(fd)
}

func (l *local) logged(what string) {
	l.t.Helper()
	waitFor(l.t, "log: "+what, func() bool { return strings.Contains(l.log.String(), what) })
}
