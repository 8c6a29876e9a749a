// Package collector tells what the kernel's processes do in contracts: births, ends, who sent
// the signal that killed, moves between cgroups. BPF programs (load/bpf, loaded by room
// load) look at every fork, exit, fatal signal and move on the host, find the task's contract
// by its cgroup, count, and write records into the ring buffer of the contract's zone.
//
// This package is the reader: raw bpf(2), little memory, for the resident supervisor. One
// collector serves all zones of an instance; it is pinned in a bpffs directory by the first
// zone (Ensure) and goes with the last (Leave). What a fork costs does not depend on how many
// zones and contracts there are.
//
// A contract is a cgroup directory; whoever lives in it or below is a member, a process that
// is put into a directory deeper down too. A process counts once, however many threads it has
// and whichever of them executes a program. A ring keeps the order in which things happened in
// its zone. When it is full, Fork and Exit that are not critical go first, at three quarters;
// everything that had no place is counted, for its contract and its zone; but for Empty, which the
// cgroup's own file tells too.
//
// Empty is told when the count falls to nothing. A process that is born into a contract from
// outside at that very moment may be told before it; contracts that are used once, for one
// birth from outside, have no such moment.
//
// What is promised holds for contracts that were added before their first member was born.
// For others see Adopt.
//
// What a hostile process can do: with rt_sigqueueinfo(2) a process that may signal another can
// claim that its signal is a timer's, a message queue's or asynchronous input's; it is told as
// the kernel's then. A tracer can hand its tracee a signal that nobody sent. Both are told as
// a death without a sender's process; the death itself, its status and the counts are right.
//
// A Collector may be used by several goroutines. A Ring belongs to one. There are no
// goroutines here. Calls that change rings of zones (AddZone, Leave, what Quit leaves to be
// done) wait for a grace period of the kernel, some ten milliseconds.
package collector
