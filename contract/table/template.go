package table

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// openTemplate: the terms are the default ones, whatever other templates there are.
func (t *Table) openTemplate(op *Op) Result {
	h, errno := t.open(op, templateHandle)
	if errno != 0 {
		return failed(errno)
	}
	h.terms = contract.DefaultTerms()
	return Result{}
}

func (t *Table) template(fh uint64) *handle {
	if h := t.handles[fh]; h != nil && h.kind == templateHandle {
		return h
	}
	return nil
}

// set changes terms, a line each, all or none.
func (t *Table) set(op *Op) Result {
	h := t.template(op.FH)
	if h == nil {
		return failed(unix.EBADF)
	}
	terms, lines := h.terms, 0
	for line := range strings.Lines(string(op.Text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		lines++
		key, v, err := contract.ParseTermLine(line)
		if err != nil {
			return failed(unix.EINVAL)
		}
		if errno := t.setTerm(&terms, key, v, op); errno != 0 {
			return failed(errno)
		}
	}
	if lines == 0 {
		return failed(unix.EINVAL)
	}
	t.keepTransfer(h, terms.Transfer)
	h.terms = terms
	return Result{}
}

// keepTransfer has the template refer to the contract of its transfer term.
func (t *Table) keepTransfer(h *handle, id contract.ID) {
	old := h.transfer
	h.transfer = nil
	if id != 0 {
		h.transfer = t.contracts[id]
		h.transfer.refs++
	}
	if old != nil {
		t.unref(old)
	}
}

// activate makes a nascent contract of the template's terms: the next process that is born
// into it is its first member. A template waits for one birth at a time: EBUSY.
func (t *Table) activate(op *Op) Result {
	h := t.template(op.FH)
	switch {
	case h == nil:
		return failed(unix.EBADF)
	case op.Proc.Pid <= 0:
		return failed(unix.EINVAL)
	case h.nascent != nil:
		return failed(unix.EBUSY)
	}
	c, errno := t.add(op, h.terms)
	if errno != 0 {
		return failed(errno)
	}
	c.birth.template = h
	h.nascent, h.made = c, 0
	t.ownerOf(op.Proc, op.ProcCT).own(c)
	return Result{CT: c.id}
}

// born says that the nascent contract has its first member. Told a second time, as by a fact
// and then by the maker, it is the same birth. A Proc of Pid 0 is who activated.
func (t *Table) born(op *Op) Result {
	h := t.template(op.FH)
	switch {
	case h == nil:
		return failed(unix.EBADF)
	case h.nascent == nil && h.made != 0:
		return Result{CT: h.made}
	case h.nascent == nil:
		return failed(unix.EINVAL)
	}
	c := h.nascent
	if op.Proc.Pid > 0 && keyOf(op.Proc) != keyOf(c.owner.proc) {
		before := c.owner
		unlink(&before.first, &before.last, c)
		t.ownerOf(op.Proc, op.ProcCT).own(c)
		t.settleOwner(before)
	}
	t.bear(c, op.Now, op.Fact.Member)
	return Result{CT: c.id}
}

// cancel takes the template back; nothing to take back is no mistake (ct_tmpl_clear).
func (t *Table) cancel(op *Op) Result {
	h := t.template(op.FH)
	if h == nil {
		return failed(unix.EBADF)
	}
	if h.nascent != nil {
		t.cancelBirth(h.nascent)
	}
	h.made = 0
	return Result{}
}

// cancelBirth has the directory of a contract that waits for its first member removed. Until
// that is done a member may turn up, born just before.
func (t *Table) cancelBirth(c *ct) {
	if h := c.birth.template; h != nil {
		h.nascent = nil
		c.birth.template = nil
	}
	t.todo.gone(c)
}

// makeContract makes a contract for the supervisor, which is not asked what it may.
func (t *Table) makeContract(op *Op) Result {
	if op.Proc.Pid < 0 || !validTerms(&op.Terms) {
		return failed(unix.EINVAL)
	}
	if op.Terms.Transfer != 0 && t.seen(op.Terms.Transfer) == nil {
		return failed(unix.ESRCH)
	}
	c, errno := t.add(op, op.Terms)
	if errno != 0 {
		return failed(errno)
	}
	t.ownerOf(op.Proc, op.ProcCT).own(c)
	t.bear(c, op.Now, op.Fact.Member)
	return Result{CT: c.id}
}

// excess are the events of a set that need a privilege to be critical: an owner without one
// may only hold on to what ends the contract anyway, so that it can not keep events of
// processes that run on, and to EMPTY (process(4), ctmpl_process_set of process.c).
func excess(terms *contract.Terms, e contract.Events) contract.Events {
	return e &^ safe(terms)
}

// safe are the events that anybody may make critical.
func safe(terms *contract.Terms) contract.Events {
	if terms.Params&contract.PgrpOnly != 0 {
		return contract.Empty
	}
	return contract.Empty | terms.Fatal
}

// demote makes critical events that need a privilege informative. What the manual says: in
// process.c a slip of precedence makes the smaller fatal set drop EMPTY as well.
func demote(terms *contract.Terms, cred Cred) {
	if cred.Privileged {
		return
	}
	over := excess(terms, terms.Critical)
	terms.Informative |= over
	terms.Critical &^= over
}

// setTerm sets one term for op's process. What affects the members (fatal, params) changes
// what affects the owner (critical), not the other way around.
func (t *Table) setTerm(terms *contract.Terms, key contract.TermKey, v contract.TermValue, op *Op) unix.Errno {
	switch key {
	case contract.TermInformative:
		terms.Informative = contract.Events(v.Number)
	case contract.TermCritical:
		e := contract.Events(v.Number)
		if excess(terms, e&^terms.Critical) != 0 && !op.Cred.Privileged {
			return unix.EPERM
		}
		terms.Critical = e
	case contract.TermFatal:
		terms.Fatal = contract.Events(v.Number)
		demote(terms, op.Cred)
	case contract.TermParams:
		terms.Params = contract.Params(v.Number)
		if terms.Params&contract.PgrpOnly != 0 {
			demote(terms, op.Cred)
		}
	case contract.TermCookie:
		terms.Cookie = v.Number
	case contract.TermTransfer:
		id := contract.ID(v.Number)
		if errno := t.mayTransfer(id, op.Proc); errno != 0 {
			return errno
		}
		terms.Transfer = id
	case contract.TermFMRI:
		if !op.Cred.Privileged {
			return unix.EPERM
		}
		terms.FMRI = v.Text
	case contract.TermAux:
		terms.Aux = v.Text
	default:
		return unix.EINVAL
	}
	return 0
}

// expects says whether a contract may still inherit: of a member that has ended it is not told yet
// that it owns nothing any more, or what it was making is not born, or given up. Were it taken over
// now, what is inherited later would be nobody's.
func (t *Table) expects(s *ct) bool {
	for o := t.residents[s.id]; o != nil; o = o.after {
		if o.first != nil {
			return true
		}
	}
	for c := t.first; c != nil; c = c.all.next {
		if c.birth != nil && c.birth.from == s.id {
			return true
		}
	}
	return false
}

// mayTransfer says whether a process may have a new contract take over from id; 0 is nobody.
func (t *Table) mayTransfer(id contract.ID, p Proc) unix.Errno {
	if id == 0 {
		return 0
	}
	c := t.seen(id)
	switch {
	case c == nil:
		return unix.ESRCH
	case c.state != contract.Owned || !c.controls(p, 0):
		return unix.EACCES
	case !c.empty || t.expects(c):
		return unix.ENOTEMPTY
	}
	return 0
}

// validTerms holds for whatever a template can be set to.
func validTerms(terms *contract.Terms) bool {
	return terms.Informative&^contract.AllEvents == 0 && terms.Critical&^contract.AllEvents == 0 &&
		terms.Fatal&^contract.AllFatal == 0 && terms.Params&^contract.AllParams == 0 &&
		len(terms.FMRI) <= contract.FMRIMax && len(terms.Aux) <= contract.AuxMax
}
