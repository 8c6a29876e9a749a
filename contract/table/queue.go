package table

// A queue keeps what its readers have not read, and what an owner must acknowledge.
//
//	head ............ keep ................ tail
//	 only pending      everything, for the
//	 events            readers that are here
//
// Readers stand at the event that they read next, or at the end. keep is the first event that
// somebody stands at; when the last one there goes on, keep follows, and on its way what need
// not be acknowledged is dropped: each event is passed once. A reader that is reset stands
// before keep (old counts them). As long as one does, nothing is dropped; what is
// acknowledged there meanwhile (late counts it) goes when the last of them has passed keep.
// What is not pending is soft. Soft events are in a list of their own, in the order in which
// they became so, from whose front they go when there are too many: then their readers lose
// them, and are told.
type queue struct {
	kind      queueKind
	head      *event
	tail      *event
	keep      *event // nil: the end
	softHead  *event
	softTail  *event
	soft      uint32
	late      uint32
	old       uint32
	reliable  uint32 // listeners that are
	seq       uint64 // of the last event
	listeners []*handle
}

// place is an event's in one queue.
type place struct {
	queue    *queue // nil: in none
	prev     *event
	next     *event
	softPrev *event
	softNext *event
	seq      uint64
	refs     uint32 // readers that stand here
	soft     bool
}

// before says whether e stands before keep.
func (q *queue) before(e *event) bool {
	return q.keep == nil || e.at[q.kind].seq < q.keep.at[q.kind].seq
}

// enqueue appends e, if it must be kept or somebody wants it, and wakes who waited for it.
func (t *Table) enqueue(q *queue, e *event) {
	wanted := e.pending()
	for _, h := range q.listeners {
		if wanted {
			break
		}
		wanted = h.wants(e)
	}
	if !wanted {
		return
	}
	if !e.pending() {
		t.makeRoom(q)
	}
	q.append(e)
	if !e.pending() {
		t.addSoft(q, e)
	}
	for _, h := range q.listeners {
		if h.pos == nil && h.wants(e) {
			q.stand(h, e)
			t.todo.wake(h)
		}
	}
	t.trim(q)
}

func (q *queue) append(e *event) {
	q.seq++
	e.queues++
	e.at[q.kind] = place{queue: q, prev: q.tail, seq: q.seq}
	if q.tail == nil {
		q.head = e
	} else {
		q.tail.at[q.kind].next = e
	}
	q.tail = e
	if q.keep == nil {
		q.keep = e
	}
}

// stand moves a reader to e, or to the end.
func (q *queue) stand(h *handle, e *event) {
	if h.pos != nil {
		h.pos.at[q.kind].refs--
		if q.before(h.pos) {
			q.old--
		}
	}
	h.pos = e
	if e != nil {
		e.at[q.kind].refs++
		if q.before(e) {
			q.old++
		}
	}
}

// seek moves a reader to the first event from e on that it wants.
func (q *queue) seek(h *handle, e *event) {
	for e != nil && !h.wants(e) {
		e = e.at[q.kind].next
	}
	q.stand(h, e)
}

// trim drops what nobody waits for.
func (t *Table) trim(q *queue) {
	if q.old > 0 {
		return
	}
	for e := q.softHead; e != nil && q.late > 0; {
		next := e.at[q.kind].softNext
		if q.before(e) {
			t.take(q, e)
		}
		e = next
	}
	for q.keep != nil && q.keep.at[q.kind].refs == 0 {
		e := q.keep
		q.keep = e.at[q.kind].next
		if e.at[q.kind].soft {
			q.late++ // it stands before keep now
			t.take(q, e)
		}
	}
}

// take takes e, which no reader stands at, out of the queue.
func (t *Table) take(q *queue, e *event) {
	p := &e.at[q.kind]
	if p.soft {
		t.dropSoft(q, e)
	}
	if q.keep == e {
		q.keep = p.next
	}
	if p.prev == nil {
		q.head = p.next
	} else {
		p.prev.at[q.kind].next = p.next
	}
	if p.next == nil {
		q.tail = p.prev
	} else {
		p.next.at[q.kind].prev = p.prev
	}
	*p = place{}
	if q.head == nil && q.kind == ofContract {
		t.settleQueue(e.ct)
	}
	t.release(e)
}

func (t *Table) addSoft(q *queue, e *event) {
	p := &e.at[q.kind]
	p.soft, p.softPrev = true, q.softTail
	if q.softTail == nil {
		q.softHead = e
	} else {
		q.softTail.at[q.kind].softNext = e
	}
	q.softTail = e
	q.soft++
	t.soft++
	if q.before(e) {
		q.late++
	}
}

func (t *Table) dropSoft(q *queue, e *event) {
	p := &e.at[q.kind]
	if p.softPrev == nil {
		q.softHead = p.softNext
	} else {
		p.softPrev.at[q.kind].softNext = p.softNext
	}
	if p.softNext == nil {
		q.softTail = p.softPrev
	} else {
		p.softNext.at[q.kind].softPrev = p.softPrev
	}
	q.soft--
	t.soft--
	if q.before(e) {
		q.late--
	}
}

// soften is what becomes of e when it need not be acknowledged any more. Readers that skip
// such events go on.
func (t *Table) soften(q *queue, e *event) {
	if q.old == 0 && q.before(e) {
		t.take(q, e)
		return
	}
	t.makeRoom(q)
	t.addSoft(q, e)
	if e.at[q.kind].refs > 0 {
		for _, h := range q.listeners {
			if h.pos == e && !h.wants(e) {
				q.seek(h, e)
			}
		}
	}
	t.trim(q)
}

// makeRoom drops the oldest soft event when there are too many, and counts it for each reader
// that has not read it.
func (t *Table) makeRoom(q *queue) {
	most := t.cfg.QueueMax
	if q.reliable > 0 {
		most = ReliableMax
	}
	if q.soft == 0 || q.soft < most && t.soft < EventsMax {
		return
	}
	e := q.softHead
	q.miss(e)
	t.take(q, e)
	t.trim(q)
}

// miss counts e, which goes, for each reader that has not read it.
func (q *queue) miss(e *event) {
	seq := e.at[q.kind].seq
	for _, h := range q.listeners {
		if h.pos == nil || h.pos.at[q.kind].seq > seq || !h.wants(e) {
			continue
		}
		h.lost++
		h.lostAt = e.time
		if h.pos == e {
			q.seek(h, e.at[q.kind].next)
		}
	}
}

// leave takes a contract's events out of a queue that is none of theirs any more, but for
// those that a reader stands at, and those that a reliable one may still come to. An owner has
// let go of the contract. Readers of the bundle have not: what they are about to come to stays,
// unless it is much, and of what goes they are told how many.
func (t *Table) leave(c *ct, q *queue) {
	for e := c.events; e != nil; {
		next := e.ctNext
		stays := q.reliable > 0 || q.kind == ofBundle && q.soft <= t.recent()
		if p := &e.at[q.kind]; p.queue == q && p.refs == 0 && (q.before(e) || !stays) {
			if q.kind == ofBundle {
				q.miss(e)
			}
			t.take(q, e)
		}
		e = next
	}
	t.trim(q)
}

// recent is up to how many events in the bundle those of dead contracts stay there for readers
// that are behind. Each may keep a contract's number, and who is not reliable need not be
// privileged, so that it is little of all contracts that there may be.
func (t *Table) recent() uint32 { return min(t.cfg.ContractsMax/64, recentMax) }

// killQueue empties the queue of an owner that has died, and tells its readers.
func (t *Table) killQueue(q *queue) {
	for _, h := range q.listeners {
		q.stand(h, nil)
		h.queue, h.rest, h.lost = nil, nil, 0
		t.todo.wake(h)
	}
	q.listeners = nil
	for q.head != nil {
		t.take(q, q.head)
	}
}
