// Zoneadm administers the zones of this host: see zoneadm(8). It takes its command line
// apart, puts together what carries it out (package zoned/admin), and turns the result into
// one line on standard error and an exit code: 0 done, 1 failed, 2 the command line makes no
// sense.
package main
