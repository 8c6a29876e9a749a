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
// table), what the kernel does for it elsewhere too (room kernel). This package has no state
// and no goroutines; programs in zones link it, so it imports only what is small.
package contract
