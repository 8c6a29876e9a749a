package table

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// handleKind says what a handle is of.
type handleKind uint8

const (
	templateHandle handleKind = iota + 1
	contractHandle
	bundleHandle
	pbundleHandle
)

// handle is an open template or events file.
type handle struct {
	fh   uint64
	kind handleKind
	cred Cred
	prev *handle // in the order in which they were opened
	next *handle

	// Of a template.
	terms    contract.Terms
	transfer *ct // that of terms
	nascent  *ct
	made     contract.ID // what the last activation became

	// Of events.
	queue    *queue // nil: the pbundle of a process that has ended
	owner    *owner // of a pbundle
	ct       *ct    // of a contract's events
	pos      *event // what it reads next, nil: what comes
	rest     []byte // of a line that it has read a part of
	lost     uint64 // events that were dropped before it read them, not yet told
	lostAt   int64  // the time of the last of them
	host     bool
	critical bool // only what is critical and not acknowledged
	reliable bool
	woken    bool // not encoded: it is in todo
	closed   bool
}

// open makes a handle.
func (t *Table) open(op *Op, kind handleKind) (*handle, unix.Errno) {
	room := t.cfg.HandlesMax
	if !op.Cred.Privileged {
		room -= reserved(room)
	}
	switch {
	case t.handles[op.FH] != nil:
		return nil, unix.EEXIST
	case uint32(len(t.handles)) >= room:
		return nil, unix.ENFILE
	}
	h := &handle{fh: op.FH, kind: kind, cred: op.Cred, host: op.Host}
	t.addHandle(h)
	return h, 0
}

func (t *Table) addHandle(h *handle) {
	t.handles[h.fh] = h
	h.prev = t.lastOpen
	if t.lastOpen == nil {
		t.firstOpen = h
	} else {
		t.lastOpen.next = h
	}
	t.lastOpen = h
}

// listen attaches a handle to a queue, at its end.
func (h *handle) listen(q *queue) {
	h.queue = q
	q.listeners = append(q.listeners, h)
}

// openContract: the events of a contract are its owner's and author's, and the privileged's.
func (t *Table) openContract(op *Op) Result {
	c := t.seen(op.CT)
	switch {
	case c == nil:
		return failed(unix.ESRCH)
	case !c.observed(op.Cred):
		return failed(unix.EACCES)
	}
	h, errno := t.open(op, contractHandle)
	if errno != 0 {
		return failed(errno)
	}
	if c.queue == nil {
		c.queue = &queue{kind: ofContract}
	}
	h.ct = c
	c.refs++
	h.listen(c.queue)
	return Result{}
}

func (t *Table) openBundle(op *Op) Result {
	h, errno := t.open(op, bundleHandle)
	if errno != 0 {
		return failed(errno)
	}
	h.listen(&t.bundle)
	return Result{}
}

func (t *Table) openPBundle(op *Op) Result {
	if op.Proc.Pid <= 0 {
		return failed(unix.EINVAL)
	}
	h, errno := t.open(op, pbundleHandle)
	if errno != 0 {
		return failed(errno)
	}
	h.owner = t.ownerOf(op.Proc, op.ProcCT)
	h.listen(h.owner.pbundle())
	return Result{}
}

// observed says whether one with cred may see c's events.
func (c *ct) observed(cred Cred) bool {
	return cred.Privileged || cred.UID == c.author.UID || c.state == contract.Owned && cred.UID == c.ownerUID
}

// wants says whether a reader is given an event, or passes it over.
func (h *handle) wants(e *event) bool {
	if h.critical && !e.pending() {
		return false
	}
	return h.kind != bundleHandle || e.ct.observed(h.cred)
}

// close: a nascent contract of a template is cancelled.
func (t *Table) close(op *Op) Result {
	h := t.handles[op.FH]
	if h == nil {
		return failed(unix.EBADF)
	}
	delete(t.handles, h.fh)
	if h.prev == nil {
		t.firstOpen = h.next
	} else {
		h.prev.next = h.next
	}
	if h.next == nil {
		t.lastOpen = h.prev
	} else {
		h.next.prev = h.prev
	}
	h.closed = true
	if h.nascent != nil {
		t.cancelBirth(h.nascent)
	}
	if h.transfer != nil {
		t.unref(h.transfer)
	}
	if h.queue != nil {
		t.hush(h)
	}
	return Result{}
}

// hush takes a reader from its queue.
func (t *Table) hush(h *handle) {
	q := h.queue
	q.stand(h, nil)
	if i := slices.Index(q.listeners, h); i >= 0 {
		q.listeners = slices.Delete(q.listeners, i, i+1)
	}
	if h.reliable {
		q.reliable--
	}
	h.queue = nil
	t.trim(q)
	switch h.kind {
	case contractHandle:
		t.settleQueue(h.ct)
		t.unref(h.ct)
	case pbundleHandle:
		t.settleOwner(h.owner)
	}
}

// events is the handle of events with number fh.
func (t *Table) events(fh uint64) (*handle, unix.Errno) {
	h := t.handles[fh]
	switch {
	case h == nil || h.kind == templateHandle:
		return nil, unix.EBADF
	case h.queue == nil:
		return nil, unix.EIDRM
	}
	return h, 0
}

// reset goes to the oldest event that is kept.
func (t *Table) reset(op *Op) Result {
	h, errno := t.events(op.FH)
	if errno != 0 {
		return failed(errno)
	}
	h.rest = nil
	h.queue.seek(h, h.queue.head)
	t.trim(h.queue)
	if h.pos != nil {
		t.todo.wake(h)
	}
	return Result{}
}

// next passes over the event that would be read next, or the rest of the one that was begun.
func (t *Table) next(op *Op) Result {
	h, errno := t.events(op.FH)
	switch {
	case errno != 0:
		return failed(errno)
	case h.rest != nil:
		h.rest = nil
	case h.pos != nil:
		t.pass(h)
	default:
		return failed(unix.EAGAIN)
	}
	return Result{}
}

// pass moves a reader over the event it stands at.
func (t *Table) pass(h *handle) {
	h.queue.seek(h, h.pos.at[h.queue.kind].next)
	t.trim(h.queue)
}

// reliable needs contract_event.
func (t *Table) reliable(op *Op) Result {
	h, errno := t.events(op.FH)
	switch {
	case errno != 0:
		return failed(errno)
	case !op.Cred.Privileged:
		return failed(unix.EPERM)
	}
	if !h.reliable {
		h.reliable = true
		h.queue.reliable++
	}
	return Result{}
}

func (t *Table) criticalOnly(op *Op) Result {
	h, errno := t.events(op.FH)
	if errno != 0 {
		return failed(errno)
	}
	h.critical = true
	h.queue.seek(h, h.pos)
	t.trim(h.queue)
	return Result{}
}
