package table

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// ct is a contract.
type ct struct {
	id         contract.ID
	state      contract.State
	empty      bool // the last member has left; never false again
	removed    bool // the directory is gone
	inInterest bool // not encoded, as are the next two: what it has in todo
	inKills    bool
	inGone     bool
	fmriCT     contract.ID
	terms      contract.Terms
	author     Cred
	ownerUID   uint32 // of Owned ones
	refs       uint32 // what keeps the id besides events: handles, latest, transfer terms
	unacked    uint32 // critical events that nobody acknowledged
	lost       uint64
	creator    string
	born       int64
	initial    Proc  // the first member; none when it is not known
	last       Proc  // who was told to have ended last
	event      int64 // when the last event was
	birth      *birth
	owner      *owner // whose it is or, of a nascent one, who makes it
	regent     *ct
	queue      *queue // nil while nobody listens and nothing is kept
	events     *event // all that are in some queue, oldest first
	lastEvent  *event
	kills      []kill
	firstChild *ct // what it inherited
	lastChild  *ct
	sibling    links // in the owner's list or the regent's
	all        links
}

type links struct{ prev, next *ct }

// birth is what a nascent contract has more.
type birth struct {
	template *handle // nil: it was cancelled, and what is born all the same has no maker
	from     contract.ID
	transfer *ct
}

// verb is a step of a contract's life.
type verb uint8

const (
	beBorn     verb = iota // the first member is there
	beAdopted              // a member of the regent takes it
	beInherit              // the owner died, and its own contract takes it
	beOrphaned             // nobody holds it, and it has members
	beEnded                // nobody holds it, and it has none
	verbCount
)

// no: the step can not be taken from this state.
const no = contract.State(0xff)

// lives is 2.4 of the reference: the state that follows.
//
//	nascent    owned by its maker from its first member on
//	owned      by a process, also when it is empty
//	inherited  held by the regent contract of the process that owned it
//	orphan     has members and no holder
//	dead       visible while something refers to it
var lives = [...][verbCount]contract.State{
	//                   beBorn          beAdopted       beInherit           beOrphaned       beEnded
	contract.Nascent:   {contract.Owned, no, no, no, no},
	contract.Owned:     {no, no, contract.Inherited, contract.Orphan, contract.Dead},
	contract.Inherited: {no, contract.Owned, no, contract.Orphan, contract.Dead},
	contract.Orphan:    {no, no, no, no, contract.Dead},
	contract.Dead:      {no, no, no, no, no},
}

// step takes c to its next state; false, and nothing done, when there is none.
func (t *Table) step(c *ct, v verb) bool {
	next := lives[c.state][v]
	if next == no {
		return false
	}
	c.state = next
	return true
}

// add makes a nascent contract of terms, unless there is no place or it is there.
func (t *Table) add(op *Op, terms contract.Terms) (*ct, unix.Errno) {
	room := t.cfg.ContractsMax
	if !op.Cred.Privileged {
		room -= reserved(room)
	}
	switch {
	case op.CT == 0 || op.CT > idMax:
		return nil, unix.EINVAL
	case t.contracts[op.CT] != nil:
		return nil, unix.EEXIST
	case uint32(len(t.contracts)) >= room:
		return nil, unix.EAGAIN
	}
	c := &ct{id: op.CT, terms: terms, author: op.Cred, ownerUID: op.Cred.UID, creator: op.Comm, birth: &birth{from: op.ProcCT}}
	t.resolveFMRI(c)
	t.contracts[c.id] = c
	t.link(c)
	if s := t.contracts[terms.Transfer]; s != nil {
		c.birth.transfer = s
		s.refs++
	}
	t.todo.interest(c)
	return c, 0
}

// resolveFMRI gives a contract its service: its maker's contract's, or its own.
func (t *Table) resolveFMRI(c *ct) {
	if c.terms.FMRI != contract.InheritFMRI {
		c.fmriCT = c.id
		return
	}
	c.terms.FMRI = ""
	if from := t.contracts[c.birth.from]; from != nil {
		c.terms.FMRI, c.fmriCT = from.terms.FMRI, from.fmriCT
	}
}

func (t *Table) link(c *ct) {
	c.all.prev = t.last
	if t.last == nil {
		t.first = c
	} else {
		t.last.all.next = c
	}
	t.last = c
}

// bear makes a nascent contract its maker's, and takes over what its transfer term says.
func (t *Table) bear(c *ct, now int64, initial Proc) {
	t.step(c, beBorn)
	c.initial = initial
	b := c.birth
	c.birth, c.born, c.terms.Transfer = nil, now, 0
	if b.template != nil {
		b.template.nascent, b.template.made = nil, c.id
	}
	if c.owner != nil && c.owner.proc.Pid != 0 {
		t.setLatest(c.owner, c)
	}
	t.takeOver(c, b.transfer)
	t.todo.interest(c)
	if c.owner == nil { // its maker died before anybody saw the first member
		t.loseOwner(c, b.from)
	}
}

// takeOver moves what s inherited to c and abandons s, if both are of one owner
// (contract_process_create of process.c: otherwise there could be circles).
func (t *Table) takeOver(c, s *ct) {
	if s == nil {
		return
	}
	if s.state == contract.Owned && s.owner == c.owner && c.owner != nil && s != c {
		for s.firstChild != nil {
			child := s.firstChild
			s.drop(child)
			c.take(child)
		}
		t.letGo(s)
	}
	t.unref(s)
}

func (c *ct) take(child *ct) {
	child.regent = c
	child.sibling = links{prev: c.lastChild}
	if c.lastChild == nil {
		c.firstChild = child
	} else {
		c.lastChild.sibling.next = child
	}
	c.lastChild = child
}

func (c *ct) drop(child *ct) {
	unlink(&c.firstChild, &c.lastChild, child)
	child.regent = nil
}

// unlink takes c out of the list of siblings it is in.
func unlink(first, last **ct, c *ct) {
	if c.sibling.prev == nil {
		*first = c.sibling.next
	} else {
		c.sibling.prev.sibling.next = c.sibling.next
	}
	if c.sibling.next == nil {
		*last = c.sibling.prev
	} else {
		c.sibling.next.sibling.prev = c.sibling.prev
	}
	c.sibling = links{}
}

// loseOwner is what becomes of a contract whose owner, a member of home, died.
func (t *Table) loseOwner(c *ct, home contract.ID) {
	regent := t.contracts[home]
	if c.terms.Params&contract.Inherit == 0 || regent == nil || regent == c || !regent.canInherit() {
		t.letGo(c)
		return
	}
	t.detach(c)
	t.step(c, beInherit)
	regent.take(c)
}

// canInherit: an empty regent may, it is alive as long as somebody holds it.
func (c *ct) canInherit() bool {
	return c.terms.Params&contract.Regent != 0 && c.state != contract.Nascent && c.state != contract.Dead
}

// letGo is what becomes of a contract that nobody holds: an orphan while it has members, else
// it is dead, and what it inherited goes the same way. A chain of regents can be as long as
// there are contracts, so that this is a loop.
func (t *Table) letGo(c *ct) {
	going := []*ct{c}
	for i := 0; i < len(going); i++ {
		c := going[i]
		owner := c.owner
		t.detach(c)
		if !c.empty {
			t.orphan(c)
		} else {
			for c.firstChild != nil {
				child := c.firstChild
				c.drop(child)
				going = append(going, child)
			}
			t.end(c)
		}
		if owner != nil {
			t.settleOwner(owner)
		}
	}
}

// detach takes a contract from its owner, if it has one.
func (t *Table) detach(c *ct) {
	if c.owner == nil {
		return
	}
	if q := c.owner.queue; q != nil {
		t.leave(c, q)
	}
	unlink(&c.owner.first, &c.owner.last, c)
	c.owner = nil
}

// orphan: NOORPHAN kills whom the author may kill, whatever process group they are in.
func (t *Table) orphan(c *ct) {
	if c.terms.Params&contract.NoOrphan != 0 {
		t.kill(c, kill{checked: true})
	}
	t.step(c, beOrphaned)
	t.ackAll(c)
}

func (t *Table) end(c *ct) {
	t.step(c, beEnded)
	c.kills = nil
	t.ackAll(c)
	t.leave(c, &t.bundle)
	if c.queue != nil {
		for _, h := range c.queue.listeners { // who has read all is at the end of the file
			t.todo.wake(h)
		}
	}
	t.todo.interest(c)
	t.todo.gone(c)
	t.settle(c)
}

// referred says whether something keeps the id of a dead contract alive.
func (c *ct) referred() bool { return c.refs > 0 || c.events != nil }

// cancelled says that the birth that c waited for will not be.
func (c *ct) cancelled() bool { return c.state == contract.Nascent && c.birth.template == nil }

// settle forgets a contract that is no more: dead or cancelled, without its directory, and
// referred to by nothing.
func (t *Table) settle(c *ct) {
	if !c.removed || c.referred() || c.state != contract.Dead && !c.cancelled() {
		return
	}
	if c.cancelled() {
		t.disown(c)
	}
	if c.all.prev == nil {
		t.first = c.all.next
	} else {
		c.all.prev.all.next = c.all.next
	}
	if c.all.next == nil {
		t.last = c.all.prev
	} else {
		c.all.next.all.prev = c.all.prev
	}
	delete(t.contracts, c.id)
}

// unref gives back a reference to the id.
func (t *Table) unref(c *ct) {
	c.refs--
	t.settle(c)
}

func (t *Table) removed(op *Op) Result {
	c := t.contracts[op.CT]
	switch {
	case c == nil:
		return failed(unix.ESRCH)
	case c.cancelled():
		if s := c.birth.transfer; s != nil {
			c.birth.transfer = nil
			t.unref(s)
		}
	case c.state != contract.Dead:
		return failed(unix.EINVAL)
	}
	c.removed = true
	t.settle(c)
	return Result{}
}
