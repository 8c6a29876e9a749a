package server

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/kernel"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/memlog"
)

// doubt is the last request whose Op is in the journal: it may not have been answered.
type doubt struct {
	unique uint64
	op     *table.Op // nil: a birth was confirmed
	res    table.Result
}

// journal is what is kept and how.
type journal struct {
	log   *memlog.Log
	table *table.Table
	kept  *kept
	doubt doubt
	buf   []byte
	state int // bytes of the state at the last checkpoint
}

// newJournal makes an empty one.
func newJournal(cfg table.Config) (*journal, error) {
	log, err := memlog.Create("zone-contracts", journalBytes)
	if err != nil {
		return nil, fmt.Errorf("make the contracts' journal: %w", err)
	}
	j := &journal{log: log, table: table.New(cfg), kept: newKept()}
	j.kept.since = time.Now().UnixNano()
	if err := j.checkpoint(); err != nil {
		log.Close()
		return nil, err
	}
	return j, nil
}

// openJournal reads what a predecessor kept.
func openJournal(fd int) (*journal, error) {
	log, state, records, err := memlog.Open(fd)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	j := &journal{log: log, state: len(state)}
	j.kept, j.table, err = decodeKept(state)
	if err == nil {
		for b := range records {
			if err = j.replay(b); err != nil {
				break
			}
		}
	}
	if err != nil {
		log.Close()
		return nil, err
	}
	return j, nil
}

func (j *journal) replay(b []byte) error {
	r, err := decodeRecord(b)
	if err != nil {
		return err
	}
	var res table.Result
	if r.op != nil {
		res = j.table.Apply(r.op)
	}
	j.kept.apply(r, res)
	if r.unique != 0 {
		j.doubt = doubt{unique: r.unique, op: r.op, res: res}
	}
	return nil
}

// write writes a record down; nothing of it may happen before.
func (j *journal) write(r *record) error {
	j.buf = r.encode(j.buf[:0])
	err := j.log.Append(j.buf)
	if errors.Is(err, memlog.ErrFull) {
		if err = j.checkpoint(); err == nil {
			err = j.log.Append(j.buf)
		}
	}
	if err != nil {
		return fmt.Errorf("write to the contracts' journal: %w", err)
	}
	crash("journal")
	return nil
}

// note writes a record that is no Op, and lets it happen.
func (j *journal) note(r *record) error {
	if err := j.write(r); err != nil {
		return err
	}
	j.kept.apply(r, table.Result{})
	return nil
}

// do writes an Op down and lets it happen. unique is its request's, at its fact's position.
func (j *journal) do(unique uint64, at kernel.Position, op *table.Op) (table.Result, error) {
	return j.act(&record{kind: recOp, unique: unique, at: at, op: op})
}

// lose is do of a loss; the collector has counted so many up to it.
func (j *journal) lose(counted uint64, op *table.Op) error {
	crash("lost")
	_, err := j.act(&record{kind: recLost, count: counted, op: op})
	crash("lost")
	return err
}

// act writes a record of an Op down and lets it happen.
func (j *journal) act(r *record) (table.Result, error) {
	if r.op.Now == 0 {
		r.op.Now = time.Now().UnixNano()
	}
	if err := j.write(r); err != nil {
		return table.Result{Errno: unix.ENOSPC}, err
	}
	res := j.table.Apply(r.op)
	j.kept.apply(r, res)
	crash("applied")
	return res, nil
}

func (j *journal) checkpoint() error {
	state := j.kept.encode(j.table)
	err := j.log.Checkpoint(state)
	if err == nil {
		j.state = len(state)
	}
	return err
}

// holds says whether the state is larger than limit, give or take an eighth. What lies in the
// journal is at least about as much, so that it need not be measured as long as that is less,
// and is measured so rarely that it costs little of what the records cost.
func (j *journal) holds(limit int) bool {
	bytes := j.log.Bytes()
	switch {
	case j.state > limit:
		// It may have become smaller since.
	case bytes <= limit:
		return false
	}
	if bytes-j.state > max(j.state/8, journalBytes/64) && j.checkpoint() != nil {
		return true
	}
	return j.state > limit
}

// grows says which Ops of clients make the state larger.
var grows = map[table.Kind]bool{
	table.OpenTemplate: true, table.OpenContract: true, table.OpenBundle: true, table.OpenPBundle: true,
	table.Set: true, table.Activate: true,
}

// refuses says whether there is no room for an Op of a client's.
func (j *journal) refuses(op *table.Op) bool {
	if !grows[op.Kind] {
		return false
	}
	if op.Cred.Privileged {
		return j.holds(journalRoot)
	}
	return j.holds(journalUsers)
}

// shorten makes a fact one that was lost where there is no room for it.
func (j *journal) shorten(f table.Fact) table.Fact {
	bulk := f.Event&(contract.Fork|contract.Exit) != 0
	switch {
	case f.Event&(contract.Empty|contract.Lost) != 0:
		return f
	case bulk && j.holds(journalRoot), j.holds(journalFacts):
		return table.Fact{Event: contract.Lost, Count: 1}
	}
	return f
}

// takeCT is a number for a new contract.
func (j *journal) takeCT(d *ids) (contract.ID, error) {
	k := j.kept
	if k.nextCT >= k.endCT {
		j.giveBack(d)
		b, err := d.takeBlock()
		if err != nil {
			return 0, err
		}
		if err := j.note(&record{kind: recBlock, block: b}); err != nil {
			d.release(b)
			return 0, err
		}
	}
	return k.nextCT, nil
}

// giveBack gives back the blocks of which no contract is left. The record comes first: a block
// that is held in the file and by nobody is lost until the next boot, one that is held twice
// would give a number to two.
func (j *journal) giveBack(d *ids) {
	used := map[uint32]bool{}
	for _, id := range j.table.IDs() {
		used[blockOf(id)] = true
	}
	for _, b := range j.kept.births {
		used[blockOf(b.ct)] = true
	}
	for id := range j.kept.taken {
		used[blockOf(id)] = true
	}
	for _, b := range sortedKeys(j.kept.held) {
		if used[b] {
			continue
		}
		if j.note(&record{kind: recFreed, block: b}) != nil {
			return
		}
		d.release(b)
	}
}

// takeEV is a number for a new event.
func (j *journal) takeEV(d *ids) (contract.EventID, error) {
	k := j.kept
	if k.nextEV >= k.endEV {
		first, _, err := d.takeEvents()
		if err != nil {
			return 0, err
		}
		if err := j.note(&record{kind: recEvents, event: uint64(first)}); err != nil {
			return 0, err
		}
	}
	return k.nextEV, nil
}

// crash is where a test has its process killed, by the name of what was just done.
var crash = func(string) {}
