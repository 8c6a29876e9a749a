// Package login is what zlogin does but for -C: a session on a terminal of the zone's own, or
// a command whose streams and exit status are passed on.
//
//	interactive   person's terminal, raw <-> escapes <-> master of a pty made in the zone
//	command       stdin  -> pipe -> command's 0
//	              stdout <- pipe <- command's 1     stderr <- pipe <- command's 2
//
// The supervisor starts the process and says how it ended; no byte goes through it, so it may
// be killed and replaced meanwhile. No descriptor of the host's gets into the zone: pipes are
// made for the purpose even where zlogin's own streams are files already, and the terminal is
// made by the zone's side.
//
// It promises:
//   - The terminal is put back on every way out but SIGKILL, and while it is stopped (TSTP).
//   - Output is complete: what the command and its children wrote until it ended is passed on,
//     however slow the reader. A child in the background that keeps a stream open holds
//     nobody up for longer than drainMax after that.
//   - The exit status is the command's: its exit code, or 128 and the signal that killed it.
//     When it cannot be known, that is said and the exit code is 1.
//   - Input is not read before the command runs: what was typed ahead belongs to the shell if
//     the login fails.
//
// Goroutines: one for the call at the door, one for each direction of bytes, one for signals;
// Run waits for all of them, but for one that is stuck in a write to standard output or error
// when it must end nevertheless. Signals are the process's, so it runs once a process. Linked
// into zlogin only.
package login
