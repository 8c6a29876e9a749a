package table

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// procKey is a process. Numbers come again, with another start time.
type procKey struct {
	pid   int32
	start uint64
}

func keyOf(p Proc) procKey { return procKey{p.Pid, p.Start} }

// owner is a process of which something is known: it owns contracts or makes one, made one
// that is still visible, or somebody reads its pbundle. That of Pid 0 is the supervisor.
type owner struct {
	proc   Proc
	ct     contract.ID // what it is a member of
	first  *ct         // its contracts, nascent ones too
	last   *ct
	queue  *queue // its pbundle, nil while nobody listens and nothing is kept
	latest *ct
	prev   *owner
	next   *owner
	before *owner // not encoded, as after: the others of ct, see Residents
	after  *owner
	told   bool // not encoded: Work has said to watch it
	inTodo bool // not encoded
	ended  bool // not in the table any more
}

// ownerOf is the process's record, a new one if need be.
func (t *Table) ownerOf(p Proc, home contract.ID) *owner {
	o := t.owners[keyOf(p)]
	if o == nil {
		o = &owner{proc: p, ct: home}
		t.addOwner(o)
		t.todo.watch(o)
	}
	if home != 0 && home != o.ct {
		t.moveOut(o)
		o.ct = home
		t.moveIn(o)
	}
	if o.proc.ZPid == 0 {
		o.proc.ZPid = p.ZPid
	}
	return o
}

func (t *Table) addOwner(o *owner) {
	t.owners[keyOf(o.proc)] = o
	o.prev = t.lastOwn
	if t.lastOwn == nil {
		t.firstOwn = o
	} else {
		t.lastOwn.next = o
	}
	t.lastOwn = o
	t.moveIn(o)
}

// moveIn puts o first among the owners that live in its contract.
func (t *Table) moveIn(o *owner) {
	if o.ct == 0 {
		return
	}
	o.before, o.after = nil, t.residents[o.ct]
	if o.after != nil {
		o.after.before = o
	}
	t.residents[o.ct] = o
}

func (t *Table) moveOut(o *owner) {
	switch {
	case o.ct == 0:
		return
	case o.before != nil:
		o.before.after = o.after
	case o.after != nil:
		t.residents[o.ct] = o.after
	default:
		delete(t.residents, o.ct)
	}
	if o.after != nil {
		o.after.before = o.before
	}
	o.before, o.after = nil, nil
}

// settleOwner forgets a process of which nothing is known any more.
func (t *Table) settleOwner(o *owner) {
	if o.ended || o.first != nil || o.latest != nil {
		return
	}
	if q := o.queue; q != nil && (q.head != nil || len(q.listeners) > 0) {
		return
	}
	t.dropOwner(o)
	t.todo.unwatch(o)
}

func (t *Table) dropOwner(o *owner) {
	o.ended = true
	if o.prev == nil {
		t.firstOwn = o.next
	} else {
		o.prev.next = o.next
	}
	if o.next == nil {
		t.lastOwn = o.prev
	} else {
		o.next.prev = o.prev
	}
	delete(t.owners, keyOf(o.proc))
	t.moveOut(o)
}

// own puts c at the end of what o owns.
func (o *owner) own(c *ct) {
	c.owner = o
	c.sibling = links{prev: o.last}
	if o.last == nil {
		o.first = c
	} else {
		o.last.sibling.next = c
	}
	o.last = c
}

// disown takes c from its owner, who may be forgotten with it.
func (t *Table) disown(c *ct) {
	o := c.owner
	if o == nil {
		return
	}
	unlink(&o.first, &o.last, c)
	c.owner = nil
	t.settleOwner(o)
}

// setLatest makes c what latest of the process is.
func (t *Table) setLatest(o *owner, c *ct) {
	old := o.latest
	o.latest = c
	c.refs++
	if old != nil {
		t.unref(old)
	}
}

// pbundle is the owner's queue.
func (o *owner) pbundle() *queue {
	if o.queue == nil {
		o.queue = &queue{kind: ofOwner}
	}
	return o.queue
}

// ownerExit: each contract is inherited or let go, and readers of the pbundle get EIDRM. The
// cost is that of what the process owned.
func (t *Table) ownerExit(op *Op) Result {
	o := t.owners[keyOf(op.Proc)]
	if o == nil || o.proc.Pid == 0 {
		return failed(unix.ESRCH)
	}
	t.dropOwner(o)
	if op.ProcCT != 0 {
		o.ct = op.ProcCT
	}
	for o.first != nil {
		c := o.first
		if c.state != contract.Nascent {
			t.loseOwner(c, o.ct)
			continue
		}
		unlink(&o.first, &o.last, c)
		c.owner = nil
		t.cancelBirth(c)
	}
	if o.queue != nil {
		t.killQueue(o.queue)
		o.queue = nil
	}
	if c := o.latest; c != nil {
		o.latest = nil
		t.unref(c)
	}
	return Result{}
}

// controls says whether a process, a member of home, may act on c: its owner, or for an
// inherited contract the members of the regent.
func (c *ct) controls(p Proc, home contract.ID) bool {
	switch c.state {
	case contract.Owned:
		return keyOf(c.owner.proc) == keyOf(p)
	case contract.Inherited:
		return c.regent.id == home
	}
	return false
}

// abandon: only its owner abandons a contract (contract_abandon of contract.c).
func (t *Table) abandon(op *Op) Result {
	c := t.seen(op.CT)
	switch {
	case c == nil:
		return failed(unix.ESRCH)
	case c.state != contract.Owned || !c.controls(op.Proc, op.ProcCT):
		return failed(unix.EINVAL)
	}
	t.letGo(c)
	return Result{}
}

// adopt makes a member of the regent the owner. One that came too late, after another member
// of the same contract, gets EBUSY.
func (t *Table) adopt(op *Op) Result {
	c := t.seen(op.CT)
	switch {
	case c == nil:
		return failed(unix.ESRCH)
	case c.state == contract.Owned && !c.controls(op.Proc, op.ProcCT) && op.ProcCT != 0 && c.owner.ct == op.ProcCT:
		return failed(unix.EBUSY)
	case c.state != contract.Inherited || !c.controls(op.Proc, op.ProcCT) || op.Proc.Pid == 0:
		return failed(unix.EINVAL)
	}
	c.regent.drop(c)
	t.step(c, beAdopted)
	o := t.ownerOf(op.Proc, op.ProcCT)
	o.own(c)
	c.ownerUID = op.Cred.UID
	for e := c.events; e != nil; e = e.ctNext {
		if e.pending() {
			t.enqueue(o.pbundle(), e)
		}
	}
	return Result{}
}
