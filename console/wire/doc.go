// Package wire is the first line each side of a console connection says, and the texts that
// the supervisor puts between the zone's output. After these lines a connection carries raw
// bytes both ways, without frames.
//
//	client                                              supervisor
//	IDENT <pid> <locale> [<d> [resume=<from>]]\n   -->
//	                                               <--  OK\n                 without resume=
//	                                               <--  OK <epoch>:<pos>\n   with it
//	                                               <--  <pid of the holder>\n, and the end
//
// The line without resume= and its answer are those of zlogin and zoneadmd of Solaris (d is
// 1 for zlogin -d; a client older than that flag leaves it out). resume= is ours:
//
//	resume=-               from now on, as without it
//	resume=history         from the oldest byte that is still kept
//	resume=<epoch>:<pos>   from that position, by a client that lost its supervisor
//
// A position is a number of bytes; the answer's is that of the first byte that follows it. The
// epoch (16 hexadecimal digits) names the memory that positions count in. A connection with
// positions carries the console's bytes and nothing else, so that the client can count; what
// a connection of the original's form may carry beside them says the package console.
//
// The package is pure: no descriptor, no goroutine, no lock. Everything given to a parser is
// hostile.
package wire
