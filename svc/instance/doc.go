// Package instance is one instance of a service as svc.startd keeps it: its state, which method
// runs and for what, its contract, what waits meanwhile. It is pure. Orders of the graph, requests
// of an administrator and what became of methods and contracts come in as an Input; what is to be
// done goes out as Actions. There is no clock: the time comes in with each input. Two machines that
// were given the same inputs at the same times give the same actions.
//
//	m := New("svc:/site/web:default")
//	actions, err := m.Do(Input{Kind: Order, Event: graph.AddInstance, Config: &config}, now)
//
// # The way of a transition
//
//	an order or event ... WriteStates state, next
//	  start ............. Notice
//	Lookup .............. Found      what the method is, read from the running snapshot
//	Run ................. Started    or NotRun; Remember, NoteMethod, SetTimer
//	                      Ended      ClearTimer; another Lookup, when it is tried again
//	WatchEmpty .......... Emptied    a stop waits for the processes of the service
//	WriteStates next, none
//
// A start with Spec.Notify goes on until Ready, whether its process (NoteWait) has ended or not:
//
//	Run ................. Started    Remember, NoteMethod, SetTimer
//	                      Extended   NoteDeadline, SetTimer
//	                      Ended      NoteWait, WatchEmpty; a failure as ever
//	                      Ready      ClearTimer; it is done
//	                      Emptied    there is nobody who could say it: a failure
//
// A method that is ":kill" has Signal instead of Run, answered by Signalled or NotRun. The states of
// a transition (state and next differ from what they are at rest) are written before its method
// runs, so that a svc.startd that is killed leaves its intention to the next one: see Recovered.
//
// # What it promises
//
//   - No two methods of an instance run at once, and no method is run again before its end.
//   - What an order or request asks for while a transition is under way waits, in order. Timeouts
//     go on meanwhile. A back-off is no transition: it ends for whatever is asked for.
//   - Every order of the graph that is to be answered (see package graph) is answered once, in the
//     order in which they came: by WriteStates with Answers, or by Answer.
//   - A contract that was told by Started is remembered, and is forgotten only after it was
//     abandoned, or by a transfer, or when it is known to be gone.
//   - An input that makes no sense changes nothing and is an error.
//
// # What it asks of its caller
//
// Actions are carried out in their order. Those that are written to the repository and follow each
// other are one write: WriteStates, Remember, Forget, NoteMethod, NoteStatus, NoteEnd. Lookup, Run
// and Signal are each answered by one input, and no other of them comes before. Started comes before
// any event of its contract, and before the end of its process. WatchEmpty is answered by Emptied, at
// once when the contract has no member any more, else when it has; it may come late, or twice. Ready
// and Extended are told of any contract of the instance, whenever a member says so.
// Contract events are told for the remembered primary contracts, Empty among them only if it was
// critical. For every process that Started named, and every one that Recovered names, there is one
// Ended. A timer that fires carries its Number; one that was cleared meanwhile may fire all the same.
// Of timers there is one at a time.
//
// For Recovered: a contract that svc.startd owns, with the svc_fmri of an instance and the svc_aux of
// the method that its states are written for, and that is not in the repository, is that method's:
// svc.startd was killed between the fork and the write. It is told all the same. Others that nothing
// names are the caller's to let go.
//
// After Remove the machine lets the method that runs end, then says Dropped, and is of no more use;
// but when AddInstance came meanwhile, it begins anew instead.
//
// # Durations
//
// contract, transient, child: see Duration. A child's start is done as soon as it runs, and the end
// of its process is the end of the service; events of its contract are fatal ones and are ignored.
//
// # Where it is not the original
//
// Source of behaviour: svc.startd(8), smf_method(7), restarter.c, method.c and wait.c of the
// original. Different on purpose:
//
//   - AdminDegraded works: an online instance becomes degraded, and AdminMaintOff (svcadm clear)
//     makes it online again. The original only logs that it can not. So do the exit codes 97 and 98
//     of a monitor (Monitored).
//   - A child that is killed by a signal again and again is throttled as one that exits with an
//     error is. The original takes its end for a success.
//   - critical_failure_count 1 counts as 2: of one start nobody can say that it is too quick.
//   - What has failed before an administrator cleared or disabled the instance does not count for
//     the fault threshold any more.
//   - Of a service that can not be killed when its stop has timed out, the end is waited for killLimit
//     and not for ever: then the instance is in maintenance, and keeps the contract.
//   - An event of a contract that comes during a refresh, and the end of a child during one, are
//     acted upon after it, always.
//   - A stop whose method had not begun when svc.startd died is carried on with by the next one. The
//     original forgets that it was to stop.
//   - A stop that is ":kill", and was sent by one who is dead, is sent again.
//   - A refresh leaves auxiliary_state as it is.
//   - With Config.Backoff an instance that restarts too quickly waits, longer each time, and does
//     not go to maintenance.
//
// A request for maintenance that is temporary is as one that is not: states are of one boot anyway.
//
//   - A service may say when it is ready (Spec.Notify, startd/notify). A child whose process ends
//     before that has failed to start, however it ends. One that is disabled before it is ready is
//     stopped at once, and its start's timeout is not waited for.
//
// Limits: queueMax, the starts of the rate limit, killLimit, extendMax; method and service time out as they are
// configured, and a back-off ends. No goroutines, no locks, nothing to close; one goroutine has a machine.
package instance
