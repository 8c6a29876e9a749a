// Package prompt reads lines from a terminal: with editing, history and completion.
//
// The terminal is in raw mode only while a line is read, so output of commands needs no
// care. It is put back on every way out: end of line, ^C, end of input, and the signals
// that end a program, after which the signal is sent again to be died of. Only SIGKILL
// leaves it raw.
//
// A hang-up is not an end of input: ^D says that the user is done, a vanished terminal
// says nothing, so it is an error (ErrHangup).
//
// Goroutines: one that waits for signals, from New until Close. mu guards what it and
// the reader share, the saved mode. Everything else belongs to the caller's goroutine.
package prompt
