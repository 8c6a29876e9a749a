package sys

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestListenAndDial(t *testing.T) {
	for name, path := range map[string]string{"a short path": t.TempDir(), "a path of 300 bytes": longDir(t)} {
		t.Run(name, func(t *testing.T) {
			dir := openDir(t, path)
			if _, err := DialUnix(dir, "door"); !errors.Is(err, unix.ENOENT) {
				t.Errorf("never made: %v", err)
			}
			l, err := ListenUnix(dir, "door", 0o600, 2)
			check(t, err)
			defer l.Close()
			st, err := os.Stat(path + "/door")
			check(t, err)
			if st.Mode() != os.ModeSocket|0o600 || !cloexec(t, l.Int()) {
				t.Errorf("mode %v", st.Mode())
			}
			if _, err := Accept(l.Int()); !errors.Is(err, unix.EAGAIN) {
				t.Errorf("nobody calls: %v", err)
			}
			c, err := DialUnix(dir, "door")
			check(t, err)
			defer c.Close()
			s, err := Accept(l.Int())
			check(t, err)
			defer s.Close()
			if !cloexec(t, c.Int()) || !cloexec(t, s.Int()) {
				t.Error("a connection is handed on")
			}
			check(t, Send(c.Int(), []byte("hello")))
			buf := make([]byte, 10)
			n, _, err := Recv(s.Int(), buf)
			if err != nil || string(buf[:n]) != "hello" {
				t.Errorf("%q %v", buf[:n], err)
			}
			if _, _, err := Recv(s.Int(), buf); !errors.Is(err, unix.EAGAIN) {
				t.Errorf("an accepted socket waits: %v", err)
			}
			if flags, _ := unix.FcntlInt(uintptr(c.Int()), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
				t.Error("a dialed socket does not wait")
			}
			l.Close()
			if _, err := DialUnix(dir, "door"); !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("nobody holds it: %v", err)
			}
			again, err := ListenUnix(dir, "door", 0o666, 2) // in the place of the dead one
			check(t, err)
			defer again.Close()
			if st, _ := os.Stat(path + "/door"); st.Mode().Perm() != 0o644 {
				t.Errorf("mode %v under the umask", st.Mode())
			}
		})
	}
}

// A listener that takes nobody: callers are told to come again, and do not wait.
func TestDialWithAFullBacklog(t *testing.T) {
	dir := openDir(t, t.TempDir())
	l, err := ListenUnix(dir, "door", 0o600, 1)
	check(t, err)
	defer l.Close()
	began := time.Now()
	for i := range 10 {
		c, err := DialUnix(dir, "door")
		if err != nil {
			if !errors.Is(err, unix.EAGAIN) || i == 0 {
				t.Errorf("caller %d: %v", i, err)
			}
			if time.Since(began) > testenv.Deadline(time.Minute) {
				t.Error("a caller has waited")
			}
			return
		}
		defer c.Close()
	}
	t.Error("a backlog of one takes ten")
}

func TestListenRefuses(t *testing.T) {
	base := t.TempDir()
	dir := openDir(t, base)
	check(t, os.MkdirAll(base+"/door/full", 0o700))
	if _, err := ListenUnix(dir, "door", 0o600, 1); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := ListenUnix(dir, strings.Repeat("n", 120), 0o600, 1); err == nil {
		t.Error("a name that no address holds")
	}
	if _, err := DialUnix(dir, strings.Repeat("n", 120)); err == nil {
		t.Error("a name that no address holds")
	}
	gone, err := OpenDir(base)
	check(t, err)
	gone.Close()
	if _, err := ListenUnix(gone, "x", 0o600, 1); err == nil {
		t.Error("a directory that is closed")
	}
}

func TestSendAndRecvDescriptors(t *testing.T) {
	interrupt(t)
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
		a, b := pair(t, typ)
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		check(t, err)
		defer unix.Close(null)
		before := descriptors(t)
		for n := range fdsMax + 1 {
			fds := make([]int, n)
			for i := range fds {
				fds[i] = null
			}
			check(t, Send(a.Int(), []byte("message"), fds...))
			buf := make([]byte, 7)
			got, back, err := Recv(b.Int(), buf)
			if err != nil || got != 7 || len(back) != n {
				t.Fatalf("%d descriptors: %d, %d bytes, %v", n, len(back), got, err)
			}
			for _, f := range back {
				if !cloexec(t, f.Int()) || identity(t, f.Int()) != identity(t, null) {
					t.Error("another descriptor, or one that is handed on")
				}
			}
			CloseAll(back)
		}
		if err := Send(a.Int(), []byte("x"), make([]int, fdsMax+1)...); !errors.Is(err, unix.ETOOMANYREFS) {
			t.Errorf("more than there may be: %v", err)
		}
		if err := Send(a.Int(), nil, null); !errors.Is(err, unix.EINVAL) {
			t.Errorf("descriptors without a byte: %v", err)
		}
		if err := Send(a.Int(), []byte("x"), -1); !errors.Is(err, unix.EBADF) {
			t.Errorf("no descriptor: %v", err)
		}
		a.Close()
		if n, fds, err := Recv(b.Int(), make([]byte, 1)); n != 0 || fds != nil || err != nil {
			t.Errorf("the end: %d %v %v", n, fds, err)
		}
		if err := Send(b.Int(), []byte("x")); !errors.Is(err, unix.EPIPE) {
			t.Errorf("to nobody: %v", err)
		}
		if now := descriptors(t); now != before-1 {
			t.Errorf("%d descriptors more", now-before+1)
		}
	}
}

// What is cut is refused, and none of its descriptors stays open.
func TestRecvTruncation(t *testing.T) {
	a, b := pair(t, unix.SOCK_SEQPACKET)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(null)
	before := descriptors(t)
	for name, c := range map[string]struct {
		bytes, fds, room int
		want             error
	}{
		"more bytes than there is room":      {20, 2, 10, unix.EMSGSIZE},
		"just as many":                       {10, 2, 10, nil},
		"more descriptors than there may be": {5, 17, 10, unix.EMSGSIZE},
		"as many as the kernel allows":       {5, 253, 10, unix.EMSGSIZE},
		"both":                               {20, 100, 10, unix.EMSGSIZE},
		"no room at all":                     {5, 3, 0, unix.EINVAL},
		"an empty message":                   {0, 0, 10, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fds := make([]int, c.fds)
			for i := range fds {
				fds[i] = null
			}
			var oob []byte
			if c.fds > 0 {
				oob = unix.UnixRights(fds...)
			}
			check(t, unix.Sendmsg(a.Int(), make([]byte, c.bytes), oob, nil, unix.MSG_NOSIGNAL))
			n, got, err := Recv(b.Int(), make([]byte, c.room))
			switch {
			case !errors.Is(err, c.want):
				t.Errorf("%v", err)
			case err != nil && (n != 0 || got != nil):
				t.Errorf("%d bytes and %d descriptors with an error", n, len(got))
			case err == nil && (n != c.bytes || len(got) != c.fds):
				t.Errorf("%d bytes, %d descriptors", n, len(got))
			}
			CloseAll(got)
			if c.want == unix.EINVAL { // nothing was taken
				n, got, err := Recv(b.Int(), make([]byte, 100))
				if n != c.bytes || len(got) != c.fds || err != nil {
					t.Errorf("then %d bytes, %d descriptors, %v", n, len(got), err)
				}
				CloseAll(got)
			}
			if now := descriptors(t); now != before {
				t.Errorf("%d descriptors leaked", now-before)
			}
		})
	}
}

// The table of descriptors is full: the kernel drops some, and the rest is closed.
func TestRecvWithAFullTable(t *testing.T) {
	a, b := pair(t, unix.SOCK_SEQPACKET)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(null)
	check(t, Send(a.Int(), []byte("x"), null, null, null, null, null))
	before := descriptors(t)
	var old unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	// Two are free below the limit, whatever holes there are.
	next, err := unix.Dup(null)
	check(t, err)
	unix.Close(next)
	lim := unix.Rlimit{Cur: uint64(next + 2), Max: old.Max}
	check(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, &lim, nil))
	_, got, err := Recv(b.Int(), make([]byte, 10))
	check(t, unix.Prlimit(0, unix.RLIMIT_NOFILE, &old, nil))
	if !errors.Is(err, unix.EMSGSIZE) || got != nil {
		t.Errorf("%d descriptors, %v", len(got), err)
	}
	if now := descriptors(t); now != before {
		t.Errorf("%d descriptors leaked", now-before)
	}
}

// With SO_PASSCRED an empty message has a sender, and the end has none.
func TestEmptyMessageIsNotTheEnd(t *testing.T) {
	a, b := pair(t, unix.SOCK_SEQPACKET)
	check(t, unix.SetsockoptInt(b.Int(), unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(null)
	check(t, unix.Sendmsg(a.Int(), nil, nil, nil, 0))
	fds := make([]int, fdsMax)
	for i := range fds {
		fds[i] = null
	}
	check(t, Send(a.Int(), []byte("x"), fds...)) // credentials and descriptors fit together
	a.Close()
	var m Received
	buf := make([]byte, 10)
	check(t, RecvMessage(b.Int(), buf, &m))
	if m.N != 0 || m.Pid != os.Getpid() {
		t.Errorf("an empty message: %+v", m)
	}
	check(t, RecvMessage(b.Int(), buf, &m))
	if m.N != 1 || m.Pid != os.Getpid() || len(m.FDs) != fdsMax {
		t.Errorf("a full message: %+v", m)
	}
	m.Close()
	check(t, RecvMessage(b.Int(), buf, &m))
	if m.N != 0 || m.Pid != 0 {
		t.Errorf("the end: %+v", m)
	}
}

// A peer that closes with something unread: what it had sent comes behind the error.
func TestRecvAfterReset(t *testing.T) {
	a, b := pair(t, unix.SOCK_SEQPACKET)
	check(t, Send(b.Int(), []byte("is never read")))
	check(t, Send(a.Int(), []byte("last")))
	a.Close()
	buf := make([]byte, 10)
	if _, _, err := Recv(b.Int(), buf); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("%v", err)
	}
	if n, _, err := Recv(b.Int(), buf); err != nil || string(buf[:n]) != "last" {
		t.Errorf("%q %v", buf[:n], err)
	}
	if n, _, err := Recv(b.Int(), buf); err != nil || n != 0 {
		t.Errorf("the end: %d %v", n, err)
	}
}

// On a stream that is full the rest of a message would come without its descriptors.
func TestSendOnAFullStream(t *testing.T) {
	a, b := pair(t, unix.SOCK_STREAM)
	check(t, unix.SetNonblock(a.Int(), true))
	var err error
	for range 10_000 {
		if err = Send(a.Int(), make([]byte, 10_000)); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("%v", err)
	}
	if _, _, err := Recv(b.Int(), make([]byte, 10)); err != nil {
		t.Error(err)
	}
}

// The keeper takes and answers messages without garbage.
func TestMessagesMakeNoGarbage(t *testing.T) {
	a, b := pair(t, unix.SOCK_SEQPACKET)
	check(t, unix.SetNonblock(b.Int(), true))
	buf, m := make([]byte, 100), Received{}
	text := []byte("text")
	if n := testing.AllocsPerRun(100, func() {
		_ = Send(a.Int(), text)
		_ = RecvMessage(b.Int(), buf, &m)
		_ = RecvMessage(b.Int(), buf, &m) // EAGAIN
	}); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}
