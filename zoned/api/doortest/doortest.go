package doortest

import (
	"encoding/json"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/zoned/api"
)

// Script is what the server does with one connection, which is closed when it returns.
type Script func(c *Conn)

// Server is a door. Its scripts run one after the other, the last one for every further
// connection.
type Server struct {
	t        testing.TB
	listener *net.UnixListener
	done     sync.WaitGroup

	mu       sync.Mutex // guards what follows
	requests []api.Request
	count    int
	scripts  []Script
}

// MakeState makes a zone's state directory as the supervisor does.
func MakeState(t testing.TB, l layout.Layout, zone string) *sys.FD {
	t.Helper()
	if err := os.MkdirAll(l.ZoneState(zone), 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := sys.OpenDir(l.ZoneState(zone))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Serve opens the door of a zone below l until the test ends.
func Serve(t testing.TB, l layout.Layout, zone string, scripts ...Script) *Server {
	t.Helper()
	dir := MakeState(t, l, zone)
	defer dir.Close()
	fd, err := sys.ListenUnix(dir, api.DoorName, 0o600, 16)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd.Disown()), "door")
	ln, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	s := &Server{t: t, listener: ln.(*net.UnixListener), scripts: scripts}
	s.listener.SetUnlinkOnClose(false)
	s.done.Go(s.accept)
	t.Cleanup(s.Close)
	return s
}

// Close ends the door; scripts under way are waited for.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.done.Wait()
}

// Requests are those read so far, in order.
func (s *Server) Requests() []api.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]api.Request(nil), s.requests...)
}

// Connections is how many were accepted.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *Server) accept() {
	for {
		c, err := s.listener.AcceptUnix()
		if err != nil {
			return
		}
		s.mu.Lock()
		script := s.scripts[min(s.count, len(s.scripts)-1)]
		s.count++
		s.mu.Unlock()
		s.done.Go(func() {
			defer c.Close()
			conn := &Conn{s: s, c: c}
			defer func() { sys.CloseAll(conn.Files) }()
			script(conn)
		})
	}
}

// Conn is one connection as a script sees it.
type Conn struct {
	s *Server
	c *net.UnixConn
	// Files came with the request.
	Files []*sys.FD
}

// Request reads the request, with its descriptors.
func (c *Conn) Request() api.Request {
	b, err := wire.Read(fdReader{c}, api.RequestBytesMax)
	if err != nil {
		return api.Request{}
	}
	var r api.Request
	if err := json.Unmarshal(b, &r); err != nil {
		c.s.t.Errorf("request %q: %v", b, err)
	}
	c.s.mu.Lock()
	c.s.requests = append(c.s.requests, r)
	c.s.mu.Unlock()
	return r
}

type fdReader struct{ c *Conn }

func (r fdReader) Read(p []byte) (int, error) {
	oob := make([]byte, 128)
	n, oobn, _, _, err := r.c.c.ReadMsgUnix(p, oob)
	if err != nil {
		return 0, err
	}
	r.c.Files = append(r.c.Files, parseFDs(oob[:oobn])...)
	if n == 0 && len(p) > 0 {
		return 0, os.ErrClosed
	}
	return n, nil
}

// Send sends one reply, with descriptors.
func (c *Conn) Send(r api.Reply, fds ...int) {
	b, err := json.Marshal(&r)
	if err != nil {
		c.s.t.Error(err)
		return
	}
	c.Raw(wire.Append(nil, b), fds...)
}

// Raw sends bytes as they are.
func (c *Conn) Raw(b []byte, fds ...int) {
	// A full socket takes a part.
	n, _, err := c.c.WriteMsgUnix(b, rights(fds), nil)
	if err == nil && n < len(b) {
		_, _ = c.c.Write(b[n:])
	}
}

// Message sends a line for a person.
func (c *Conn) Message(level api.Level, text string) {
	c.Send(api.Reply{Type: api.ReplyMessage, Level: level, Key: "test", Text: text})
}

// Result sends the last frame.
func (c *Conn) Result(rval int) { c.Send(api.Reply{Type: api.ReplyResult, Rval: rval}) }

// Exited sends the last frame of a login: its wait status.
func (c *Conn) Exited(status int) {
	c.Send(api.Reply{Type: api.ReplyResult, Exited: true, Status: status})
}

// WaitClosed returns when the client has closed the connection.
func (c *Conn) WaitClosed() {
	var b [512]byte
	for {
		if _, err := c.c.Read(b[:]); err != nil {
			return
		}
	}
}

// OK answers whatever is asked with success.
func OK(c *Conn) {
	c.Request()
	c.Result(0)
}
