// Package server is the heart of a zone's contracts: one loop that joins the table, which
// decides, with the kernel's side (cgroups, births, kills, events), the file system
// /system/contract and the journal.
//
//	clients --- /dev/fuse --> ctfs --+
//	                                 |-- Op --> journal --> table --+--> answer
//	kernel.Zone --- reports ---------+                              +--> Work: kills, removals,
//	supervisor --- calls ------------+                                   wakes, what to watch
//
// It promises:
//   - Killed between any two instructions, its successor goes on: no event is lost that the
//     sources told, none is told twice, how many the collector had no place for is told once,
//     no request is lost or done twice, no reader notices more than a pause.
//   - Nothing happens that was not written down before. What can be derived (who must be
//     killed, which directories go, who is to be watched) is derived again.
//   - Each turn of the loop serves every side a bounded amount, so that a flood on one does not
//     stop the others. What one user can hold (open files, waiting requests) is bounded, and
//     hitting a bound is an errno with a name: see limits.go.
//   - Stop ends every wait of the file system's clients, so that no reader blocks a halt.
//
// How it is resumed. Three descriptors are kept elsewhere (Slots): that of /dev/fuse, the
// memory of the FUSE session and the journal. A successor first has the windows of births
// closed (kernel.Open), then reads the journal: each Op that was written down is applied
// again. Of the requests that the dead server had taken, at most one is in doubt: that whose
// Op is the last in the journal. It is answered from the outcome of that Op. Facts carry the
// position in the collector's ring, and losses what it has counted, so that each is taken once.
//
// Numbers of contracts and events are unique on the host: ids.go.
//
// It refuses to open, stat or list a path below the zone's root, or of its own file system.
//
// Who may call: the zone's supervisor, from any goroutine; each call is answered by the loop,
// within a bounded time. One goroutine, that which calls Serve, owns everything else; the
// kernel.Zone has goroutines of its own. The only lock is that of the list of calls.
//
// How it dies: with Close (the next one resumes) or Stop (nothing is left). When all mounts are
// gone Serve goes on without a file system: contracts of the supervisor's need none.
package server
