// Package handover makes the last moment of a process image clean: what the programs in a
// zone leave to the image that they execute.
//
// The trampoline becomes a zone's init, enter becomes a user's shell, and init's children
// become shells and daemons. None of them may find a descriptor of the host, a signal that
// is ignored or blocked because a Go program ran before, capabilities that outlive a change
// of user, or a working directory elsewhere.
//
// It owns nothing and has no goroutines. It refuses nothing: what cannot be cleaned is an
// error, and the caller does not go on. It must not be used by a program that wants to go
// on running with its signals as they were.
package handover
