// Package contracts attacks the supervisor's part in contracts: that a zone has them from its
// first instruction, whatever its root and its root's owner do, that killing the supervisor is
// nothing to who uses them, and that nothing of them is left. There is nothing in it but tests.
//
//	served_test.go  what is placed in a zone, and stays
//	kill_test.go    a zone makes contracts and reads their events while its supervisor dies
//	halt_test.go    a halt with readers that wait, with and without a supervisor
//	look_test.go    the door's verbs for the host's tools
//	left_test.go    what is on the host while there are zones, and that it goes
//
// The oracle for events is the workload's own log. The test program is also the workload:
// copied into a zone it plays a role (role_test.go).
package contracts
