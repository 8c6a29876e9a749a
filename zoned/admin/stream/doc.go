// Package stream has a program of a zone as a connection: what is written goes to its standard
// input, what it writes is read. So a program of the host talks to a server within a zone without
// opening anything below the zone's root: the one that connects is a process of the zone.
//
//	program here <-> pipes <-> a command that runs as root of the zone, without a shell
//
// The supervisor starts the command as it starts a login's, checks the caller as it does there,
// and records it. No descriptor of the host's gets into the zone but the pipes, which are made for
// the purpose.
//
// It promises:
//   - A program that cannot be started, or ends with a status other than 0, is an error of Open or
//     Read, with the last line that it wrote to its error output, in printable characters.
//   - The context of Open bounds the start alone: what runs is ended by Close.
//   - Close ends the program's input, waits for its end for endMax, and leaves no goroutine.
//   - What the program says is a stranger's: of its error output errorBytesMax are kept.
//
// Goroutines: one for the call at the supervisor's door, one for the error output; Close waits for
// both. Who may call: programs of the host's administrators.
package stream
