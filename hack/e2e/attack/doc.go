// Package attack attacks the host and its other zones from a zone's root, with all that it has in
// its user namespace. There is nothing in it but tests.
//
//	host_test.go      the host's /usr, /etc and /var are hashed before all attacks and after
//	entry_test.go     who enters the zone is searched, traced and overwritten on his way in
//	mount_test.go     a zone that may mount: false /proc, masks off, devices, cgroups, settings
//	reach_test.go     what a zone may try to talk to: sockets, keyrings, processes, terminals
//	terminal_test.go  what tools of the host show of the zone's words at a terminal
//	door_test.go      a false repository behind the relay; a door of whoever is there
//	full_test.go      a full disk, no process left to fork, a console and a log that are flooded
//	restless_test.go  a zone that boots itself again and again
//	setuid_test.go    programs that give who runs them what he does not have
//	graft_test.go     what is shared, or a root, lies behind a link that a zone has put there
//	swap_test.go      a zone that exchanges names in what it shares with one that is being built
//
// hack/e2e/hostile attacks the supervisor's door and the making of a zone; this package attacks
// from within. The test program is also the attacker (role_test.go, racer_test.go): copied into
// the zone it plays a role there. What an attack has reached it prints, a line each beginning
// with "reached"; that it took place at all it proves by counts, which the test looks at.
//
// Attacks that fill something are bounded by what the test itself gives the zone: a disk of some
// megabytes, a number of processes.
package attack
