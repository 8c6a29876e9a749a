// Package graph decides in which order services start, stop and restart: it is the dependency
// graph of svc.startd. It is pure. What is configured, what an administrator asks for, what
// restarters report and which files there are comes in as an Op; what restarters are to do goes
// out as Work. Two graphs that were given the same Ops and asked for Work at the same moments
// give the same orders.
//
// # Two phases
//
// Apply only propagates: it notes the fact and settles what follows from it for every verdict
// ("satisfied", "not yet", "never without an administrator"). Work decides, on settled verdicts:
// first what goes down, then what may start. Were both done in one walk, an instance could be
// started because of a verdict that the rest of the walk takes back; dinit's service.h tells of
// the same trap. Several Ops may be applied before Work is asked for.
//
// Neither phase recurses over the graph. A vertex keeps count of its members' verdicts, so one
// that changes costs its own dependents and not their other members. Steps counts the edges that
// were looked at; tests hold it to a small multiple of what is touched. With optional groups on
// the way a verdict can change back before it settles; the number of rounds is then the length
// of the longest path, never more.
//
// # What it promises
//
//   - Start is ordered only while the instance is offline, enabled, and all its groups and its
//     restarter are satisfied.
//   - No order is given twice to an instance whose restarter has not answered the first.
//   - An instance that a dependency's stop or start must stop, but which is just starting, is
//     stopped as soon as it is up. The original forgets it.
//   - When an instance is disabled, and when the zone goes down to a milestone, what depends on
//     something is down before it.
//   - A dependency that closes a cycle is told with its path, and is left out of the graph, which
//     therefore never has one; its instance is ordered to maintenance.
//   - Explain says why an instance does not run, down to the causes that have none themselves.
//
// # What it asks of its caller
//
// Every EnableInstance, DisableInstance, AdminDisable, Start, Stop and StopReset is answered once,
// in the order in which they came, by Changed with Answers: when it was carried out, when it
// could not be, and when it was not due any more, as Start is when the instance is not offline.
// Other reports answer nothing: those on the way, with Next, and those of what an instance did
// by itself. An order SetOverride is written to general_ovr; that it comes back as an Op changes
// nothing. A file that Watch names is answered with File, at first and whenever it comes or goes.
//
// After svc.startd was started again, instances are reported as they are: one that comes from
// uninitialized straight to online was recovered, and restarts nobody.
//
// # Where it is not the original
//
// Source of behaviour: smf(7), svc.startd(8), graph.c and transition.c of the original. Where
// the manual and the code differ on restart_on of exclude_all, this is the code: the group stops
// its owner whatever restart_on says. Different on purpose, besides the above:
//
//   - Files are told, not looked at by chance: their coming starts who waits for them. Their
//     going stops nobody, as there.
//   - A group of exclude_all with several members in the way is "never" if one of them is; the
//     original answers for the first in the list.
//   - A disable that is withdrawn before its order is given is given up; the original carries it
//     out and enables again.
//   - An instance that does not run is no part of a subtree that goes down. The original marks
//     it, and can leave it marked.
//   - The restarter of an instance can be changed.
//
// Limits: VerticesMax. Names are FMRIs of package fmri. One goroutine has a graph: no clock, no
// locks, nothing to close.
package graph
