// Package orphans is what pid 1 of a zone tells svc.startd about: processes that init reaped,
// with their wait statuses. When svc.startd dies its methods become init's children, and the next
// svc.startd, which goes on to wait for them, cannot ask the kernel how they ended.
//
//	init --Put--> | header | record, record, ... | --Find--> svc.startd
//
// It is a memory file of one size, made by init before anything else, and given to each
// svc.startd as a descriptor. The last Records deaths are in it; older ones are overwritten.
//
// It promises:
//   - Put never fails, never waits, calls no kernel and allocates nothing: it is pid 1's.
//   - A record that is read was written whole: it is looked at again after it was copied.
//   - Whatever the file holds, neither side panics or reaches outside of it. The file is sealed
//     against a change of its size, so that no access can fault, and against other writers: who
//     is given the descriptor can only read.
//
// Which process a number was is told by the time: of a process that was there at a time T, it is
// the first death of that number after T (Find), since a number is free only when its process has
// been reaped.
//
// One writer; any number of readers, each with its own mapping. No goroutines, no locks.
package orphans
