// Package api is the door: what programs on the host say to a zone's supervisor and what
// it answers, and the client side of it. cmd/zoneadm, cmd/zlogin import it; zoned serves it.
//
// The door is a unix stream socket, DoorName in the zone's state directory (0700, root's).
// A connection carries one request and its replies as frames (package wire: four bytes
// big-endian length, then JSON), so that a caller that hangs holds up nobody but itself.
// Replies are any number of messages, then one result. The server answers nothing (it
// closes) when it is leaving: the client then starts a new one and asks again. When the
// connection ends between request and result the supervisor died: the client connects to
// its successor with the same request id and is told how that request ended, or it is run
// if it had not begun. So no command is lost without an error that says so.
//
// Data comes as lines of up to LineBytesMax, in parts: statuses and events of contracts in
// JSON, which this room passes on and does not know (package contract).
//
// History of the protocol version:
//
//	1  first
package api
