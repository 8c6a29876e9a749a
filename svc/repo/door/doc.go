// Package door is the repository as it is served in a zone: what programs say to the process that
// holds it and what that answers, and Store, which is what programs use, whether they work at a
// door (package client) or on a file that they opened themselves (Local).
//
// The door is a unix stream socket, by default /etc/svc/volatile/repository_door, that everybody
// may connect to. Frames are those of package wire: a length, then so many bytes. Numbers are
// varints, strings have their length before them; a message that has anything left, or too
// little, is refused.
//
//	greeting   version, "hello", generation, epoch
//	request    version, verb, what the verb takes
//	answer     version, status, generation of the repository, what the verb gives
//
// The server greets first. Its epoch is a random number of the process: who was cut off knows by
// it whether the server is the one that took the request. One request of a connection is under
// way at a time. The statuses are in message.go, the verbs with who may call them in verbs.go,
// what the errors are in errors.go.
//
// What is read is encoded while a view of the repository is held, and sent when that is over: a
// slow reader holds no transaction. More than fits into an answer is read page by page. Each page
// says of which generation it is; one of another generation than the first is ErrMoved, and the
// client begins anew.
//
// A batch has an id that the client chose. A server remembers for a while how a batch ended, in its
// memory alone, and gives the same answer again to whoever asks with the same id. What a killed
// server did with a batch is not known to the next one: see ErrUnknown.
//
// History of the protocol's version:
//
//	1  first
//
// Source of behaviour: smf(7), svc.configd(8), smf_security(7).
//
// Who may call: package client, package server, and programs that hold a Store. No goroutines, no
// locks but those of package repo.
package door
