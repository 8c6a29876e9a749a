package fuse

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// The file system of the tests. Its files:
//
//	seq     each read gives the next number: none is ever given twice or left out
//	tokens  a write of "N" puts N tokens in; a read takes one and gives its number, or waits;
//	        readable, as poll tells, when there is one
//	quiet   a read of it is an end of file; O_TRUNC and truncate are allowed
//
// What it knows is in the private part of the memory, written down together with the number of
// the request before that is answered, as a real file system does it with its journal.
const (
	nodeSeq    = 2
	nodeTokens = 3
	nodeQuiet  = 4
)

var tokenNames = []string{nodeSeq: "seq", nodeTokens: "tokens", nodeQuiet: "quiet"}

// state is the file system's, with the outcome of the last request that changed it.
type state struct {
	Seq, Tokens, Taken uint64
	Opens, Releases    uint64
	LastUnique         uint64
	LastValue          uint64
	LastErrno          uint64
}

// stateLog holds two states and which of them counts.
type stateLog struct {
	current atomic.Uint64
	states  [2]state
}

// ioctls: _IO('t', 1) gives Taken as the result; _IOWR('t', 2, uint64) adds one to a number.
const (
	ioctlTaken = 't'<<8 | 1
	ioctlAdd   = 3<<30 | 8<<16 | 't'<<8 | 2
)

const tokenExtra = int(unsafe.Sizeof(stateLog{}))

type tokenFS struct {
	s   *Session
	mem *Memory
	log *stateLog
}

func newTokenFS(s *Session, mem *Memory) *tokenFS {
	return &tokenFS{s: s, mem: mem, log: (*stateLog)(unsafe.Pointer(&mem.Extra()[0]))}
}

func (f *tokenFS) state() state { return f.log.states[f.log.current.Load()&1] }

// commit makes st the state, at once.
func (f *tokenFS) commit(st state) {
	next := f.log.current.Load() + 1
	f.log.states[next&1] = st
	crash("commit")
	f.log.current.Store(next)
	crash("committed")
}

// applied commits what request r did, with the value that it is answered with.
func (f *tokenFS) applied(r *Request, st state, value uint64) uint64 {
	st.LastUnique, st.LastValue = r.Unique(), value
	f.commit(st)
	return value
}

// outcome gives the value that r was answered with by a predecessor that could not say so.
func (f *tokenFS) outcome(r *Request) (uint64, bool) {
	st := f.state()
	return st.LastValue, st.LastUnique == r.Unique()
}

func number(n uint64) []byte { return strconv.AppendUint(nil, n, 10) }

// handle deals with one request.
func (f *tokenFS) handle(r *Request) error {
	switch r.Op() {
	case OpLookup:
		return f.lookup(r)
	case OpGetattr, OpSetattr:
		return f.s.ReplyAttr(r, &AttrOut{Attr: f.attr(r.Node())})
	case OpOpen:
		st := f.state()
		if _, done := f.outcome(r); !done {
			st.Opens++
			f.applied(r, st, st.Opens)
		}
		return f.s.ReplyOpen(r, st.Opens<<8|r.Node(), OpenDirectIO|OpenStream)
	case OpRelease:
		if _, done := f.outcome(r); !done {
			st := f.state()
			st.Releases++
			f.applied(r, st, 0)
		}
		return f.s.ReplyOK(r)
	case OpRead:
		return f.read(r)
	case OpWrite:
		return f.write(r)
	case OpPoll:
		revents := uint32(unix.POLLOUT)
		if f.state().Tokens > 0 {
			revents |= unix.POLLIN
		}
		return f.s.ReplyPoll(r, revents)
	case OpIoctl:
		return f.ioctl(r)
	case OpInterrupt:
		if err := f.s.ReplyError(r.Target(), unix.EINTR); err != nil {
			return err
		}
		f.s.Done(r)
		return nil
	case OpReaddir:
		d := f.s.Dirents(r)
		for i := max(int(r.Read().Offset), nodeSeq); i < len(tokenNames); i++ {
			if !d.Add(uint64(i), uint64(i+1), unix.DT_REG, tokenNames[i]) {
				break
			}
		}
		return d.Reply()
	case OpOpendir:
		return f.s.ReplyOpen(r, 0, 0)
	case OpReleasedir, OpAccess:
		return f.s.ReplyOK(r)
	case OpStatfs:
		return f.s.ReplyStatfs(r, &StatfsOut{Namelen: 255, Bsize: 4096})
	case OpForget, OpBatchForget:
		f.s.Done(r)
		return nil
	}
	return f.s.ReplyError(r, unix.ENOSYS)
}

func (f *tokenFS) attr(node uint64) Attr {
	if node == RootNode {
		return Attr{Ino: node, Mode: unix.S_IFDIR | 0o555, Nlink: 2}
	}
	return Attr{Ino: node, Mode: unix.S_IFREG | 0o666, Nlink: 1}
}

func (f *tokenFS) lookup(r *Request) error {
	for i, name := range tokenNames {
		if name != "" && name == string(r.Name()) {
			return f.s.ReplyEntry(r, &EntryOut{Node: uint64(i), Attr: f.attr(uint64(i))})
		}
	}
	return f.s.ReplyError(r, unix.ENOENT)
}

func (f *tokenFS) read(r *Request) error {
	switch r.Node() {
	case nodeQuiet:
		return f.s.ReplyData(r, nil)
	case nodeSeq:
		value, done := f.outcome(r)
		if !done {
			st := f.state()
			st.Seq++
			value = f.applied(r, st, st.Seq)
		}
		return f.s.ReplyData(r, number(value))
	}
	if value, done := f.outcome(r); done {
		return f.s.ReplyData(r, number(value))
	}
	if f.state().Tokens == 0 {
		if r.Read().Flags&unix.O_NONBLOCK != 0 {
			return f.s.ReplyError(r, unix.EAGAIN)
		}
		_, err := f.s.Park(r)
		if err == ErrParkedFull {
			return f.s.ReplyError(r, unix.EAGAIN)
		}
		return err
	}
	return f.give(r)
}

// give answers a read with a token.
func (f *tokenFS) give(r *Request) error {
	st := f.state()
	st.Tokens--
	st.Taken++
	return f.s.ReplyData(r, number(f.applied(r, st, st.Taken)))
}

func (f *tokenFS) write(r *Request) error {
	w, data := r.Write()
	if r.Node() != nodeTokens {
		return f.s.ReplyWrite(r, len(data))
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	if err != nil || w.Size >= WriteMax {
		return f.s.ReplyError(r, unix.EINVAL)
	}
	if _, done := f.outcome(r); !done {
		st := f.state()
		st.Tokens += n
		f.applied(r, st, 0)
	}
	if err := f.s.ReplyWrite(r, len(data)); err != nil {
		return err
	}
	return f.settle()
}

// settle gives tokens to who waits, then wakes who polls.
func (f *tokenFS) settle() error {
	for _, r := range f.s.Parked() {
		if value, done := f.outcome(r); done {
			if err := f.s.ReplyData(r, number(value)); err != nil {
				return err
			}
			continue
		}
		if f.state().Tokens == 0 {
			break
		}
		if err := f.give(r); err != nil {
			return err
		}
	}
	if f.state().Tokens > 0 {
		return f.s.WakeAllPolls()
	}
	return nil
}

func (f *tokenFS) ioctl(r *Request) error {
	in, data := r.Ioctl()
	switch in.Cmd {
	case ioctlTaken:
		return f.s.ReplyIoctl(r, int32(f.state().Taken), nil)
	case ioctlAdd:
		n := *(*uint64)(unsafe.Pointer(&data[0])) + 1
		return f.s.ReplyIoctl(r, 0, unsafe.Slice((*byte)(unsafe.Pointer(&n)), 8))
	}
	return f.s.ReplyError(r, unix.ENOTTY)
}

// serve runs the file system until its connection is gone or stop becomes readable.
func (f *tokenFS) serve(stop int) error {
	fds := []unix.PollFd{{Fd: int32(f.s.FD()), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
	// The outcome of a predecessor's last request is known as long as nothing else was done.
	if r := f.s.Waiting(f.state().LastUnique); r != nil {
		if err := f.handle(r); err != nil {
			return err
		}
	}
	if err := f.settle(); err != nil {
		return err
	}
	for {
		r, err := f.s.Next()
		switch err {
		case nil:
			err = f.handle(r)
		case unix.EAGAIN:
			err = sys.Retry(func() error { _, err := unix.Poll(fds, -1); return err })
			if fds[1].Revents != 0 {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// Descriptors of the server process.
const (
	fdDev = 3 + iota
	fdMemory
)

// serverMain serves until it is killed, or kills itself at its n-th passing of the point that
// the environment names.
func serverMain() int {
	point := os.Getenv("FUSE_TEST_POINT")
	passes, _ := strconv.Atoi(os.Getenv("FUSE_TEST_PASSES"))
	crash = func(here string) {
		if here != point {
			return
		}
		if passes--; passes == 0 {
			self, _ := unix.PidfdOpen(os.Getpid(), 0)
			_ = unix.PidfdSendSignal(self, unix.SIGKILL, nil, 0)
			select {}
		}
	}
	err := func() error {
		mem, err := OpenMemory(fdMemory)
		if err != nil {
			return err
		}
		s, err := New(sys.Own(fdDev), mem)
		if err != nil {
			return err
		}
		return newTokenFS(s, mem).serve(-1)
	}()
	if err == ErrGone {
		return 0
	}
	fmt.Fprintln(os.Stderr, "server:", err)
	return 1
}
