// Package crash kills every program of the product at every one of its steps, and looks whether
// anything was lost. There is nothing in it but tests; hack/crash makes the table of them,
// docs/CRASHES.md.
//
//	supervisor_test.go  zoned, at each point of its journal, in every operation
//	clients_test.go     zoneadm and zlogin, at each call that changes something
//	inner_test.go       zrun, and svc.startd: the same
//	stop_test.go        SIGSTOP instead of SIGKILL; the keeper itself killed
//	random_test.go      kills at random, of all of them, under load
//	cycles_test.go      boots and halts, attaches and aborts: what the survivors hold stays flat
//
// Nobody writes a list of the points. Those of zoned are what one that was built with the tag
// crashpoints says it passes, in a run in which nobody is killed; the sources are read for steps
// and points that no such run passes (known_test.go). The other programs need not be built
// otherwise: each is traced, and a point is every system call that changes anything or waits for
// somebody (calls_test.go, trace_test.go). A point that was found and then not reached by the run
// that was to be killed there is a failure.
//
// Without -full a part is taken, another one each time, by a seed that is printed; -seed takes the
// same again. That all points are known is looked at each time.
//
// Oracles are independent of the product: /proc, cgroup file systems, a witness in the zone.
package crash
