// Package zonecfg is the command zonecfg: a session that edits the configuration of one
// zone, command by command.
//
// A Session owns a working copy. Nothing reaches the disk before commit, which runs
// verify first; the end of the input and exit commit what was changed. Two things
// differ from the original on purpose: when commands come from a file, a pipe or the
// command line, the first mistake ends the session and nothing is committed that was
// not committed before; and delete refuses an installed zone even with -F.
//
// The schema (schema.go, globals.go) is tables: which resources and properties exist,
// how they are kept in a configs.Zone, and which of them a zone may have one of. set,
// add, remove, clear, select, info, export and the completion of names all work from
// these tables. What a value may be is checked by package configs.
//
// A Session belongs to one goroutine. It asks questions and reads lines through the
// interfaces that it is given; package prompt has those for a terminal.
//
// Messages that the original has are in its words, on one line, and go on to say what
// is allowed. Errors go to Err, what was asked for to Out. Exit codes: 0 when all went
// well, 1 after any error.
package zonecfg
