package table

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// apply is what the model does with an Op.
func (m *model) apply(op *Op) (data string, id contract.ID, errno unix.Errno) {
	switch op.Kind {
	case OpenTemplate, OpenContract, OpenBundle, OpenPBundle:
		errno = m.open(op)
	case Make:
		id, errno = m.make(op)
	case Close, Set, Activate, Born, Cancel:
		id, errno = m.onTemplate(op)
	case Read, Reset, Next, Reliable, CriticalOnly:
		data, errno = m.onEvents(op)
	case Ack, QAck, NAck, Abandon, Adopt:
		errno = m.control(op)
	case Happened:
		errno = m.happened(op)
	case OwnerExit:
		errno = m.ownerExit(op)
	case Killed:
		if c := m.ct(op.CT); c != nil {
			c.kills = slices.DeleteFunc(c.kills, func(k kill) bool { return k.seq <= uint64(op.EV) })
		} else {
			errno = unix.ESRCH
		}
	case Removed:
		errno = m.removed(op)
	}
	return data, id, errno
}

func (m *model) removed(op *Op) unix.Errno {
	c := m.ct(op.CT)
	cancelled := c != nil && c.state == contract.Nascent && c.template == 0
	switch {
	case c == nil:
		return unix.ESRCH
	case c.state != contract.Dead && !cancelled:
		return unix.EINVAL
	}
	c.terms.Aux = "removed" // a mark; nobody sets it
	m.sweep()
	return 0
}

// sweep forgets what has no directory and is not referred to.
func (m *model) sweep() {
	for again := true; again; { // a cancelled one refers to another by its transfer term
		n := len(m.cts)
		m.cts = slices.DeleteFunc(m.cts, func(c *mContract) bool { return c.terms.Aux == "removed" && !m.referred(c.id) })
		again = len(m.cts) < n
	}
}

func (m *model) open(op *Op) unix.Errno {
	h := &mHandle{fh: op.FH, cred: op.Cred, pos: atEnd}
	switch op.Kind {
	case OpenTemplate:
		h.kind, h.terms = templateHandle, contract.DefaultTerms()
	case OpenContract:
		c := m.seen(op.CT)
		if c == nil {
			return unix.ESRCH
		}
		if !m.observes(op.Cred, c) {
			return unix.EACCES
		}
		h.kind, h.ct, h.queue = contractHandle, op.CT, queueOf(op.CT)
	case OpenBundle:
		h.kind, h.queue = bundleHandle, "bundle"
	case OpenPBundle:
		h.kind, h.queue = pbundleHandle, pbundleOf(op.Proc)
	}
	if m.handle(op.FH) != nil {
		return unix.EEXIST
	}
	if len(m.handles) >= int(m.cfg.HandlesMax) {
		return unix.ENFILE
	}
	m.handles = append(m.handles, h)
	if op.Kind == OpenPBundle {
		m.home[keyOf(op.Proc)] = op.ProcCT
	}
	return 0
}

func (m *model) waiting(fh uint64) *mContract {
	for _, c := range m.cts {
		if c.state == contract.Nascent && c.template == fh {
			return c
		}
	}
	return nil
}

func (m *model) onTemplate(op *Op) (contract.ID, unix.Errno) {
	h := m.handle(op.FH)
	if h == nil || op.Kind != Close && h.kind != templateHandle {
		return 0, unix.EBADF
	}
	waits := m.waiting(op.FH)
	switch op.Kind {
	case Close:
		if waits != nil && h.kind == templateHandle {
			waits.template = 0
		}
		m.handles = slices.DeleteFunc(m.handles, func(o *mHandle) bool { return o == h })
		if h.queue != "" {
			m.settle(h.queue)
		}
	case Set:
		return 0, m.set(h, op)
	case Cancel:
		if waits != nil {
			waits.template = 0
		}
		h.made = 0
	case Activate:
		if waits != nil {
			return 0, unix.EBUSY
		}
		if errno := m.add(op, h.terms, op.FH); errno != 0 {
			return 0, errno
		}
		h.made = 0
		return op.CT, 0
	case Born:
		if waits == nil {
			if h.made != 0 {
				return h.made, 0
			}
			return 0, unix.EINVAL
		}
		if keyOf(op.Proc) != keyOf(*waits.owner) {
			owner := op.Proc
			m.seq++
			waits.owner, waits.since = &owner, m.seq
			m.home[keyOf(owner)] = op.ProcCT
		}
		m.bear(waits)
		return waits.id, 0
	}
	return 0, 0
}

func (m *model) add(op *Op, terms contract.Terms, template uint64) unix.Errno {
	if m.ct(op.CT) != nil {
		return unix.EEXIST
	}
	if len(m.cts) >= int(m.cfg.ContractsMax) {
		return unix.EAGAIN
	}
	owner := op.Proc
	m.seq++
	c := &mContract{
		id: op.CT, state: contract.Nascent, terms: terms, author: op.Cred, ownerUID: op.Cred.UID, owner: &owner,
		since: m.seq, from: op.ProcCT, template: template, transfer: terms.Transfer, fmriCT: op.CT,
	}
	if c.terms.FMRI == contract.InheritFMRI {
		c.terms.FMRI, c.fmriCT = "", 0
		if from := m.ct(op.ProcCT); from != nil {
			c.terms.FMRI, c.fmriCT = from.terms.FMRI, from.fmriCT
		}
	}
	m.cts = append(m.cts, c)
	m.home[keyOf(owner)] = op.ProcCT
	return 0
}

func (m *model) make(op *Op) (contract.ID, unix.Errno) {
	if op.Terms.Transfer != 0 && m.seen(op.Terms.Transfer) == nil {
		return 0, unix.ESRCH
	}
	if errno := m.add(op, op.Terms, 0); errno != 0 {
		return 0, errno
	}
	m.bear(m.ct(op.CT))
	return op.CT, 0
}

// set knows the rules bit by bit.
func (m *model) set(h *mHandle, op *Op) unix.Errno {
	terms := h.terms
	for line := range strings.Lines(string(op.Text)) {
		key, v, err := contract.ParseTermLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return unix.EINVAL
		}
		if key == contract.TermTransfer {
			id := contract.ID(v.Number)
			c := m.seen(id)
			switch {
			case id != 0 && c == nil:
				return unix.ESRCH
			case id != 0 && (c.state != contract.Owned || keyOf(*c.owner) != keyOf(op.Proc)):
				return unix.EACCES
			case id != 0 && (!c.empty || m.expects(id)):
				return unix.ENOTEMPTY
			}
		}
		if key == contract.TermFMRI && !op.Cred.Privileged {
			return unix.EPERM
		}
		before := terms
		if err := contract.ParseTerm(&terms, strings.TrimSuffix(line, "\n")); err != nil {
			return unix.EINVAL
		}
		for bit := contract.Events(1); bit < contract.AllEvents && !op.Cred.Privileged; bit <<= 1 {
			free := bit == contract.Empty || terms.Fatal&bit != 0 && terms.Params&contract.PgrpOnly == 0
			if terms.Critical&bit == 0 || free {
				continue
			}
			switch key {
			case contract.TermCritical:
				if before.Critical&bit == 0 {
					return unix.EPERM
				}
			case contract.TermFatal:
				terms.Critical &^= bit
				terms.Informative |= bit
			case contract.TermParams:
				if terms.Params&contract.PgrpOnly != 0 {
					terms.Critical &^= bit
					terms.Informative |= bit
				}
			}
		}
	}
	h.terms = terms
	m.sweep()
	return 0
}

func (m *model) onEvents(op *Op) (string, unix.Errno) {
	h := m.handle(op.FH)
	switch {
	case h == nil || h.kind == templateHandle:
		return "", unix.EBADF
	case h.queue == "":
		return "", unix.EIDRM
	}
	defer m.settle(h.queue)
	switch op.Kind {
	case Read:
		return m.read(h, int(op.Max))
	case Reset:
		h.rest = ""
		m.seek(h, 0)
	case Next:
		switch {
		case h.rest != "":
			h.rest = ""
		case h.pos == atEnd:
			return "", unix.EAGAIN
		default:
			m.seek(h, h.pos+1)
		}
	case Reliable:
		if !op.Cred.Privileged {
			return "", unix.EPERM
		}
		h.reliable = true
	case CriticalOnly:
		h.critical = true
		if h.pos != atEnd {
			m.seek(h, h.pos)
		}
	}
	return "", 0
}

func (m *model) control(op *Op) unix.Errno {
	c := m.seen(op.CT)
	if c == nil {
		return unix.ESRCH
	}
	controls := c.controls(op.Proc, op.ProcCT)
	switch op.Kind {
	case Abandon:
		if c.state != contract.Owned || !controls {
			return unix.EINVAL
		}
		m.letGo(c)
	case Adopt:
		if c.state == contract.Owned && !controls && op.ProcCT != 0 && m.home[keyOf(*c.owner)] == op.ProcCT {
			return unix.EBUSY
		}
		if c.state != contract.Inherited || !controls {
			return unix.EINVAL
		}
		owner := op.Proc
		m.seq++
		c.state, c.regent, c.owner, c.ownerUID, c.since = contract.Owned, 0, &owner, op.Cred.UID, m.seq
		m.home[keyOf(owner)] = op.ProcCT
		for _, e := range m.pendingOf(c.id) {
			m.enqueue(pbundleOf(owner), e)
		}
	default:
		if c.state == contract.Dead {
			return unix.ESRCH
		}
		if !controls {
			return unix.EACCES
		}
		for _, e := range m.pendingOf(c.id) {
			if e.id != op.EV {
				continue
			}
			switch op.Kind {
			case Ack:
				m.acknowledge(e)
				return 0
			case QAck:
				return unix.ERANGE
			}
		}
		return unix.ESRCH
	}
	return 0
}

func (m *model) happened(op *Op) unix.Errno {
	f := op.Fact
	if op.EV <= m.lastEV {
		return unix.EINVAL
	}
	m.lastEV = op.EV
	c := m.ct(op.CT)
	if c == nil {
		return unix.ESRCH
	}
	if c.state == contract.Nascent {
		if f.Event == contract.Empty || f.Event == contract.Lost {
			c.lost += f.Count
			return 0
		}
		m.bear(c)
	}
	if c.state == contract.Dead || f.Event == contract.Empty && c.empty || f.Event == contract.Signal && f.Sender.CT == c.id {
		return 0
	}
	c.lost += f.Count
	critical := c.terms.Critical&f.Event != 0
	if critical || c.terms.Informative&f.Event != 0 || f.Event >= contract.Lost {
		e := &mEvent{id: op.EV, ct: c.id, fact: f, critical: critical, acked: critical && c.state == contract.Orphan, time: op.Now}
		m.enqueue(queueOf(c.id), e)
		m.enqueue("bundle", e)
		if c.owner != nil {
			m.enqueue(pbundleOf(*c.owner), e)
		}
	}
	if f.Event == contract.Empty {
		c.empty, c.kills = true, nil
		if c.state == contract.Orphan {
			m.letGo(c)
		}
		return 0
	}
	if c.terms.Fatal&f.Event == 0 || c.empty {
		return 0
	}
	k := kill{except: f.Member, checked: f.Event != contract.Hwerr}
	if c.terms.Params&contract.PgrpOnly != 0 {
		if k.pgrp = f.Pgrp; k.pgrp == 0 {
			return 0
		}
	}
	m.kill(c, k)
	return 0
}

// known says whether anything is known of a process.
// expects says whether a contract may still inherit what one of its members owns or makes.
func (m *model) expects(id contract.ID) bool {
	for _, c := range m.cts {
		if c.state == contract.Nascent && c.from == id {
			return true
		}
		if (c.state == contract.Nascent || c.state == contract.Owned) && c.owner != nil && m.home[keyOf(*c.owner)] == id {
			return true
		}
	}
	return false
}

func (m *model) known(p Proc) bool {
	_, made := m.latest[keyOf(p)]
	if made && !m.ended[keyOf(p)] || len(m.owned(p)) > 0 || len(m.readers(pbundleOf(p))) > 0 {
		return true
	}
	for _, entry := range m.queue(pbundleOf(p)).entries {
		if entry.live {
			return true
		}
	}
	return false
}

func (m *model) ownerExit(op *Op) unix.Errno {
	if !m.known(op.Proc) {
		return unix.ESRCH
	}
	for _, c := range m.owned(op.Proc) {
		if c.state == contract.Nascent {
			c.owner, c.template = nil, 0
		} else if c.owner != nil {
			m.loseOwner(c, op.ProcCT)
		}
	}
	name := pbundleOf(op.Proc)
	for _, h := range m.readers(name) {
		h.queue, h.pos, h.rest, h.lost = "", atEnd, "", 0
	}
	delete(m.queues, name)
	m.ended[keyOf(op.Proc)] = true
	m.sweep()
	return 0
}

// read gives whole lines, or a piece of the first.
func (m *model) read(h *mHandle, room int) (string, unix.Errno) {
	if room == 0 {
		return "", 0
	}
	out := h.rest[:min(room, len(h.rest))]
	h.rest = h.rest[len(out):]
	for h.rest == "" && len(out) < room && m.unread(h) {
		line := fmt.Sprintf("%d 0 info noack process lost count=%d time=%d.%09d\n", h.ct, h.lost, h.lostAt/1e9, h.lostAt%1e9)
		if h.lost == 0 {
			line = m.queue(h.queue).entries[h.pos].e.line()
		}
		if len(out) > 0 && len(out)+len(line) > room {
			break
		}
		n := min(room, len(out)+len(line)) - len(out)
		out, h.rest = out+line[:n], line[n:]
		if h.lost > 0 {
			h.lost = 0
			continue
		}
		m.seek(h, h.pos+1)
		m.settle(h.queue)
	}
	if out == "" && !m.finished(h) {
		return "", unix.EAGAIN
	}
	return out, 0
}
