package keeper

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

// phase says how far the answer to a supervisor's hello is.
type phase uint8

const (
	silent   phase = iota // it has not said hello: nothing is sent
	greeting              // slots, deaths and the welcome are being sent; it is not listened to
	greeted               // deaths are sent as they come
)

// link is the connection to the present supervisor. Nothing is ever waited for: what does
// not fit into the socket stays a number here until the supervisor has read.
type link struct {
	fd      *sys.FD
	phase   phase
	slot    int    // while greeting: the next slot to send
	owed    int    // appends that were not confirmed yet
	deaf    bool   // it has closed its side: nothing is sent any more
	events  uint32 // what epoll watches
	refused int    // messages that made no sense
}

// readable says whether there is something to take, the end included.
func (k *Keeper) readable() bool {
	if !k.link.fd.Valid() {
		return false
	}
	p := [1]unix.PollFd{{Fd: int32(k.link.fd.Int()), Events: unix.POLLIN | unix.POLLRDHUP}}
	n, err := unix.Poll(p[:], 0)
	return err == nil && n > 0 && (k.link.listens() || p[0].Revents&^unix.POLLIN != 0)
}

// listens says whether messages are taken now.
func (l *link) listens() bool { return l.phase != greeting || l.deaf }

// message takes one message of the supervisor. What is not understood is dropped and told:
// the supervisor can be replaced, the keeper can not.
func (k *Keeper) message() {
	var m sys.Received
	err := sys.RecvMessage(k.link.fd.Int(), k.in[:], &m)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		return
	case errors.Is(err, unix.ECONNRESET):
		// It died with something of ours unread. What it had sent itself comes now.
		k.link.deaf = true
		return
	case errors.Is(err, unix.EMSGSIZE):
		k.refuse("is too long, or has more descriptors than can be held")
		return
	case err != nil, m.Pid == 0:
		// Closed, or dead: SIGCHLD says which.
		k.hangUp()
		if k.pid != 0 {
			k.killAt = sys.Monotonic() + k.hangUpLimit
		}
		return
	}
	defer m.Close()
	switch {
	case m.Pid != k.pid:
		k.refuse("comes from process " + strconv.Itoa(m.Pid))
	case m.N == 0 || !k.obey(op(k.in[0]), k.in[1:m.N], &m):
		k.refuse("is not understood")
	}
}

// refuse tells that a message was dropped: the first of each supervisor.
func (k *Keeper) refuse(why string) {
	k.link.refused++
	if k.link.refused == 1 {
		k.cfg.Say("a message of the supervisor " + why + ": it is dropped, and so are more like it")
	}
}

// obey does what a message says. False: it makes no sense.
func (k *Keeper) obey(o op, body []byte, m *sys.Received) bool {
	switch {
	case o == opPut && len(m.FDs) == 1 && validName(body):
		fd := m.FDs[0]
		m.FDs = nil
		return k.put(string(body), fd)
	case len(m.FDs) != 0:
		return false
	case o == opHello && len(body) == 1 && k.link.phase == silent:
		k.hello(body[0])
	case o == opDrop && validName(body):
		return k.drop(string(body))
	case o == opForget:
		pid, start, err := parseForget(body)
		if err != nil {
			return false
		}
		k.deaths.forget(pid, start)
	case o == opAppend && len(body) <= ring.AppendMax:
		if kick, err := k.cfg.Ring.Append(body); err == nil && kick {
			ring.Kick(k.data.Int())
		}
		k.link.owed++
		k.flush()
	case o == opHold && len(body) == 1 && body[0] <= 1:
		k.hold = body[0] == 1
	case o == opStarted && len(body) == 0:
		k.complete()
	case o == opQuit && len(body) == 0:
		k.quit = true
	case o == opRenew && len(body) == 0:
		k.look()
	default:
		return false
	}
	return true
}

// reserved are slots that only the keeper fills.
func reserved(name string) bool {
	switch name {
	case SlotDoor, SlotConsole, SlotRing, SlotData, SlotRoom:
		return true
	}
	return false
}

func (k *Keeper) put(name string, fd *sys.FD) bool {
	if reserved(name) {
		fd.Close()
		return false
	}
	if name == SlotPty {
		k.dropPty()
	}
	if !k.slots.put(name, fd) {
		k.refuse("asks to hold more than " + strconv.Itoa(SlotsMax) + " descriptors")
		return true
	}
	if name == SlotPty {
		k.takePty()
	}
	return true
}

func (k *Keeper) drop(name string) bool {
	switch {
	case reserved(name):
		return false
	case name == SlotPty:
		k.dropPty()
	default:
		k.slots.take(name).Close()
	}
	return true
}

// hello begins to answer with all that is held. The supervisor is not listened to until it
// has taken the answer, so what is held does not change under it.
func (k *Keeper) hello(version byte) {
	if version != ProtoVersion {
		k.cfg.Say("the supervisor speaks version " + strconv.Itoa(int(version)) + " of the keeper's protocol, not " + strconv.Itoa(ProtoVersion))
	}
	k.link.phase, k.link.slot, k.deaths.sent = greeting, 0, 0
	k.flush()
}

// complete: the supervisor serves.
func (k *Keeper) complete() {
	k.started = true
	k.served()
	if !k.everReady {
		k.everReady = true
		k.cfg.Ready()
	}
}

// next is the message to send now, with its descriptor or -1. nil: there is none.
func (k *Keeper) next() (m []byte, fd int) {
	b := k.out[:0]
	if k.link.phase == silent || k.link.deaf || !k.link.fd.Valid() {
		return nil, -1
	}
	if k.link.phase == greeting && k.link.slot < len(k.slots.names) {
		return append(append(b, byte(opSlot)), k.slots.names[k.link.slot]...), k.slots.fds[k.link.slot].Int()
	}
	if k.link.phase == greeted && k.link.owed > 0 {
		return append(b, byte(opAppended)), -1
	}
	if k.link.phase == greeted && k.renewal.answer != 0 {
		return append(b, byte(opRenewed), byte(k.renewal.answer), k.renewal.status), -1
	}
	if d, ok := k.deaths.next(); ok {
		return appendDeath(b, d), -1
	}
	if k.link.phase == greeting {
		return appendWelcome(b, k.generation, k.restart.crashes), -1
	}
	return nil, -1
}

// noteSent moves on behind a message of next.
func (k *Keeper) noteSent(m []byte) {
	switch op(m[0]) {
	case opSlot:
		k.link.slot++
	case opAppended:
		k.link.owed--
	case opRenewed:
		k.renewal.answer = 0
	case opDeath:
		k.deaths.sent++
	case opWelcome:
		k.link.phase = greeted
	}
}

// sendsMax bounds how many messages are sent in one turn of the loop.
const sendsMax = 64

// flush sends what the supervisor does not know yet, as far as it has read.
func (k *Keeper) flush() {
	for range sendsMax {
		m, fd := k.next()
		if m == nil {
			break
		}
		var err error
		if fd >= 0 {
			err = sys.Send(k.link.fd.Int(), m, fd)
		} else {
			err = sys.Send(k.link.fd.Int(), m)
		}
		switch {
		case err == nil:
			k.noteSent(m)
			continue
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		case fd >= 0 && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET):
			// This descriptor can not be passed on. A supervisor without it is better than none.
			k.cfg.Say("hand over " + string(m[1:]) + ": " + err.Error())
			k.noteSent(m)
			continue
		default:
			k.link.deaf = true
		}
		break
	}
	k.listen()
}

// listen sets what is waited for.
func (k *Keeper) listen() {
	if !k.link.fd.Valid() {
		return
	}
	events := uint32(unix.EPOLLRDHUP)
	if k.link.listens() {
		events |= unix.EPOLLIN
	}
	if m, _ := k.next(); m != nil {
		events |= unix.EPOLLOUT
	}
	if events != k.link.events {
		k.link.events = events
		_ = k.watch(k.link.fd.Int(), events)
	}
}

// hangUp ends the connection.
func (k *Keeper) hangUp() {
	if k.link.fd.Valid() {
		k.unwatch(k.link.fd.Int())
		k.link.fd.Close()
	}
	k.link = link{}
	k.deaths.sent = 0
}

// drainMax bounds what is taken of a dead supervisor: more than its socket's buffer holds, so
// that a child which has the socket too and goes on sending is not listened to for ever.
const drainMax = 4096

// drain takes what a dead supervisor had still sent: a descriptor it handed over last
// must not be lost with it.
func (k *Keeper) drain() {
	k.link.deaf = true
	for i := 0; i < drainMax && k.readable(); i++ {
		k.message()
	}
}
