// Package e2e attacks the whole: the real programs, real zones, through the command line, as
// an administrator and his accidents would. There is nothing in it but tests.
//
//	life_test.go      states, verbs, refusals, what comes from inside, an init that dies
//	takeover_test.go  a supervisor killed, stopped, replaced by a newer one, in every state
//	crash_test.go     a supervisor killed before and after every line of its journal
//	storm_test.go     fifty kills while a zone saturates its console: every byte compared
//	race_test.go      two callers at once, twenty zones at once, a hundred lives in a row
//	halt_test.go      halt always ends: whatever the zone's processes do
//	login_test.go     what passes through zlogin, and what does not
//
// Oracles are independent of the product where they can be: /proc, the cgroup file system, the
// workload's own records. No verdict depends on how fast the machine is; figures are logged.
//
// The test program is also the workload: copied into a zone it plays a role (role_test.go).
package e2e
