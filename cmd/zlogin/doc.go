// Zlogin enters a zone: see zlogin(8). It takes its command line apart, refuses what makes no
// sense in the zone's state, and calls one of two rooms: console/client for -C, zoned/admin/login
// for the rest. Its exit code is a command's own; 1 when the zone could not be entered, 2 when
// the command line makes no sense.
package main
