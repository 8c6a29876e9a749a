// Package kernel is what the kernel does for the process contracts of one zone: directories
// of cgroups, births in them, kills, members, the deaths of owners, and what happens to
// members, told by the best source of events that the host has.
//
// It decides nothing about contracts: who owns which, and what follows of an event, is room
// table's. It is asked (make this directory, open it for a birth, kill these) and it tells
// (Report). A Zone belongs to one goroutine, its caller's loop: that one watches FD, which is
// readable when Next has something, and calls everything else too. No call waits for a
// process of the zone. What can take long (a kill, a move between cgroups, which waits for
// the kernel's grace period) runs in a goroutine of the Zone's and is told by a Report; Close
// ends them all.
//
// A contract is told to be empty after all that its source had to tell of it until then, how many
// events were lost included: whoever hears it may let the contract be forgotten at once. And its
// processes have let go of their memory and their files then, which is after the source has told of
// their exits: whoever hears it may start what wants the same port.
//
// The tree, below the zone's generation directory gN, which is the root of its cgroup
// namespace and the host's:
//
//	gN/ct/ID/    a contract, the host's; its inode number is its id in the kernel
//	gN/ct/ID/d/  where members are born
//	gN/pN/ID/    one that counts in project N, whose bounds the directory above has: project.go
//	gN/admin/lX/ a login, also a contract's, taken over by its path
//
// A directory serves one contract, once (internal/cgroup2.KillSeqBug).
//
// What holds against root in the zone: outside of a birth's window nobody in the zone can
// move a process between contracts, whatever descriptors it has. Within a window, which is
// open for milliseconds, it can, into the contract that is being born, into the directories
// above it that are open (a project's among them), and into those whose cgroup.procs it opened in an earlier window.
// The collector sees each such move, and the mover's victim is killed. Without the collector
// those in the first two places are found when the window closes.
//
// Nothing here opens, stats or lists a path in a zone's root.
package kernel
