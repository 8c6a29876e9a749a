// Package global serves the contracts of the host's own processes, where no zone is: what
// zoned does for a zone, for the zone "global". It is started by the first use (ctrun, the
// client library) below a keeper of its own, and leaves when it was not needed for a while.
//
//	zsched global --- contractd: this package --- contract/server --- RUN/contract
//	                                          \-- GLOBAL/gN/ct      cgroups of contracts
//
// Everything that must outlive it is in the keeper (the descriptors that contract/server
// names, the collector's ring) or in the kernel. Which generation's cgroups are the server's
// is a file; a file system that is kept but mounted nowhere belongs to a server that was
// killed as it came or went, and is begun anew.
//
// It leaves in an order in which it can be killed at any point, and in which nobody who comes
// meanwhile is lost: unmount, look again whether there is a contract (then mount again), end.
//
// It lives in the mount namespace of the host, whoever has started it.
//
// When its keeper is killed it goes on, without a safety net, until it is not needed. When
// both are, the processes of its contracts live on without a contract: they are the host's,
// and nobody else's business. Their directories go with the next server, when they are empty.
//
// ZONES_CONTRACTD_IDLE in its environment, a duration, stands for that while: tests do not wait
// for it.
//
// Goroutines: one that serves, one that listens to the keeper, one that attends to the end
// (Run's own). No locks.
package global
