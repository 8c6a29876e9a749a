// Package memlog is a journal in a memfd: a state and the records that came after it, for a
// supervisor that may be killed between any two instructions and goes on from what it wrote.
//
//	| header: which half | half 0: state, record, record, ... | half 1: ... |
//
// Append adds a record to the half in use; Checkpoint writes a new state to the other half,
// makes that one the half in use by storing one word, and gives the memory of the first back
// to the kernel. It is memory, not a disk: what was stored is there as soon as the store was
// executed, and all of it goes with the last descriptor.
//
// It promises:
//   - A record is there for the next Open as soon as Append returned, and at no time is half
//     a record there.
//   - A process killed during Checkpoint leaves the old state with all its records, or the new
//     state with none. Never a mixture, never nothing.
//   - Append does not call the kernel, but once in reserveBytes; memory that the kernel refuses
//     is an error then and not a fault later.
//   - Only what is used costs memory: after a Checkpoint the state and a page or two.
//   - Whatever the file holds, Open neither panics nor reaches outside of it. The file is
//     sealed against a change of its size, so that no access can fault.
//
// It refuses a file of another version (ErrVersion), a damaged one (ErrCorrupt), a record over
// RecordMax and a state that does not fit (ErrTooLarge). A log whose records have used up
// their room says ErrFull: the caller makes a Checkpoint and appends again. The room grows
// with the state, so that the cost of checkpoints for each record stays the same.
//
// A Log belongs to one goroutine and one process: who opens it has seen the end of who had it
// before. No goroutines, no locks. How it dies: the mapping goes with Close.
package memlog
