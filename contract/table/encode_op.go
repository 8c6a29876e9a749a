package table

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// opVersion stands before an encoded Op: 1, the first.
const opVersion = 1

// OpVersion is opVersion, for who thinks of another program's taking over.
const OpVersion = opVersion

// What of an Op is not zero, and so follows. The order is that of the fields.
const (
	opNow = 1 << iota
	opFH
	opCT
	opEV
	opProc
	opCred
	opProcCT
	opComm
	opText
	opMax
	opHost
	opTerms
	opFact
	opAll = 1<<iota - 1
)

// Encode is the op's form in a log.
func (op *Op) Encode() []byte { return op.Append(nil) }

// Append is Encode behind dst.
func (op *Op) Append(dst []byte) []byte {
	w := &writer{b: append(dst, opVersion, byte(op.Kind))}
	has := op.has()
	w.u(has)
	write := func(bit uint64, n uint64) {
		if has&bit != 0 {
			w.u(n)
		}
	}
	if has&opNow != 0 {
		w.i(op.Now)
	}
	write(opFH, op.FH)
	write(opCT, uint64(op.CT))
	write(opEV, uint64(op.EV))
	if has&opProc != 0 {
		w.proc(op.Proc)
	}
	if has&opCred != 0 {
		w.cred(op.Cred)
	}
	write(opProcCT, uint64(op.ProcCT))
	if has&opComm != 0 {
		w.str(op.Comm)
	}
	if has&opText != 0 {
		w.u(uint64(len(op.Text)))
		w.b = append(w.b, op.Text...)
	}
	write(opMax, uint64(op.Max))
	if has&opTerms != 0 {
		w.terms(&op.Terms)
	}
	if has&opFact != 0 {
		w.fact(&op.Fact)
	}
	return w.b
}

// has is which fields are not zero.
func (op *Op) has() (has uint64) {
	for i, is := range [...]bool{
		op.Now != 0, op.FH != 0, op.CT != 0, op.EV != 0, op.Proc != Proc{}, op.Cred != Cred{}, op.ProcCT != 0,
		op.Comm != "", len(op.Text) > 0, op.Max != 0, op.Host, op.Terms != contract.Terms{}, op.Fact != Fact{},
	} {
		if is {
			has |= 1 << i
		}
	}
	return has
}

func (w *writer) fact(f *Fact) {
	w.u(uint64(f.Event))
	w.bits(f.Core, f.HasCred, f.Parent != Proc{}, f.Sender != Sender{}, f.Status != 0, f.Sig != 0, f.Pgrp != 0, f.Count != 0)
	w.proc(f.Member)
	if f.HasCred {
		w.cred(f.Cred)
	}
	if f.Parent != (Proc{}) {
		w.proc(f.Parent)
	}
	if f.Sender != (Sender{}) {
		w.sender(&f.Sender)
	}
	if f.Status != 0 {
		w.u(uint64(f.Status))
	}
	if f.Sig != 0 {
		w.i(int64(f.Sig))
	}
	if f.Pgrp != 0 {
		w.i(int64(f.Pgrp))
	}
	if f.Count != 0 {
		w.u(f.Count)
	}
}

// DecodeOp is the op that was encoded.
func DecodeOp(b []byte) (*Op, error) {
	if len(b) < 2 {
		return nil, ErrGarbage
	}
	if b[0] != opVersion {
		return nil, fmt.Errorf("op of version %d: %w", b[0], ErrVersion)
	}
	r := &reader{b: b[2:]}
	op := &Op{Kind: Kind(b[1])}
	has := r.u()
	if has&opNow != 0 {
		op.Now = r.i()
	}
	if has&opFH != 0 {
		op.FH = r.u()
	}
	if has&opCT != 0 {
		op.CT = contract.ID(r.u32())
	}
	if has&opEV != 0 {
		op.EV = contract.EventID(r.u())
	}
	if has&opProc != 0 {
		op.Proc = r.proc()
	}
	if has&opCred != 0 {
		op.Cred = r.cred()
	}
	if has&opProcCT != 0 {
		op.ProcCT = contract.ID(r.u32())
	}
	if has&opComm != 0 {
		op.Comm = r.str()
	}
	if has&opText != 0 {
		op.Text = []byte(r.str())
	}
	if has&opMax != 0 {
		op.Max = r.u32()
	}
	op.Host = has&opHost != 0
	if has&opTerms != 0 {
		op.Terms = r.terms()
	}
	if has&opFact != 0 {
		op.Fact = r.fact()
	}
	if r.bad || len(r.b) > 0 || has&^opAll != 0 || int(op.Kind) >= len(verbs) || op.Kind == 0 {
		return nil, ErrGarbage
	}
	return op, nil
}

func (r *reader) fact() (f Fact) {
	var parent, sender, status, sig, pgrp, count bool
	f.Event = contract.Events(r.u32())
	r.bits(&f.Core, &f.HasCred, &parent, &sender, &status, &sig, &pgrp, &count)
	f.Member = r.proc()
	if f.HasCred {
		f.Cred = r.cred()
	}
	if parent {
		f.Parent = r.proc()
	}
	if sender {
		f.Sender = r.sender()
	}
	if status {
		f.Status = r.u32()
	}
	if sig {
		f.Sig = r.i32()
	}
	if pgrp {
		f.Pgrp = r.i32()
	}
	if count {
		f.Count = r.u()
	}
	return f
}

// Encode is a result's form in a log, for the one that may have to be given again.
func (r *Result) Encode() []byte {
	w := &writer{b: []byte{opVersion}}
	w.u(uint64(r.Errno))
	w.u(uint64(r.CT))
	w.b = append(w.b, r.Data...)
	return w.b
}

// DecodeResult is the result that was encoded.
func DecodeResult(b []byte) (Result, error) {
	if len(b) < 1 {
		return Result{}, ErrGarbage
	}
	if b[0] != opVersion {
		return Result{}, fmt.Errorf("result of version %d: %w", b[0], ErrVersion)
	}
	r := &reader{b: b[1:]}
	out := Result{Errno: unix.Errno(r.u32()), CT: contract.ID(r.u32())}
	if r.bad {
		return Result{}, ErrGarbage
	}
	if len(r.b) > 0 {
		out.Data = append([]byte(nil), r.b...)
	}
	return out, nil
}
