// Package ring is the memory between a zone's console and whoever shows it: one megabyte
// in a memfd, written by the keeper alone and read by the supervisor, which may die at any
// instant and be replaced.
//
//	keeper (one thread)                memfd                       supervisor
//	read(pty master) --> Slice/Advance --> | header | data ... | --> ReadAt --> clients
//	                     head, reserve ---->    |   <---- cursor <-- SetCursor
//	                     <== eventfd: room      |   eventfd: data ==>
//
// Every byte has a position: the number of bytes ever written before it. Positions are
// comparable as long as the ring's epoch, a random number, stays the same; Snapshot and
// Restore keep both over a halt.
//
// It promises:
//   - The writer overwrites no byte at or after the cursor, as long as the cursor moves
//     within StallLimit of the ring having become full. After that it drains: it overwrites,
//     counts what nobody had consumed (Stats.Lost), and waits no more until the cursor moves.
//     So who writes to the console never waits longer than StallLimit for a reader, and
//     nothing is lost to a reader that is away for less.
//   - With the cursor at NoHold the writer never waits and never wakes the reader.
//   - A reader is never given a byte that was overwritten while it was copied: ReadAt looks
//     again after copying and says how many bytes before the ones given are gone.
//   - A wake-up is neither lost nor sent when the other side is awake.
//   - Whatever the mapping holds, no method panics or reaches outside of it. The memfd is
//     sealed against a change of its size, so that no access can fault.
//
// It refuses a mapping of another version or size (ErrCorrupt, ErrVersion).
//
// It starts no goroutine and takes no lock. A Writer and a Reader belong to one goroutine
// each; there is one Writer, and one Reader that sets the cursor. It is linked into the
// keeper, so it imports neither fmt nor os.
//
// How it dies: the mapping goes with Close, the memory with the last descriptor.
package ring
