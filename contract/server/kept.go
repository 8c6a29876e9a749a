package server

import (
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
)

// kept is what a server keeps besides its table. It changes by records alone, which are the
// same whether they are made now or read by a successor.
type kept struct {
	epoch uint32 // how many servers there were, this one included
	fh    uint64 // the last number given to a handle of the table's

	nextCT, endCT contract.ID      // contract ids that are left of the last block
	nextEV, endEV contract.EventID // event ids that are left
	held          map[uint32]bool  // blocks of contract ids

	since   int64                  // when the first server began, for the times of files
	at      kernel.Position        // facts up to here are in the table
	taken   map[contract.ID]string // directories outside of ct/ that are contracts'
	unborn  map[contract.ID]bool   // the supervisor's contracts that nobody was born into yet
	counted map[contract.ID]uint64 // losses that the collector has counted, as far as they are in the table
	handles map[uint64]handle      // open handles of the table
	perUser map[uint32]int         // how many of them each user has, the supervisor\'s own left out
	births  map[uint64]*birth      // by template
}

// handle is what is known of an open handle besides what the table knows.
type handle struct {
	uid  uint32
	host bool // the supervisor's own reader; it ends with its server
}

// birth is a contract of a template from activation until its first member is named.
type birth struct {
	ct     contract.ID
	by     kernel.Caller
	unique uint64 // of the request that activated it
	// placed says that the contract's directory was made and its window opened: mode and path
	// are good. The window stays open until the moment (of CLOCK_MONOTONIC) at the latest.
	placed bool
	mode   kernel.Mode
	path   string
	until  int64
	// forked: the kernel told the birth of the first member. The contract is owned then, and
	// its maker need only confirm it.
	forked bool
}

func newKept() *kept {
	return &kept{
		held: map[uint32]bool{}, taken: map[contract.ID]string{}, unborn: map[contract.ID]bool{}, counted: map[contract.ID]uint64{},
		handles: map[uint64]handle{}, perUser: map[uint32]int{}, births: map[uint64]*birth{},
	}
}

// Kinds of records.
const (
	recOp        = iota + 1 // an Op of the table, with its request's number and the ring's position
	recEvents               // event ids were taken
	recBlock                // a block of contract ids was taken
	recFreed                // a block was given back
	recEpoch                // a server began
	recPlaced               // a birth was placed
	recTaken                // a contract has a directory outside of ct/
	recConfirmed            // a birth that the kernel had told was confirmed
	recLost                 // recOp of a loss that the collector has counted
)

// record is one entry of the journal.
type record struct {
	kind   byte
	unique uint64          // recOp, recConfirmed: of the request, 0 for none
	at     kernel.Position // recOp: of the fact, 0 for none
	op     *table.Op       // recOp, recLost
	count  uint64          // recLost: how many the collector has counted, up to this loss
	event  uint64          // recEvents: the first
	block  uint32          // recBlock, recFreed
	fh     uint64          // recPlaced, recConfirmed
	birth  birth           // recPlaced: mode, path, until
	ct     contract.ID     // recTaken
	path   string          // recTaken
}

func (r *record) encode(b []byte) []byte {
	b = append(b, r.kind)
	switch r.kind {
	case recOp:
		b = binary.AppendUvarint(b, r.unique)
		b = binary.AppendUvarint(b, uint64(r.at))
		b = append(b, r.op.Encode()...)
	case recLost:
		b = binary.AppendUvarint(b, r.count)
		b = append(b, r.op.Encode()...)
	case recEvents:
		b = binary.AppendUvarint(b, r.event)
	case recBlock, recFreed:
		b = binary.AppendUvarint(b, uint64(r.block))
	case recPlaced:
		b = binary.AppendUvarint(b, r.fh)
		b = appendPlaced(b, &r.birth)
	case recTaken:
		b = binary.AppendUvarint(b, uint64(r.ct))
		b = appendString(b, r.path)
	case recConfirmed:
		b = binary.AppendUvarint(b, r.unique)
		b = binary.AppendUvarint(b, r.fh)
	}
	return b
}

func decodeRecord(b []byte) (*record, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: an empty record", ErrState)
	}
	r := &record{kind: b[0]}
	d := &decoder{b: b[1:]}
	switch r.kind {
	case recOp:
		r.unique = d.uint()
		r.at = kernel.Position(d.uint())
		if err := r.decodeOp(d); err != nil {
			return nil, err
		}
	case recLost:
		r.count = d.uint()
		if err := r.decodeOp(d); err != nil {
			return nil, err
		}
	case recEvents:
		r.event = d.uint()
	case recBlock, recFreed:
		r.block = d.uint32()
	case recEpoch:
	case recPlaced:
		r.fh = d.uint()
		d.placed(&r.birth)
	case recTaken:
		r.ct, r.path = contract.ID(d.uint32()), d.string()
	case recConfirmed:
		r.unique, r.fh = d.uint(), d.uint()
	default:
		d.bad = true
	}
	if d.bad || len(d.b) > 0 {
		return nil, fmt.Errorf("%w: a record of kind %d", ErrState, b[0])
	}
	return r, nil
}

// decodeOp takes the Op that ends a record.
func (r *record) decodeOp(d *decoder) error {
	if d.bad {
		return nil
	}
	op, err := table.DecodeOp(d.b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	r.op, d.b = op, nil
	return nil
}

// apply lets a record happen to what is kept; of an Op res is what the table made of it.
func (k *kept) apply(r *record, res table.Result) {
	switch r.kind {
	case recOp:
		k.followed(r, res)
	case recLost:
		k.followed(r, res)
		if res.Errno == 0 {
			k.counted[r.op.CT] = r.count
		}
	case recEvents:
		k.nextEV, k.endEV = contract.EventID(r.event), contract.EventID(r.event+eventsTaken)
	case recBlock:
		k.held[r.block] = true
		k.nextCT, k.endCT = blockRange(r.block)
	case recFreed:
		delete(k.held, r.block)
	case recEpoch:
		k.epoch++
	case recPlaced:
		if b := k.births[r.fh]; b != nil {
			b.placed, b.mode, b.path, b.until = true, r.birth.mode, r.birth.path, r.birth.until
		}
	case recTaken:
		k.taken[r.ct] = r.path
	case recConfirmed:
		delete(k.births, r.fh)
	}
}

// followed is what follows of an Op for handles, births and numbers.
func (k *kept) followed(r *record, res table.Result) {
	op := r.op
	if r.at > k.at {
		k.at = r.at
	}
	switch op.Kind {
	case table.Activate, table.Make:
		k.nextCT = max(k.nextCT, op.CT+1)
	case table.Happened:
		k.nextEV = max(k.nextEV, op.EV+1)
		k.forked(&op.Fact, op.CT)
		if op.Fact.Event != contract.Lost {
			delete(k.unborn, op.CT)
		}
	case table.OpenTemplate, table.OpenContract, table.OpenBundle, table.OpenPBundle:
		k.fh = max(k.fh, op.FH)
	}
	if res.Errno != 0 {
		return
	}
	switch op.Kind {
	case table.OpenTemplate, table.OpenContract, table.OpenBundle, table.OpenPBundle:
		k.opened(op.FH, handle{uid: op.Cred.UID, host: op.Proc.Pid == 0})
	case table.Close:
		k.closed(op.FH)
		delete(k.births, op.FH)
	case table.Activate:
		by := kernel.Caller{Proc: op.Proc, UID: op.Cred.UID, CT: op.ProcCT, InZone: op.Proc.ZPid != 0}
		k.births[op.FH] = &birth{ct: op.CT, by: by, unique: r.unique}
	case table.Born, table.Cancel:
		delete(k.births, op.FH)
	case table.OwnerExit:
		for fh, b := range k.births {
			if b.by.Pid == op.Proc.Pid && b.by.Start == op.Proc.Start {
				delete(k.births, fh)
			}
		}
	case table.Make:
		k.unborn[op.CT] = true
	case table.Removed:
		delete(k.taken, op.CT)
		delete(k.unborn, op.CT)
		delete(k.counted, op.CT)
	}
}

func (k *kept) opened(fh uint64, h handle) {
	k.handles[fh] = h
	if !h.host {
		k.perUser[h.uid]++
	}
}

func (k *kept) closed(fh uint64) {
	h, open := k.handles[fh]
	delete(k.handles, fh)
	if !open || h.host {
		return
	}
	if k.perUser[h.uid]--; k.perUser[h.uid] <= 0 {
		delete(k.perUser, h.uid)
	}
}

// forked notes the birth of a first member.
func (k *kept) forked(f *table.Fact, ct contract.ID) {
	if f.Event != contract.Fork {
		return
	}
	for _, b := range k.births {
		if b.ct == ct && !b.forked {
			b.forked = true
		}
	}
}

// birthOf is the birth of a contract, and its template.
func (k *kept) birthOf(ct contract.ID) (fh uint64, b *birth) {
	for fh, b := range k.births {
		if b.ct == ct {
			return fh, b
		}
	}
	return 0, nil
}

// keptVersion is of the snapshot's form: 2, since it is known which losses are in the table; 1 is
// understood. Another one is refused.
const keptVersion = 2

// StateVersion is keptVersion, for who thinks of another program's taking over.
const StateVersion = keptVersion

// encode is the snapshot: what is kept, then the table.
func (k *kept) encode(t *table.Table) []byte {
	b := []byte{keptVersion}
	for _, n := range []uint64{uint64(k.epoch), k.fh, uint64(k.nextCT), uint64(k.endCT), uint64(k.nextEV), uint64(k.endEV), uint64(k.at), uint64(k.since)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(k.held)))
	for _, n := range sortedKeys(k.held) {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendUvarint(b, uint64(len(k.taken)))
	for _, ct := range sortedKeys(k.taken) {
		b = appendString(binary.AppendUvarint(b, uint64(ct)), k.taken[ct])
	}
	b = binary.AppendUvarint(b, uint64(len(k.unborn)))
	for _, ct := range sortedKeys(k.unborn) {
		b = binary.AppendUvarint(b, uint64(ct))
	}
	b = binary.AppendUvarint(b, uint64(len(k.counted)))
	for _, ct := range sortedKeys(k.counted) {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(ct)), k.counted[ct])
	}
	b = binary.AppendUvarint(b, uint64(len(k.handles)))
	for _, fh := range sortedKeys(k.handles) {
		h := k.handles[fh]
		b = binary.AppendUvarint(b, fh)
		b = binary.AppendUvarint(b, uint64(h.uid))
		b = appendBools(b, h.host)
	}
	b = binary.AppendUvarint(b, uint64(len(k.births)))
	for _, fh := range sortedKeys(k.births) {
		b = appendBirth(binary.AppendUvarint(b, fh), k.births[fh])
	}
	return append(b, t.Encode()...)
}

func decodeKept(b []byte) (*kept, *table.Table, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > keptVersion {
		return nil, nil, fmt.Errorf("%w: unknown version", ErrState)
	}
	version, k, d := b[0], newKept(), &decoder{b: b[1:]}
	k.epoch, k.fh = d.uint32(), d.uint()
	k.nextCT, k.endCT = contract.ID(d.uint32()), contract.ID(d.uint32())
	k.nextEV, k.endEV = contract.EventID(d.uint()), contract.EventID(d.uint())
	k.at, k.since = kernel.Position(d.uint()), int64(d.uint())
	for range d.count() {
		k.held[d.uint32()] = true
	}
	for range d.count() {
		ct := contract.ID(d.uint32())
		k.taken[ct] = d.string()
	}
	for range d.count() {
		k.unborn[contract.ID(d.uint32())] = true
	}
	if version > 1 {
		for range d.count() {
			ct := contract.ID(d.uint32())
			k.counted[ct] = d.uint()
		}
	}
	for range d.count() {
		fh := d.uint()
		h := handle{uid: d.uint32()}
		d.bools(&h.host)
		k.opened(fh, h)
	}
	for range d.count() {
		fh := d.uint()
		k.births[fh] = d.birth()
	}
	if d.bad {
		return nil, nil, fmt.Errorf("%w: the snapshot ends early", ErrState)
	}
	t, err := table.Decode(d.b)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if version == 1 {
		k.countedBy(t)
	}
	return k, t, nil
}

// countedBy takes what a table knows to be lost for what the collector has counted.
func (k *kept) countedBy(t *table.Table) {
	for _, id := range t.IDs() {
		if st, _, _, _, ok := t.Status(id); ok && st.LostEvents > 0 {
			k.counted[id] = st.LostEvents
		}
	}
}

func sortedKeys[K contract.ID | uint32 | uint64, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}
