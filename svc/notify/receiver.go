package notify

import (
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const (
	// turnMax is what is read before a pause of turnPause: some thousand messages a second, which is
	// more than all services of a zone have to say, and less than one of them can write.
	turnMax   = 64
	turnPause = 10 * time.Millisecond
	// shortPause is how long descriptors that are short are waited for.
	shortPause = 100 * time.Millisecond
	// closersMax is how many messages' descriptors are being closed at once.
	closersMax = 16
)

// Message is what somebody has said. It is good until Done.
type Message struct {
	Sender
	Fields
	ok     bool // it is a message: Fields are what it says
	others []*sys.FD
}

// Receiver reads messages one by one.
type Receiver struct {
	file     *os.File
	raw      syscall.RawConn
	say      func(text string)
	messages chan *Message
	done     chan int
	stop     chan struct{}
	closers  chan struct{}
	readers  sync.WaitGroup

	// Of the goroutine.
	text, control []byte
	spent         int // of this turn
	dropped       Count
}

// Listen reads from a socket that Make has made, and leaves that descriptor open. say is for svc.startd's
// log. ErrNone.
func Listen(fd int, say func(text string)) (*Receiver, error) {
	if err := check(fd); err != nil {
		return nil, err
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(own, true); err != nil { // of init's as well, who does not read
		unix.Close(own)
		return nil, os.NewSyscallError("fcntl", err)
	}
	r := &Receiver{
		file: os.NewFile(uintptr(own), "notify"), say: say, messages: make(chan *Message), done: make(chan int, 1),
		stop: make(chan struct{}), closers: make(chan struct{}, closersMax), text: make([]byte, BytesMax+1), control: make([]byte, controlBytes),
	}
	if r.raw, err = r.file.SyscallConn(); err != nil {
		r.file.Close()
		return nil, err
	}
	r.readers.Go(r.run)
	return r, nil
}

// Messages gives one message after the other: the next when the one before is Done.
func (r *Receiver) Messages() <-chan *Message { return r.messages }

// Done says that what follows of the last message is written: now it is taken from the kernel. cost is
// how much work it was beside reading it, in messages.
func (r *Receiver) Done(cost int) { r.done <- cost }

// Close ends reading. A message that was not Done stays where it is.
func (r *Receiver) Close() {
	close(r.stop)
	_ = r.file.SetReadDeadline(time.Unix(1, 0))
	r.readers.Wait()
	r.file.Close()
}

func (r *Receiver) run() {
	for {
		m, err := r.peek()
		switch {
		case err == ErrShort:
			if !r.pause(shortPause) {
				return
			}
			continue
		case err != nil:
			return // it is closed
		}
		cost := 0
		if m.ok {
			select {
			case r.messages <- m:
			case <-r.stop:
				r.release(m)
				return
			}
			select {
			case cost = <-r.done:
			case <-r.stop:
				r.leave(m)
				return
			}
		} else if r.dropped.Add() {
			r.say("messages to " + Path + " that are longer than " + strconv.Itoa(BytesMax) + " bytes, or are no lines of NAME=VALUE, are dropped: " +
				r.dropped.String() + " so far, the last one of process " + strconv.Itoa(m.Pid))
		}
		r.take(m)
		if r.spent += 1 + cost + len(m.others)/8; r.spent < turnMax {
			continue
		}
		if r.spent = 0; !r.pause(turnPause) {
			return
		}
	}
}

// leave leaves the last message where it is, unless it was just done.
func (r *Receiver) leave(m *Message) {
	select {
	case <-r.done:
		r.take(m)
	default:
		r.release(m)
	}
}

// pause waits; false: until the end.
func (r *Receiver) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.stop:
		return false
	}
}

// peek waits for a message and looks at it. ErrShort.
func (r *Receiver) peek() (*Message, error) {
	var n, controlled, flags int
	var failed error
	err := r.raw.Read(func(fd uintptr) bool {
		failed = sys.Retry(func() (e error) {
			n, controlled, flags, _, e = unix.Recvmsg(int(fd), r.text, r.control, unix.MSG_PEEK|unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			return
		})
		return failed != unix.EAGAIN
	})
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return nil, ErrShort // the kernel's memory, say: it is looked at again
	}
	m := &Message{}
	var short error
	if m.Sender, m.others, short = attached(r.control[:controlled]); short != nil {
		r.release(m)
		return nil, ErrShort
	}
	if flags&unix.MSG_TRUNC == 0 {
		m.Fields, m.ok = Parse(string(r.text[:n]))
	}
	return m, nil
}

// take takes the message from the kernel, and lets go of what came with it. The last close of a
// descriptor is one of those here, which may block: the kernel's own is before it.
func (r *Receiver) take(m *Message) {
	_ = r.raw.Control(func(fd uintptr) {
		_ = sys.Retry(func() error {
			_, _, err := unix.Recvfrom(int(fd), r.text[:1], unix.MSG_DONTWAIT)
			return err
		})
	})
	r.release(m)
}

// release closes what came with a message. Nobody waits for those who do it: a close that blocks
// would hold up the end of svc.startd.
func (r *Receiver) release(m *Message) {
	m.pidfd.Close()
	if len(m.others) == 0 {
		return
	}
	select {
	case r.closers <- struct{}{}:
		go func() {
			sys.CloseAll(m.others)
			<-r.closers
		}()
	case <-r.stop:
		go sys.CloseAll(m.others)
	}
}
