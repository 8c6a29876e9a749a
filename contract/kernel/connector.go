package kernel

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
)

// The process connector (linux/cn_proc.h) tells of every fork and exit on the host, to whom is
// root in the host's namespaces. It names no cgroup and no sender: a process's contract is
// read at its birth and remembered. A process that is gone before it could be looked at is
// taken for a member of its parent's contract, or of the one whose window its parent has open.

// MembersMax bounds the members that are remembered. Those beyond are told as lost.
const MembersMax = 1 << 16

// connectorBytes is the room for what was not read yet, some 7,000 messages.
var connectorBytes = 1 << 20 // a variable for tests

// Numbers of linux/connector.h and linux/cn_proc.h.
const (
	connectorIdx  = 1
	connectorVal  = 1
	connListen    = 1
	connFork      = 0x00000001
	connExit      = 0x80000000
	connHeader    = unix.NLMSG_HDRLEN + 20 // of netlink, and of connector
	connEventHead = 16                     // what, cpu, timestamp_ns
	connBytesMax  = 512
)

// member is one that the connector told of.
type member struct {
	ct   contract.ID
	proc table.Proc
	// leader: the first thread has ended, others have not.
	leader bool
	code   uint32
	// named: it was told as born because its maker named it, before its birth was read.
	named bool
}

// connector is the zone's listener.
type connector struct {
	fd      *sys.FD
	members map[int32]*member
	perCT   map[contract.ID]int
	overrun bool
	// unplaced are births that were told before the child was where it belongs.
	unplaced []birth
	lookedAt int64
	// early are messages that came before the kernel's word that it tells us.
	early []connMessage
}

// earlyMax is how many there may be: no more than the socket has room for.
const earlyMax = 8192

// openConnector listens. rcvBytes bounds what the kernel keeps for us.
func openConnector(rcvBytes int) (*connector, error) {
	c, err := newConnector()
	if err == nil {
		err = c.listen(rcvBytes)
	}
	if err != nil {
		if c != nil {
			c.close()
		}
		return nil, fmt.Errorf("open the process connector: %w", err)
	}
	return c, nil
}

// newConnector has a socket, and listens to nothing yet.
func newConnector() (*connector, error) {
	n, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, err
	}
	return &connector{fd: sys.Own(n), members: map[int32]*member{}, perCT: map[contract.ID]int{}}, nil
}

// bind joins those to whom the kernel tells.
func (c *connector) bind(rcvBytes int) error {
	n := c.fd.Int()
	if unix.SetsockoptInt(n, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rcvBytes) != nil {
		_ = unix.SetsockoptInt(n, unix.SOL_SOCKET, unix.SO_RCVBUF, rcvBytes)
	}
	return unix.Bind(n, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: connectorIdx})
}

func (c *connector) listen(rcvBytes int) error {
	if err := c.bind(rcvBytes); err != nil {
		return err
	}
	// The kernel before 6.6 knows no mask and takes no notice of the second request.
	if err := c.send(connListen); err != nil {
		return err
	}
	if err := c.acked(ackWait); err != nil {
		return err
	}
	return c.send(connListen, connFork|connExit)
}

// ackWait is how long the kernel may take to agree. It does so within the request.
const ackWait = time.Second

// acked waits for the kernel's answer. Where the connector is not built in nobody answers, and
// from another pid or user namespace neither.
//
// What is there is read before the time is looked at: a process that was held up for longer than
// that has its answer all the same. An answer that found no room in the socket is asked for again.
func (c *connector) acked(within time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(c.fd.Int()), Events: unix.POLLIN}}
	again := false
	for end := time.Now().Add(within); ; {
		m, ok, err := c.receive()
		switch {
		case err != nil:
			return err
		case ok && m.what == 0:
			if errno := binary.NativeEndian.Uint32(m.data); errno != 0 {
				return unix.Errno(errno)
			}
			return nil
		case ok: // the kernel's word is behind what others have done
			c.early = append(c.early, m)
			if len(c.early) >= earlyMax {
				return nil
			}
			continue
		case c.overrun && !again:
			again = true
			if err := c.send(connListen); err != nil {
				return err
			}
			continue
		}
		left := time.Until(end)
		if left < 0 {
			return ErrSource
		}
		if _, err := unix.Poll(fds, int(left/time.Millisecond)+1); err != nil && err != unix.EINTR {
			return err
		}
	}
}

func (c *connector) send(words ...uint32) error {
	b := make([]byte, 0, connHeader+8)
	le := binary.NativeEndian
	b = le.AppendUint32(b, uint32(connHeader+4*len(words)))
	b = le.AppendUint16(b, unix.NLMSG_DONE)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, connectorIdx)
	b = le.AppendUint32(b, connectorVal)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint16(b, uint16(4*len(words)))
	b = le.AppendUint16(b, 0)
	for _, w := range words {
		b = le.AppendUint32(b, w)
	}
	return unix.Sendto(c.fd.Int(), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// connMessage is one event.
type connMessage struct {
	what uint32
	data []byte
}

// read takes one message; ok is false when there is none now.
func (c *connector) read() (m connMessage, ok bool, err error) {
	if len(c.early) > 0 {
		m, c.early = c.early[0], c.early[1:]
		return m, true, nil
	}
	return c.receive()
}

func (c *connector) receive() (m connMessage, ok bool, err error) {
	var buf [connBytesMax]byte
	for {
		n, from, err := unix.Recvfrom(c.fd.Int(), buf[:], 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return m, false, nil
		case err == unix.ENOBUFS:
			c.overrun = true
			continue
		case err != nil:
			return m, false, err
		}
		// Only the kernel's word counts: any process of the host may send to us.
		if a, is := from.(*unix.SockaddrNetlink); !is || a.Pid != 0 {
			continue
		}
		if m, ok = parseConnector(buf[:n]); ok {
			return m, true, nil
		}
	}
}

func parseConnector(b []byte) (m connMessage, ok bool) {
	le := binary.NativeEndian
	if len(b) < connHeader+connEventHead+4 || le.Uint32(b[unix.NLMSG_HDRLEN:]) != connectorIdx || le.Uint32(b[unix.NLMSG_HDRLEN+4:]) != connectorVal {
		return m, false
	}
	e := b[connHeader:]
	m.what, m.data = le.Uint32(e), e[connEventHead:]
	need := map[uint32]int{connFork: 16, connExit: 16}[m.what]
	return m, len(m.data) >= need
}

func (c *connector) close() { c.fd.Close() }

// has says whether a process is remembered as a contract's.
func (c *connector) has(id contract.ID, p table.Proc) bool {
	m := c.members[p.Pid]
	return m != nil && m.ct == id && p.Start != 0 && m.proc.Start == p.Start
}

// remember knows a member from here on; false when there is no place.
func (c *connector) remember(pid int32, m *member) bool {
	if old := c.members[pid]; old != nil {
		c.forgetMember(pid)
	}
	if len(c.members) >= MembersMax {
		return false
	}
	c.members[pid] = m
	c.perCT[m.ct]++
	return true
}

func (c *connector) forgetMember(pid int32) {
	m := c.members[pid]
	delete(c.members, pid)
	if c.perCT[m.ct]--; c.perCT[m.ct] == 0 {
		delete(c.perCT, m.ct)
	}
}

// readConnector tells of one message; false when there is none.
func (z *Zone) readConnector() bool {
	c := z.connector
	m, ok, err := c.read()
	if err != nil || !ok {
		if c.overrun {
			c.overrun = false
			z.resyncConnector()
			return true
		}
		return false
	}
	le := binary.NativeEndian
	now := time.Now().UnixNano()
	switch m.what {
	case connFork:
		ptgid, pid, tgid := int32(le.Uint32(m.data[4:])), int32(le.Uint32(m.data[8:])), int32(le.Uint32(m.data[12:]))
		if pid == tgid {
			z.forked(birth{ppid: ptgid, pid: tgid, at: now})
		}
	case connExit:
		pid, tgid, code := int32(le.Uint32(m.data)), int32(le.Uint32(m.data[4:])), le.Uint32(m.data[8:])
		z.placeOne(tgid)
		z.threadExited(pid, tgid, code, now)
	}
	return true
}

// birth is one that the connector told of.
type birth struct {
	ppid, pid int32
	at        int64
}

// The connector tells of a birth a moment before the child is put into its cgroup: until then
// it is seen in the root. Where the root is not where it belongs it is looked at again.
const (
	placeWithin = 30 * time.Millisecond
	placeEvery  = 2 * time.Millisecond
	unplacedMax = 1024 // more are taken at their word at once
)

// forked tells of a birth, if it was one in a contract.
func (z *Zone) forked(b birth) {
	z.placeOne(b.ppid) // its parent was born before it
	if !z.placed(b, len(z.connector.unplaced) >= unplacedMax) {
		z.connector.unplaced = append(z.connector.unplaced, b)
	}
}

// placeOne decides about a birth of which more was heard.
func (z *Zone) placeOne(pid int32) {
	list := z.connector.unplaced
	if i := slices.IndexFunc(list, func(b birth) bool { return b.pid == pid }); i >= 0 {
		b := list[i]
		z.connector.unplaced = slices.Delete(list, i, i+1)
		z.placed(b, true)
	}
}

// placeAll looks again at births that were told too early.
func (z *Zone) placeAll() {
	list, now := z.connector.unplaced, time.Now().UnixNano()
	if len(list) == 0 || now-z.connector.lookedAt < int64(placeEvery) {
		return
	}
	z.connector.unplaced, z.connector.lookedAt = nil, now
	late := now - int64(placeWithin)
	for _, b := range list {
		if !z.placed(b, b.at < late) {
			z.connector.unplaced = append(z.connector.unplaced, b)
		}
	}
}

// placed finds where a process was born and tells of it; false when it has to be looked at
// again, unless that is final.
func (z *Zone) placed(b birth, final bool) bool {
	c, ppid, pid, now := z.connector, b.ppid, b.pid, b.at
	if m := c.members[pid]; m != nil && m.named {
		m.named = false
		return true
	}
	id, proc, sure := z.contractAtBirth(ppid, pid)
	if !sure && !final {
		return false
	}
	p := z.tree.places[id]
	if p == nil {
		return true
	}
	if c.has(id, proc) { // a gate, that was born elsewhere and is moved in by now
		return true
	}
	p.watch.populated = true
	p.watch.last = proc
	if !c.remember(pid, &member{ct: id, proc: proc}) {
		z.lose(p, 1, now)
	}
	parent := table.Proc{Pid: ppid}
	if m := c.members[ppid]; m != nil {
		parent = m.proc
	} else if z.window != nil && z.window.caller.Pid == ppid {
		parent = z.window.caller.Proc
	}
	z.happened(p, table.Fact{Event: contract.Fork, Member: proc, Parent: parent}, now)
	return true
}

// contractAtBirth is the contract that a process was born in, by its cgroup or, when it is
// gone already, by its parent's. That its parent has a window open proves nothing: programs
// have children of their own for other reasons (Go's package os has one to try pidfds), and who
// is born in the window stays a zombie until its parent has named it.
// sure is false where the kernel may not have put it there yet.
func (z *Zone) contractAtBirth(ppid, pid int32) (id contract.ID, proc table.Proc, sure bool) {
	proc = table.Proc{Pid: pid}
	cgroup, err := cgroupOf(pid)
	unplaced := err == nil && cgroup == "/"
	if err == nil && !unplaced {
		if id = z.tree.contractOf(cgroup); id == 0 {
			return 0, proc, true
		}
	} else if m := z.connector.members[ppid]; m != nil {
		id = m.ct
	}
	if id == 0 {
		return 0, proc, !unplaced
	}
	if p, fd, err := identify(pid); err == nil {
		proc = p
		fd.Close()
	}
	return id, proc, !unplaced
}

// threadExited tells of a member's exit when its last thread has ended.
func (z *Zone) threadExited(pid, tgid int32, code uint32, now int64) {
	m := z.connector.members[tgid]
	if m == nil {
		return
	}
	if pid == tgid {
		m.leader, m.code = true, code
	}
	if !m.leader || threadsLeft(tgid, m.proc.Start) {
		return
	}
	if executes(m.proc) {
		m.leader, m.code = false, 0
		return
	}
	if pid != tgid {
		m.code = code // all are ended by one of them, whose code is the group's
	}
	if s, err := readStat(tgid); err == nil && s.hasExit && s.state == 'Z' && s.start == m.proc.Start {
		m.code = s.exitCode
	}
	z.connector.forgetMember(tgid)
	p := z.tree.places[m.ct]
	if p == nil {
		return
	}
	p.watch.last = m.proc
	z.exited(p, table.Fact{Member: m.proc, Pgrp: pgrpOf(m.proc)}, m.code, now)
	if z.connector.perCT[m.ct] == 0 {
		z.look(p, false) // the notice comes later
	}
}

// executes says whether a process whose first thread was told to have ended goes on under its
// number: another thread has executed a program, and the first made place for it.
func executes(p table.Proc) bool {
	s, err := readStat(p.Pid)
	return err == nil && s.start == p.Start && s.state != 'Z' && s.state != 'X'
}

// pgrpOf is the process group of a process that may be a zombie, 0 when it is gone.
func pgrpOf(p table.Proc) int32 {
	s, err := readStat(p.Pid)
	if err != nil || s.start != p.Start {
		return 0
	}
	return s.pgrp
}

// threadsLeft says whether a process whose first thread has ended has others.
func threadsLeft(tgid int32, start uint64) bool {
	dir, err := os.Open("/proc/" + strconv.Itoa(int(tgid)) + "/task")
	if err != nil {
		return false
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(2)
	if len(names) < 2 {
		return false
	}
	s, err := readStat(tgid)
	return err == nil && s.start == start
}
