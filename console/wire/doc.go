// Package wire is the first line each side of a console connection says, the frames that follow
// it between programs of ours, and the texts that are put between the zone's output.
//
//	client                                              supervisor
//	IDENT <pid> <locale> [<d> [resume=<from> [v=<version> as=<role>]]]\n   -->
//	                                <--  OK\n                                without resume=
//	                                <--  OK <epoch>:<pos>\n                  with it
//	                                <--  OK <epoch>:<pos> v=2 as=writer\n    with v= too
//	                                <--  OK <epoch>:<pos> v=2 as=reader[ pid=<of the writer>]\n
//	                                <--  <pid of the writer>\n, and the end
//	                                <--  FULL <readers>\n, and the end
//
// The line without resume= and its answer are those of zlogin and zoneadmd of Solaris (d is
// 1 for zlogin -d; a client older than that flag leaves it out). The rest is ours:
//
//	resume=-               from now on, as without it
//	resume=history         from the oldest byte that is still kept
//	resume=screen:<rows>   from where the last so many lines begin; with v= only
//	resume=<epoch>:<pos>   from that position, by a client that lost its supervisor
//
//	as=writer  types; refused while another does. With a position: it did before its supervisor
//	           died, and if another has the console since, it is a reader
//	as=reader  watches
//	as=taker   types; whoever did becomes a reader
//
// A position is a number of bytes; the answer's is that of the first byte that follows it. The
// epoch (16 hexadecimal digits) names the memory that positions count in.
//
// Without v= the lines are followed by raw bytes both ways. A connection with positions carries
// the console's bytes and nothing else, so that the client can count; what a connection of the
// original's form may carry beside them says the package console.
//
// With v=2 they are followed by frames both ways: a kind, three bytes of length, and so many
// bytes. So nothing that is said beside the output can be taken for it, nor be forged by it.
// History of versions: 1 (no v=) has raw bytes and one client; 2 has frames, roles and sizes.
// A supervisor answers with the older of its version and the client's; words of a newer version
// stand after as= and are ignored by an older one. A supervisor of version 1 hangs up on v=,
// and its client tries again without.
//
// The package is pure: no descriptor, no goroutine, no lock. Everything given to a parser is
// hostile.
package wire
