package table

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// read gives as many whole lines as fit. Of a line that is longer than the buffer the handle
// keeps what did not fit, for the next read.
func (t *Table) read(op *Op) Result {
	h, errno := t.events(op.FH)
	if errno != 0 {
		return failed(errno)
	}
	room := int(min(op.Max, ReadBytesMax))
	if room == 0 {
		return Result{}
	}
	var data []byte
	if len(h.rest) > 0 {
		n := min(room, len(h.rest))
		data = append(data, h.rest[:n]...)
		h.rest = h.rest[n:]
		if len(h.rest) == 0 {
			h.rest = nil
		}
	}
	for h.rest == nil && len(data) < room && (h.lost > 0 || h.pos != nil) {
		t.line = t.render(t.line[:0], h)
		n := min(len(t.line), room-len(data))
		if n < len(t.line) && len(data) > 0 {
			break
		}
		data = append(data, t.line[:n]...)
		if n < len(t.line) {
			h.rest = append([]byte(nil), t.line[n:]...)
		}
		if h.lost > 0 {
			h.lost = 0
		} else {
			t.pass(h)
		}
	}
	if data == nil && !h.finished() {
		return failed(unix.EAGAIN)
	}
	return Result{Data: data}
}

// unread says that a read has something to give.
func (h *handle) unread() bool { return h.rest != nil || h.lost > 0 || h.pos != nil }

// finished says that nothing will come any more.
func (h *handle) finished() bool {
	return h.kind == contractHandle && h.ct.state == contract.Dead && !h.unread()
}

// render writes what the handle reads next: how many events it lost, or an event.
func (t *Table) render(dst []byte, h *handle) []byte {
	if h.lost > 0 {
		e := contract.Event{Kind: contract.Lost, Count: h.lost, Time: time.Unix(0, h.lostAt)}
		if h.ct != nil {
			e.CT = h.ct.id
		}
		return contract.AppendEvent(dst, &e, h.host)
	}
	in := h.pos
	e := contract.Event{
		ID: in.id, CT: in.ct.id, Kind: in.kind, Critical: in.critical, Acked: in.acked, Time: time.Unix(0, in.time),
		Pid: in.pid.of(h.host), PPid: in.ppid.of(h.host), Status: in.status, Sig: in.sig, CoreFile: in.core, Count: in.count,
	}
	if in.sender != nil {
		e.Sender = t.senderFor(in.sender, h.host)
	}
	return contract.AppendEvent(dst, &e, h.host)
}

func (p pids) of(host bool) int32 {
	if host {
		return p.host
	}
	return p.zone
}

// senderFor is what a reader is told of a sender: in the zone no more of one outside than
// that it is there.
func (t *Table) senderFor(s *Sender, host bool) contract.Sender {
	out := contract.Sender{Kind: s.Kind}
	switch {
	case s.Kind != contract.FromProcess:
	case host:
		out.Pid, out.CT, out.UID, out.Comm, out.Zone = s.Proc.Pid, s.CT, int64(s.UID), s.Comm, s.Zone
	case s.Outside:
		out.Kind = contract.FromOutside
	default:
		out.Pid, out.CT, out.UID, out.Comm = s.Proc.ZPid, s.CT, t.zoneUID(s.UID), s.Comm
	}
	return out
}

// zoneUID is a user as the zone counts, -1 when it has none there.
func (t *Table) zoneUID(uid uint32) int64 {
	switch {
	case t.cfg.UIDCount == 0:
		return int64(uid)
	case uid >= t.cfg.UIDBase && uid-t.cfg.UIDBase < t.cfg.UIDCount:
		return int64(uid - t.cfg.UIDBase)
	}
	return -1
}
