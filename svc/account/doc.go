// Package account knows a zone's users and groups: /etc/passwd and /etc/group, as they stand
// in the zone, and nothing else. There is no NSS: code of the zone's libraries is not loaded
// into a program that is still root, and a name server that hangs does not keep root out.
//
// The files are hostile input: their size, the length of a line and the number of groups
// have limits. A line that breaks one, or that makes no sense, is skipped and counted, so
// that a damaged file does not keep root out either; who finds no user is told of it.
//
// No goroutines, no locks, nothing is cached.
package account
