// Package console serves a zone's console to its clients (zlogin -C), for a supervisor that
// may be killed at any instant.
//
//	 zone                keeper                    supervisor                      client
//	                 (never dies)              (this package)               (console/client)
//
//	/dev/console      pty master                                              terminal, raw
//	  | ^               |     ^                                                  ^     |
//	  v |               v     |                                                  |     v
//	[pty slave] ---> read   write <----------- input.put <--- 4 KiB ----------- [socket] escapes
//	                    |                        (full: the client's socket         ^
//	                    v                         is not read)                      |
//	 Append ------> [ring, 1 MiB memfd] ----> ReadAt ---- 64 KiB ---> send ---------+
//	 (notices)        head     ^                 |
//	                    |      +--- cursor <-----+  what every client that may hold the
//	                    |           zone up has got
//	                    +== DataEvent ==> loop       loop == RoomEvent ==> keeper
//	                    |
//	                    +-------------------> logger --> ZONE.console (console/logfile)
//
//	 listener (kept by the keeper) --> accept --> handshake goroutine --> loop.welcome
//	                                              Authorize, IDENT         holder, place, reject
//
// It owns the listener, its mappings of the ring, every connection and the log; the pty master
// only as far as input and the size of the window go, which are written and never read here.
//
// It promises:
//   - At most one client, the writer or holder, types; another is told the holder's process
//     number, or takes its place if it says so. Up to 64 readers watch, and what they send goes
//     nowhere. A client that says nothing, or nonsense, keeps nobody waiting.
//   - What a client gets are the ring's bytes, each once and in order. When some were
//     overwritten before it took them, it is told how many: in a frame; a client of our first
//     version, which counts raw bytes, by being disconnected with its place kept (its own text
//     then says it, and the count stays right); one of the original's form by a text between
//     the bytes.
//   - A writer's client that takes nothing delays the zone's writers by 250 ms once, and then no
//     more until it has caught up. One that takes little (under 64 KiB a second) counts as such.
//     A reader delays nobody.
//   - The log has every byte that the ring had, or says how many are missing. A slow disk delays
//     the zone by 100 ms, and not again for a while that grows from a second to a minute; a full
//     one not at all.
//   - When a supervisor dies, its successor keeps the cursor and the holder's place for a
//     second, so that a client that reconnects misses nothing.
//   - Input is never dropped while the zone has a terminal, and never delays output. Without a
//     terminal it is discarded, as by the original. What is between a client and the terminal
//     at the moment a supervisor is killed, is lost: bytes that the zone was not yet given.
//
// It refuses peers that Authorize refuses, before it reads a byte of theirs, and identifications
// with another process number than the kernel's.
//
// Who may call it: the supervisor. Any goroutine may call a Server's methods.
//
// Goroutines: one loop, which owns all state of the clients and waits in an epoll set; one
// more for each connection that has not identified itself (at most 32, for at most 5 s); one that
// writes the log. Locks: Server.mu for the requests to the loop, handshakes.mu, refusals.mu, and
// holds.mu for the ring's cursor; none is taken with another held.
//
// How it dies: Shutdown closes everything and waits for all goroutines, and leaves in the ring
// what a successor needs. A kill leaves the same. For the log it waits 2 s: a disk that stands
// still leaves that goroutine behind, with nothing but its own mapping and file.
//
// Not here: the sanitising of the zone's bytes. The console is raw by its nature, and its client
// says so; what is shown anywhere else is made harmless by who shows it, with console/vt.
package console
