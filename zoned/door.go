package zoned

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/zoned/api"
)

// Limits of the door.
const (
	// connectionsMax is how many connections are served at once. Logins hold one each while
	// they last, hence the number; the next waits in the socket's queue.
	connectionsMax = 2*loginsMax + 64
	// requestLimit is how long a caller may take to send its request.
	requestLimit = 10 * time.Second
	// replyLimit is how long a caller may leave a reply unread. Its request goes on.
	replyLimit = 30 * time.Second
	idBytes    = 32
)

// door accepts connections until the listener is closed.
func (z *Zone) door(listener *sys.FD) {
	f := os.NewFile(uintptr(listener.Disown()), "door")
	z.start(func() {
		<-z.ctx.Done()
		f.Close()
	})
	raw, err := f.SyscallConn()
	if err != nil {
		z.log.WithError(err).Error("door")
		return
	}
	places := make(chan struct{}, connectionsMax)
	for {
		select {
		case places <- struct{}{}:
		case <-z.ctx.Done():
			return
		}
		var conn *sys.FD
		var aerr error
		err := raw.Read(func(fd uintptr) bool {
			conn, aerr = sys.Accept(int(fd))
			return !errors.Is(aerr, unix.EAGAIN)
		})
		if err != nil {
			return
		}
		if aerr != nil {
			<-places
			z.pauseAccept(aerr)
			continue
		}
		z.start(func() {
			defer func() { <-places }()
			z.serve(os.NewFile(uintptr(conn.Disown()), "door connection"))
		})
	}
}

// pauseAccept waits a moment when the host is out of descriptors or memory.
func (z *Zone) pauseAccept(err error) {
	z.log.WithError(err).Warn("door: accept")
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-z.ctx.Done():
	}
}

// serve answers one connection. Who may not call learns nothing and has nothing decoded.
func (z *Zone) serve(f *os.File) {
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	var peer sys.Peer
	if err := raw.Control(func(fd uintptr) { peer, err = sys.PeerOf(int(fd)) }); err != nil {
		return
	}
	defer peer.Pidfd.Close()
	if err == nil {
		err = authorize(peer)
	}
	if err != nil {
		z.refuse(f, peer, err)
		return
	}
	_ = f.SetReadDeadline(time.Now().Add(requestLimit))
	req, fds, bad := readRequest(f, raw)
	if bad != nil {
		sys.CloseAll(fds)
		z.logRefusal(logrus.WarnLevel, logrus.Fields{"peer": peer.Pid, "key": bad.Key}, "door: "+bad.Text)
		z.audit.refused(peer, bad.Text)
		_ = writeReply(f, raw, reply{Reply: *bad})
		_ = writeReply(f, raw, reply{Reply: api.Reply{Type: api.ReplyResult, Rval: -1}})
		return
	}
	r := newRequest(*req, peer)
	r.stdio = fds
	z.audit.began(r)
	if _, ok := looks[r.Verb]; ok {
		z.look(f, raw, r)
		return
	}
	follow := make(chan *request, 1)
	if !z.post(evRequest{r, follow}) {
		r.release()
		return
	}
	select {
	case r = <-follow:
	case <-z.ctx.Done():
		return
	}
	if z.answer(f, raw, r) && (r.Verb == api.VerbLogin || r.Verb == api.VerbWait) {
		z.post(evTaken{r})
	}
}

// authorize lets root in the host's namespaces in.
func authorize(p sys.Peer) error {
	if p.UID != 0 {
		return fmt.Errorf("uid %d", p.UID)
	}
	same, err := p.SameNamespaces()
	if err != nil {
		return err
	}
	if !same {
		return errors.New("a process of another namespace")
	}
	return nil
}

func (z *Zone) refuse(f *os.File, p sys.Peer, why error) {
	m := message(api.LevelError, keyPrivileges)
	z.logRefusal(logrus.ErrorLevel, logrus.Fields{"peer": p.Pid, "uid": p.UID, "why": why.Error()}, m.Text)
	z.audit.refused(p, m.Text+": "+why.Error())
	_ = f.SetWriteDeadline(time.Now().Add(time.Second))
	for _, r := range []api.Reply{m, {Type: api.ReplyResult, Rval: -1}} {
		if p, err := json.Marshal(r); err == nil {
			_ = wire.Write(f, p)
		}
	}
}

// readRequest takes the one frame of a connection and the descriptors that came with its
// first byte. What is wrong with it is a message.
func readRequest(f *os.File, raw rawConn) (*api.Request, []*sys.FD, *api.Reply) {
	bad := func(key string, args ...string) *api.Reply {
		m := message(api.LevelError, key, args...)
		return &m
	}
	fd := &firstRead{f: f, raw: raw}
	p, err := wire.Read(fd, api.RequestBytesMax)
	if err != nil {
		return nil, fd.fds, bad(keyBadRequest, err.Error())
	}
	var head struct {
		Version int      `json:"version"`
		Verb    api.Verb `json:"verb"`
	}
	if err := json.Unmarshal(p, &head); err != nil {
		return nil, fd.fds, bad(keyBadRequest, "not a request")
	}
	if head.Version != api.Version {
		return nil, fd.fds, bad(keyVersion, strconv.Itoa(api.Version), strconv.Itoa(head.Version))
	}
	if _, ok := callers[head.Verb]; !ok {
		return nil, fd.fds, bad(keyUnknownVerb, printable(string(head.Verb)))
	}
	var r api.Request
	if err := json.Unmarshal(p, &r); err != nil {
		return nil, fd.fds, bad(keyBadRequest, "not a request")
	}
	switch {
	case !validID(r.ID):
		return nil, fd.fds, bad(keyBadRequest, "the id must be 32 hexadecimal digits")
	case len(r.BootArgs) >= api.BootArgsMax:
		return nil, fd.fds, bad(keyBootArgsLong)
	case len(fd.fds) > 0 && r.Verb != api.VerbLogin:
		return nil, fd.fds, bad(keyDescriptors, string(r.Verb))
	}
	return &r, fd.fds, nil
}

// printable makes a stranger's word fit for a log and a terminal.
func printable(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	q := strconv.QuoteToASCII(s)
	return q[1 : len(q)-1]
}

func validID(s string) bool {
	if len(s) != idBytes {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

type rawConn interface {
	Read(func(fd uintptr) bool) error
	Write(func(fd uintptr) bool) error
}

// firstRead takes descriptors with the first bytes and is a plain reader from then on.
type firstRead struct {
	f    *os.File
	raw  rawConn
	fds  []*sys.FD
	past bool
}

func (r *firstRead) Read(p []byte) (n int, err error) {
	if r.past {
		return r.f.Read(p)
	}
	r.past = true
	rerr := r.raw.Read(func(fd uintptr) bool {
		n, r.fds, err = sys.Recv(int(fd), p)
		return !errors.Is(err, unix.EAGAIN)
	})
	if rerr != nil {
		return 0, rerr
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	return n, err
}

// answer sends a request's frames as they come, and says whether the result was delivered. A
// caller that vanished, or does not read, ends this and nothing else.
func (z *Zone) answer(f *os.File, raw rawConn, r *request) bool {
	for i := 0; ; {
		frames, ended, changed := r.since(i)
		for _, m := range frames {
			_ = f.SetWriteDeadline(time.Now().Add(replyLimit))
			err := writeReply(f, raw, m)
			if m.fd != nil {
				// Delivered or not, ours must go: the login is hung up with its last master.
				r.closeFD(m.fd)
			}
			if err != nil {
				return false
			}
		}
		if i += len(frames); ended {
			return true
		}
		select {
		case <-changed:
		case <-z.ctx.Done():
			return false
		}
	}
}

// writeReply sends one frame. A descriptor goes with the header.
func writeReply(f *os.File, raw rawConn, m reply) error {
	p, err := json.Marshal(m.Reply)
	if err != nil {
		return err
	}
	if m.fd == nil {
		return wire.Write(f, p)
	}
	if !m.fd.Valid() {
		return errors.New("the terminal is gone")
	}
	frame := wire.Append(nil, p)
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		serr = sys.Send(int(fd), frame[:wire.HeaderBytes], m.fd.Int())
		return !errors.Is(serr, unix.EAGAIN)
	})
	if err == nil {
		err = serr
	}
	if err == nil {
		_, err = f.Write(frame[wire.HeaderBytes:])
	}
	return err
}
