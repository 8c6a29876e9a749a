package server

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/ctfs"
	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
)

// host is the server as the file system sees it.
type host Server

// Table is the contracts, to look at.
func (h *host) Table() *table.Table { return h.table }

// Do writes an Op down for the request that is served, and lets it happen.
func (h *host) Do(op *table.Op) table.Result {
	s := (*Server)(h)
	var unique uint64
	if s.serving != nil {
		unique = s.serving.Unique()
	}
	if s.refuses(op) {
		s.trouble("take a request", ErrFull)
		return table.Result{Errno: unix.ENOSPC}
	}
	res, err := s.do(unique, 0, op)
	if err != nil {
		s.trouble("write down a request", err)
	}
	return res
}

// do0 lets an Op happen that no request asks for.
func (s *Server) do0(op *table.Op) table.Result {
	res, err := s.do(0, 0, op)
	if err != nil {
		s.trouble("write down what happened", err)
	}
	return res
}

// Caller finds out who asks, once for each request.
func (h *host) Caller(r *fuse.Request) (ctfs.Caller, unix.Errno) {
	if r == h.serving && h.asker != nil {
		return *h.asker, 0
	}
	c, err := h.kernel.ProcOf(int32(r.Pid()))
	if err != nil {
		return ctfs.Caller{}, unix.ESRCH
	}
	who := ctfs.Caller{Proc: c.Proc, Cred: h.fs.Cred(r.UID()), CT: c.CT, Host: !c.InZone}
	if r == h.serving {
		h.asker = &who
	}
	return who, 0
}

// NewHandle is a number for a handle, unless its user has too many.
func (h *host) NewHandle(uid uint32) (uint64, unix.Errno) {
	if !h.fs.Cred(uid).Privileged && h.kept.perUser[uid] >= handlesPerUser {
		return 0, unix.EMFILE
	}
	return h.kept.fh + 1, 0
}

// Close ends a handle. The member of a birth that was not told of is its maker's all the same: who
// started it owns what it made, if it was let in. Where births are told the word of this one is only
// on its way, and says who was born; whoever takes the contract over goes by that.
func (h *host) Close(fh uint64) {
	s := (*Server)(h)
	if b := s.kept.births[fh]; b != nil {
		s.closeWindowOf(b.ct)
		if populated, err := s.kernel.Populated(b.ct); !b.forked && err == nil && populated && !s.tellsBirths() {
			first, _ := s.member(b.ct)
			h.Do(&table.Op{Kind: table.Born, FH: fh, Proc: b.by.Proc, ProcCT: b.by.CT, Fact: table.Fact{Member: first}})
		}
	}
	h.Do(&table.Op{Kind: table.Close, FH: fh})
}

// Status is the text of a contract's status file.
func (h *host) Status(id contract.ID, onHost bool) ([]byte, bool) {
	st, ok := (*Server)(h).status(id, onHost)
	if !ok {
		return nil, false
	}
	return contract.AppendStatus(nil, &st), true
}

// Template is a template's text.
func (h *host) Template(fh uint64) ([]byte, unix.Errno) {
	terms, nascent, ok := h.table.Template(fh)
	if !ok {
		return nil, unix.EBADF
	}
	text := contract.AppendTerms(nil, &terms)
	b := h.kept.births[fh]
	if nascent == 0 || b == nil {
		return append(text, "state inactive\n"...), 0
	}
	return appendBirthLine(append(text, "state active\n"...), b), 0
}

// appendBirthLine tells the client of its birth.
func appendBirthLine(text []byte, b *birth) []byte {
	if !b.placed {
		return text
	}
	text = strconv.AppendUint(append(text, "birth "...), uint64(b.ct), 10)
	if b.mode == kernel.Move {
		return append(text, " move\n"...)
	}
	return append(contract.AppendEscaped(append(text, " clone "...), b.path), '\n')
}
