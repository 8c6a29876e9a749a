// Package keeper is the small process that must not die: zsched, the stand-in for the
// kernel's zsched of the original. It is the parent of the zone's supervisor (zoned), of
// the zone's init and of every login; a child subreaper; and it holds what a supervisor
// must not lose: listening sockets, the console's terminal and ring, sockets and pidfds
// that it need not understand. It alone reads the console's master, so that no byte is
// ever in a dead supervisor's hands.
//
//	zone's processes --> pty --> keeper --> ring (memfd) --> zoned --> clients
//	                             |  slots: door, console, ring, pty, boot, ...
//	                             |  deaths: (pid, start time, wait status) until forgotten
//	                             +-- socketpair, fd 3 of zoned
//
// It restarts the supervisor while the zone is ready or above (Hold): at once, with a
// growing delay when it dies too often; a death before its start-up was complete is a crash,
// announced, and throttled to one in ten seconds. Below ready it lets the supervisor go and
// goes too. The first start is different: when it fails, the keeper ends with the
// supervisor's exit code.
//
// It promises:
//   - Whatever a supervisor sends, or does not read, the keeper goes on: it reads the console,
//     reaps, and waits for nobody. Messages that make no sense are dropped and told once.
//   - What a supervisor had sent before it died is obeyed before the next one starts.
//   - A death is told to each supervisor until one forgets it, once, in the order of the
//     deaths, with the start time that tells a process from a later one of the same number.
//   - A descriptor is held until it is replaced, dropped, or the keeper ends.
//
// Both programs can be replaced (docs/adr/0009-upgrade.md). The supervisor's file is held open
// once one has served: when the file on disk is another one and does not come to serve, the one
// before is started again (program.go). The keeper's own is executed in its place between two
// supervisors, after it has said beside us that it can go on with our state (renew.go, state.go).
//
// A supervisor that closes its socket and stays can be told nothing any more: it is killed
// after hangUpLimit, and replaced. One that hangs with its socket open is not judged here.
//
// One thread, one epoll loop, no lock; one goroutine that passes on signals, for life.
// Standard library without fmt, net and encoding, and x/sys only: it must be small enough to
// be right. It refuses: paths but those of the two programs, names of zones, policies.
//
// How it dies: with the supervisor that says Quit or goes below ready; by a signal it does
// not survive, and then the supervisor sees the end of the socketpair and halts the zone.
//
// The protocol is one message per packet of a SOCK_SEQPACKET socket: an operation byte, a
// name or number, a payload; descriptors attached (proto.go). Supervisor and keeper are
// replaced at different times, hence the version in Hello.
package keeper
