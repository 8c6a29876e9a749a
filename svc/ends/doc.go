// Package ends tells svc.startd of the ends of processes with their wait statuses: of its own
// children, and of those that a svc.startd before it had started and that are init's now.
//
//	Add(pid, pidfd) --> epoll on pidfds --> Ends: pid, wait status
//
// A child is reaped here. Of another's process the status is asked of init's list (svc/orphans),
// which has it as soon as init has reaped it, a moment after its end: it is waited for, statusLimit
// at most. Who is not found there then is told without a status.
//
// It promises:
//   - Each process that was added is told once, in the order of the ends as far as the kernel
//     tells them, however slow who listens is: what is not taken yet is kept, one small record a
//     process.
//   - A pidfd that was given is closed here, at the end of its process or by Close.
//   - No thread waits for each process: there is one for all of them.
//
// Goroutines: one, until Close, which waits for it.
package ends
