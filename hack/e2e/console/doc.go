// Package console tests the consoles of real zones with many clients: who types and who watches,
// supervisors that are killed while the zone writes as fast as it can, readers that stand still,
// the log on disk, recordings, and what a zone may try against a watcher's terminal. There is
// nothing in it but tests.
//
// What the zone writes are numbers, a line each: the byte at any position is known without
// keeping what came before, so every byte that anybody got is compared.
package console
