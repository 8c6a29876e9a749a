// Package contract is the vocabulary of process contracts and their client library, the
// libcontract of Linux: terms, events, statuses, their text as it stands in the files of
// /system/contract, and a few calls to start a command in a new contract and to follow it.
//
// A process contract is a rigid boundary around a set of processes. Its owner, a process
// outside of it, is told what happens inside (contract(4), process(4) of the original):
// every process born in a contract belongs to it until its end, however often it forks,
// changes its session or is re-parented.
//
// What a contract is, who owns it and which events are kept is decided elsewhere (room
// table), what the kernel does for it elsewhere too (room kernel).
//
// The client is a few calls about files (FS, Template, Contract, Reader). What is more than
// that is a birth: the system makes a directory of cgroups, this process starts a child that
// is born in it (clone3 with CLONE_INTO_CGROUP), and names the child. Who may not do that
// starts the command behind a gate, a small process that waits until the system has moved it
// (birth.go, gate.go). On a host without zones the server is started on demand (host.go).
//
// Errors are errnos, wrapped with what was tried, and the sentinels of errors.go. No goroutines,
// no locks but a Reader's, and those of the places that an FS has found: the cgroups, the ctl file. Programs in zones link it, so it imports only what is small: neither
// fmt nor os/exec (room command is for that).
package contract
