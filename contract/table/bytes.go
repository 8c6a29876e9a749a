package table

import (
	"encoding/binary"

	"github.com/linuxzones/zones/contract"
)

// writer appends numbers as varints, and strings behind their length.
type writer struct{ b []byte }

func (w *writer) u(n uint64) { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) i(n int64)  { w.b = binary.AppendVarint(w.b, n) }

func (w *writer) str(s string) {
	w.u(uint64(len(s)))
	w.b = append(w.b, s...)
}

// bits writes up to eight truths in a byte.
func (w *writer) bits(truths ...bool) {
	n := byte(0)
	for i, is := range truths {
		if is {
			n |= 1 << i
		}
	}
	w.b = append(w.b, n)
}

func (w *writer) proc(p Proc) {
	w.i(int64(p.Pid))
	w.u(p.Start)
	w.i(int64(p.ZPid))
}

func (w *writer) cred(c Cred) {
	w.u(uint64(c.UID))
	w.bits(c.Privileged)
}

func (w *writer) terms(t *contract.Terms) {
	w.u(t.Cookie)
	w.u(uint64(t.Informative))
	w.u(uint64(t.Critical))
	w.u(uint64(t.Fatal))
	w.u(uint64(t.Params))
	w.u(uint64(t.Transfer))
	w.str(t.FMRI)
	w.str(t.Aux)
}

func (w *writer) sender(s *Sender) {
	w.u(uint64(s.Kind))
	w.proc(s.Proc)
	w.u(uint64(s.CT))
	w.u(uint64(s.UID))
	w.str(s.Comm)
	w.bits(s.Outside)
	w.str(s.Zone)
}

// reader takes what a writer wrote. After the first thing that is wrong it gives zeros, and
// bad stays set.
type reader struct {
	b   []byte
	bad bool
	// same holds strings that were read, for they repeat.
	same map[string]string
}

func (r *reader) fail() { r.b, r.bad = nil, true }

func (r *reader) u() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) i() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) u32() uint32 {
	n := r.u()
	if n > 1<<32-1 {
		r.fail()
	}
	return uint32(n)
}

func (r *reader) i32() int32 {
	n := r.i()
	if n != int64(int32(n)) {
		r.fail()
	}
	return int32(n)
}

// count is a number of things of at least one byte each that follow.
func (r *reader) count() int {
	n := r.u()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) str() string {
	n := r.count()
	s := r.b[:n]
	r.b = r.b[n:]
	if n == 0 {
		return ""
	}
	if known, ok := r.same[string(s)]; ok {
		return known
	}
	known := string(s)
	if r.same != nil {
		r.same[known] = known
	}
	return known
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	n := r.b[0]
	r.b = r.b[1:]
	return n
}

// bits sets the truths; a bit beyond them is wrong.
func (r *reader) bits(truths ...*bool) {
	n := r.byte()
	for i, is := range truths {
		*is = n&(1<<i) != 0
	}
	if n>>len(truths) != 0 {
		r.fail()
	}
}

func (r *reader) proc() Proc { return Proc{Pid: r.i32(), Start: r.u(), ZPid: r.i32()} }

func (r *reader) cred() (c Cred) {
	c.UID = r.u32()
	r.bits(&c.Privileged)
	return c
}

func (r *reader) terms() (t contract.Terms) {
	t.Cookie = r.u()
	t.Informative = contract.Events(r.u32())
	t.Critical = contract.Events(r.u32())
	t.Fatal = contract.Events(r.u32())
	t.Params = contract.Params(r.u32())
	t.Transfer = contract.ID(r.u32())
	t.FMRI = r.str()
	t.Aux = r.str()
	return t
}

func (r *reader) sender() (s Sender) {
	s.Kind = contract.SenderKind(r.u32())
	s.Proc = r.proc()
	s.CT = contract.ID(r.u32())
	s.UID = r.u32()
	s.Comm = r.str()
	r.bits(&s.Outside)
	s.Zone = r.str()
	return s
}
