// Package zoned is a zone's supervisor, the zoneadmd of Linux: it takes the zone through its
// states, serves the door and the console, and answers for what is left behind.
//
//	door conns --requests--> [inbox] owner goroutine --op--> worker --steps--> kernel, zrun
//	keeper -----deaths-----> [     ]   state, queue  <-done--        --notes--> journal
//
// It owns: the zone's state above installed, its journal, its status file, its logins, and the
// servers of its contracts and of its table of mounts (contract/server, contract/mnttab), which
// it starts, hands over and ends (contracts.go, mnttab.go, collector.go). It refuses: callers
// that are not root on the host; two transitions at once; a path below the zone's root or on a
// file system that it serves, which it never opens, lists or stats.
//
// Restart: everything it must not lose is in the keeper (descriptors, deaths), in the kernel
// (cgroups, processes) or in the journal (steps done, results told). A transition is a list
// of steps; each is journaled before it runs and its undo likewise. Killed at any line, the
// next supervisor reads the three and finishes the operation under way, under the same
// request id, so that its caller gets the answer from the successor.
//
// Goroutines: the owner (zone.go) has the state; one worker at a time runs a transition
// (worker.go); one goroutine a door connection (door.go), bounded, and one more that waits for
// the end of a caller who looks at contracts (look.go); one reads the keeper; one each serves
// contracts and table of mounts. All are in the owner's group. The owner never waits for what is
// served. The only lock is a request's own (request.go), under which nothing blocks.
//
// How it dies: by a kill, and a successor takes over; in order, when the zone is below ready
// and nobody is at its console; when the keeper is dead it halts the zone first.
package zoned
