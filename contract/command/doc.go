// Package command starts an exec.Cmd in a process contract. It stands apart from package
// contract so that os/exec is linked only where it is used.
//
// It has no state and no goroutines but exec.Cmd's own.
package command
