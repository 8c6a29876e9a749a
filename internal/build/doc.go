// Package build says which build of the software a program is of, and which of two is older.
//
// The linker sets Version (make VERSION=...). A program that takes over what another left
// compares: a newer one understands what an older one wrote, and the other way round nobody
// promises anything (docs/adr/0009-upgrade.md).
//
// No goroutines, no state. Standard library without fmt: the keeper links it.
package build
