// Package notify is how services of a zone say that they are ready: the protocol of sd_notify(3), on
// one datagram socket for the whole zone.
//
//	a member --datagram--> /run/svc/notify, made and held by init --descriptor FD--> svc.startd
//	                       Receiver: peek, who is it --Message--> acted upon, written --Done--> consume
//
// init makes the socket (Make) and keeps it, as it keeps its list of ended processes: what is said
// while there is no svc.startd waits in the kernel, and so does who has more to say than fits there.
// Parse is pure, and is all that looks at what others have written.
//
// It promises:
//   - No message is lost: it is taken from the kernel by Done alone, when what follows of it is
//     written. Who is killed before that leaves it to the next one, who may then see it again.
//   - Who has sent it is told by a pidfd of the kernel's, and so is its cgroup, which outlives the
//     sender: also of one who was reaped before its message was read. A number that is another's by
//     now answers for nobody. Only the zone's root can speak for another process.
//   - Descriptors that come along are closed, in goroutines of their own: who sends one whose close
//     blocks holds up others' messages when closersMax of them do, and never svc.startd.
//   - Whoever writes all the time is read turnMax messages in each turnPause, and waits for the rest:
//     others wait in one line with him.
//   - A message that is longer than BytesMax, or that is none, is dropped and counted.
//
// What kernels have: SCM_PIDFD is Linux 6.5; without it (Make says so) there is no socket. Of a
// sender that was reaped before it was read there is a pidfd since 6.17, and its cgroup since 6.15;
// before that its message is one of nobody. PIDFD_GET_INFO is 6.13; before that the contract's members
// are looked at, while the sender is alive.
//
// Limits: BytesMax, StatusBytesMax, fieldsMax, queueMax, closersMax, turnMax. Goroutines of a
// Receiver: one that reads, and one for each close; Close waits for the first. No locks but around
// the counters. Who may call: init makes it, svc.startd listens.
//
// Source of behaviour: sd_notify(3), systemd-notify(1).
package notify
