// Zsched is the keeper of one zone: the parent of its supervisor, of its init and of its
// logins. zoneadm starts it; it should not be run by hand. For the name "global", which no zone
// has, it is the keeper of contractd, the server of the host's own contracts.
//
// On its standard output it says "\x01ready" in a line of its own when the supervisor serves;
// all else there and on standard error is for a person. It ends with 17 when another keeper
// has the zone, with the supervisor's exit code when that did not come to serve, and with 0
// when the zone needs no supervisor any more.
//
// With -t alone it says by its exit code whether it could go on with the keeper whose state is in
// descriptor 3; with ZSCHED_TOOK in its environment it does, in the process that executed it.
//
// GOMAXPROCS and GOGC of its environment are for itself and not handed on: who starts it makes
// it smaller with GOMAXPROCS=1 and GOGC=20.
package main
