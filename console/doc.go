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
//
//	 listener (kept by the keeper) --> accept --> handshake goroutine --> loop.welcome
//	                                              Authorize, IDENT         holder, place, reject
//
// It owns the listener, its mapping of the ring and every connection; the pty master only as
// far as input goes, which is written and never read here.
//
// It promises:
//   - Exactly one client, the holder, gets the console; another is told the holder's process
//     number. A client that says nothing, or nonsense, keeps nobody waiting.
//   - What a client gets are the ring's bytes, each once and in order. When some were
//     overwritten before it took them, it is told how many: one that counts positions by being
//     disconnected with its place kept (its own text then says it, and the count stays right),
//     one of the original's form by a text between the bytes.
//   - A client that takes nothing delays the zone's writers by 250 ms once, and then no more
//     until it has caught up. One that takes little (under 64 KiB a second) counts as such.
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
// more for each connection that has not identified itself (at most 32, for at most 5 s). Locks:
// Server.mu for the requests to the loop, handshakes.mu and refusals.mu; none is taken with
// another held.
//
// How it dies: Shutdown closes everything and waits for all goroutines, and leaves in the ring
// what a successor needs. A kill leaves the same.
//
// Not here: the sanitising of the zone's bytes. The console is raw by its nature, and its client
// says so; what is shown anywhere else must be made harmless by who shows it.
package console
