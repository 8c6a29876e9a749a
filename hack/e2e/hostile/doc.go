// Package hostile attacks zones' supervisors and the making of zones: who may not call, who
// says nonsense or nothing, and a zone whose files are traps. There is nothing in it but tests.
//
//	caller_test.go    users without privilege; callers from within zones and other namespaces
//	door_test.go      what is said at the door: garbage, halves, replays, descriptors
//	silence_test.go   who says nothing, reads nothing, leaves, or comes a thousand times
//	console_test.go   the same at the console
//	message_test.go   every message has a key and its arguments
//	trap_test.go      a root whose mount points are links out of it, still and moving
//
// Sockets are opened to everybody and put into zones by the tests themselves, so that it is
// the supervisor that refuses, not a directory's mode. "Nobody else waits" is shown by whole
// commands of others that end while the attack lasts, never by the clock.
//
// The test program is also the attacker: copied to where it is needed it plays a role
// (role_test.go).
package hostile
