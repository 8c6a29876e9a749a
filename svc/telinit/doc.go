// Package telinit is the commands that ask a zone's init for something.
package telinit
