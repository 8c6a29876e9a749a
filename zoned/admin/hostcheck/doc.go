// Package hostcheck says what a host offers and lacks for zones, and what follows: the
// answer of `zoneadm check`.
//
// Two halves: Host asks the kernel by trying, not by its version where it can be helped, and
// gives Facts; Run judges Facts, purely, and gives a Report. A probe leaves nothing behind.
// Without privilege some probes are impossible; the facts then are unknown, not absent.
//
// No goroutines, no locks, no state. Linked into zoneadm only.
package hostcheck
