// Package events holds what contracts tell against what really happened, and measures how fast
// what must end does. There is nothing in it but tests.
//
//	killers_test.go  who killed it: thousands of random deaths by random senders, each written
//	                 down by its killer before it strikes
//	storm_test.go    a storm of forks while the supervisor is killed again and again
//	rigid_test.go    daemons and fork bombs stay in their contract, and end with it
//	owner_test.go    what becomes of a contract whose owner is killed
//
// The oracle is the workload's own log: victims, killers, births and ends are written by those
// who do them, with one write(2) each. Events are read through every way there is (the files,
// the library, ctwatch inside and outside) and taken apart here anew (told_test.go): nothing of
// the product's own parsers takes part in a verdict. What compares the two (judge_test.go) is
// itself tried on planted flaws.
//
// The test program is also the workload: copied into a zone it plays a role (role_test.go).
// Victims are bare forks of it without a runtime (bare_test.go), since a signal's default
// action is what kills them.
//
// How much is done comes from flags: -kills, -zoned-kills and -forks. The defaults are for
// every run of the tests; -full stands for the whole.
package events
