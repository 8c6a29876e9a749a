// Package restarter runs the services of a zone: it is the loop of svc.startd that brings the graph
// of dependencies (svc/graph), one machine for each instance (svc/instance) and the world together.
//
//	repository --changes--> Ops --> graph --orders--> machines --actions--> repository, contracts,
//	files, contract events, ends of processes, timers --inputs--^             methods, logs, console
//
// One goroutine, Run, has all state. What can block for long (the start of a method, which waits
// for a fork, an exec, and the zone's supervisor) is done by another one, and told when it is done.
//
// # A turn of the loop
//
// What happened is taken; the graph says what follows; machines say what is to be done. All that is
// to be written by all of them goes into one batch, before anything is done to others, and once more
// at the end. Then events are acknowledged, but not while a method is just being started. So a thousand
// services that start at once cost a few batches, and what is done was written before.
//
// # Beside a service
//
// A service that is up may have a monitor, and one that is periodic has its start method run again:
// beside.go. Each run has a contract of its own, no event of which is critical. A run ends with its
// service; a svc.startd that comes new begins a monitor anew, and waits for a periodic run.
//
// # Who is told
//
// Ends of processes of an instance with startd/utmpx_prefix, run levels and the way down go to Records
// (records.go). Changes of states that somebody is to be told of go to the Outbox when they are written,
// and not before: a restarter that is killed tells nothing twice (news.go). Neither is waited for.
//
// # What it promises
//
//   - Killed at any instant, the next one goes on: contracts are adopted, methods that run are waited
//     for, and nothing is run twice. What an instance is to become is in the repository before
//     anything is done for it; a method that was started and not yet noted is found by its contract,
//     which names the instance, the method and its first process.
//   - An event of a contract is acknowledged when what follows from it is written.
//   - On the way to a milestone, or down, the next one goes on too: it starts nothing before all
//     instances have said what they are.
//   - A repository that cannot be written stops no service: it is tried again, and told once.
//   - A service with startd/notify is told ready by a member of its contract, and by nobody else
//     (svc/notify). Its message is taken from the socket when what follows of it is written.
//   - A log that a service fills while it runs is put aside each logsEvery, at the latest.
//
// Limits: startsMax methods are started at once; others wait. Goroutines: Run; one that reads
// contract events; those of ends and files; one for each method that is just being started; one that
// looks at the logs.
// All end with Run's context. Who may call: svc/startd.
//
// Source of behaviour: svc.startd(8), restarter.c, protocol.c and method.c of the original.
package restarter
