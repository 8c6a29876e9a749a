package console

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
)

// dial only connects.
func (l *local) dial() *sys.FD {
	l.t.Helper()
	d, err := sys.OpenDir(l.dir)
	must(l.t, err)
	defer d.Close()
	return dial(l.t, d)
}

// serves says that a well-behaved client gets in at once.
func (l *local) serves() {
	l.t.Helper()
	start := time.Now()
	fd, a := l.attach(ident(wire.Live))
	fd.Close()
	if a.HolderPid != 0 {
		l.t.Fatalf("answer %+v", a)
	}
	if d := time.Since(start); d > forever/2 { // half of what the silent may take
		l.t.Fatalf("a client waited %v", d)
	}
}

func TestHostileHandshakes(t *testing.T) {
	me := strconv.Itoa(os.Getpid())
	for name, c := range map[string]struct{ line, log string }{
		"garbage":       {"\x00\x01\x02 \xff\xfe\n", "malformed identification"},
		"escape codes":  {"IDENT " + me + " \x1b]0;pwned\x07 0\n", "malformed identification"},
		"a web browser": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "malformed identification"},
		"nul":           {"IDENT " + me + "\x00 C 0\n", "malformed identification"},
		"another's pid": {"IDENT 1 C 0\n", "identification of another process"},
		"a long line":   {strings.Repeat("A", 1<<20), "identification too long"},
		"a bad resume":  {"IDENT " + me + " C 0 resume=zzz\n", "malformed identification"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t)
			fd := l.dial()
			defer fd.Close()
			must(t, unix.SetNonblock(fd.Int(), true))
			for rest := []byte(c.line); len(rest) > 0; {
				n, err := send(fd.Int(), rest)
				rest = rest[n:]
				if err != nil && err != unix.EAGAIN {
					break // closed already
				}
			}
			expectEnd(t, fd.Int())
			l.logged(c.log)
			if strings.ContainsAny(l.log.String(), "\x00\x1b\x07") {
				t.Errorf("the log repeats what was sent: %q", l.log.String())
			}
			l.serves()
		})
	}
}

// Half a line and then nothing, or nothing at all: refused when the time is over, and nobody
// waits meanwhile.
func TestSilence(t *testing.T) {
	silence := func(t *testing.T) (l *local, silent, half *sys.FD) {
		l = newLocal(t)
		silent, half = l.dial(), l.dial()
		t.Cleanup(func() { silent.Close(); half.Close() })
		_, err := send(half.Int(), []byte("IDENT "))
		must(t, err)
		return l, silent, half
	}
	t.Run("nobody waits", func(t *testing.T) {
		l, _, _ := silence(t)
		l.serves()
	})
	t.Run("refused", func(t *testing.T) {
		limit(t, &handshakeTime, 2*time.Second)
		start := time.Now()
		l, silent, half := silence(t)
		expectEnd(t, silent.Int())
		expectEnd(t, half.Int())
		if d := time.Since(start); d < handshakeTime {
			t.Errorf("refused after %v", d)
		}
		l.logged(ErrSilent.Error())
	})
}

func TestHalfALineAndAway(t *testing.T) {
	l := newLocal(t)
	fd := l.dial()
	_, err := send(fd.Int(), []byte("IDENT 12"))
	must(t, err)
	fd.Close()
	l.logged("unexpected EOF")
	l.serves()
}

// A line in pieces of one byte is a line.
func TestLineInPieces(t *testing.T) {
	l := newLocal(t)
	fd := l.dial()
	defer fd.Close()
	for _, c := range []byte(ident(wire.Original).Line()) {
		_, err := send(fd.Int(), []byte{c})
		must(t, err)
		time.Sleep(time.Millisecond)
	}
	expect(t, fd.Int(), "OK\n")
}

// The silent never keep others out, however many they are: the oldest give way.
func TestCrowd(t *testing.T) {
	l := newLocal(t)
	var crowd []*sys.FD
	for range 3 * handshakesMax {
		crowd = append(crowd, l.dial())
	}
	l.serves()
	expectEnd(t, crowd[0].Int())
	l.logged(ErrCrowded.Error())
	waitFor(t, "the crowd to be let go", func() bool { return runtime.NumGoroutine() <= 2*handshakesMax })
	for _, fd := range crowd {
		fd.Close()
	}
}

// Authorize is asked before a byte is read, and its no is final.
func TestUnauthorized(t *testing.T) {
	l := newLocal(t)
	l.srv.Shutdown()
	refuse := errors.New("in a zone")
	var unread int
	l.auth = func(fd int) error {
		if cred, err := sys.PeerOf(fd); err != nil || cred.Pid != os.Getpid() {
			t.Errorf("peer %+v, %v", cred, err)
		} else {
			cred.Pidfd.Close()
		}
		unread, _ = unix.IoctlGetInt(fd, unix.TIOCINQ)
		return refuse
	}
	d, err := sys.OpenDir(l.dir)
	must(t, err)
	defer d.Close()
	fd, err := sys.DialUnix(d, "console") // into the backlog: nobody accepts yet
	must(t, err)
	defer fd.Close()
	line := ident(wire.Live).Line()
	_, err = send(fd.Int(), []byte(line))
	must(t, err)
	l.start()
	expectEnd(t, fd.Int())
	l.logged(refuse.Error())
	if unread != len(line) {
		t.Errorf("%d bytes unread when authorizing, of %d", unread, len(line))
	}
}

// Who connects in a loop does not fill the log.
func TestRefusalsAreLoggedSparingly(t *testing.T) {
	l := newLocal(t)
	for range 10 * refusalsLogged {
		fd, _ := dialLine(t, l.dir, "nonsense\n")
		fd.Close()
	}
	l.serves()
	// Who is refused sees the end before the log has it.
	waitFor(t, "the log", func() bool { return strings.Count(l.log.String(), "refused") >= refusalsLogged })
	if n := strings.Count(l.log.String(), "refused"); n != refusalsLogged {
		t.Errorf("%d refusals logged", n)
	}
}

// A client that goes before it was let in leaves nothing behind.
func TestAttachAndAbort(t *testing.T) {
	cycles := 10_000
	if testing.Short() {
		cycles = 1000
	}
	l := newLocal(t)
	line := []byte(ident(wire.Live).Line())
	for range 100 { // what the runtime allocates once
		l.dial().Close()
	}
	waitFor(t, "quiet", func() bool { return runtime.NumGoroutine() < 8 })
	fds, goroutines := openFDs(), runtime.NumGoroutine()
	start := time.Now()
	for i := range cycles {
		fd := l.dial()
		switch i % 4 {
		case 0: // says nothing
		case 1:
			_, _ = send(fd.Int(), line[:i%len(line)])
		case 2:
			_, _ = send(fd.Int(), line)
		case 3:
			_, _ = send(fd.Int(), line)
			var b [3]byte
			_, _ = read(fd.Int(), b[:]) // attached, or refused
		}
		fd.Close()
	}
	took := time.Since(start)
	l.serves()
	waitFor(t, "descriptors as before", func() bool { return openFDs() <= fds && runtime.NumGoroutine() <= goroutines })
	t.Logf("%d cycles in %v", cycles, took.Round(time.Millisecond))
}

func TestReadLineLeavesTheRest(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	_, err = w.WriteString("one\ntwo")
	must(t, err)
	w.Close()
	line, rest, err := readLine(r)
	if err != nil || !bytes.Equal(line, []byte("one\n")) || !bytes.Equal(rest, []byte("two")) {
		t.Fatalf("%q %q %v", line, rest, err)
	}
}
