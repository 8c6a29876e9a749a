// Package server serves a repository at its door. The protocol is package door's.
//
// It owns a listening socket, the connections that come of it, who they are, and how the batches
// of late ended. It promises:
//
//   - Whoever connects is asked of the kernel who he is, once for each connection. Root of the zone
//     may do everything; what others may, is decided in permit.go and protect.go, for a batch
//     inside of its own transaction.
//   - A view of the repository is held while an answer is encoded, never while it is sent.
//   - A client that says nothing, or half of something, or does not read, holds up nobody: there
//     are deadlines, and a limit to the connections and to the bytes on their way of each user.
//     Where a limit is reached, the connection that has rested longest gives way and is told so.
//   - A client that dies leaves nothing behind: a batch is done when all of it has come, or not
//     at all.
//   - A batch that is sent again with the same id, because the connection broke, is not done
//     again. See answered.go for how long that is so.
//   - Who watches is told of changes until he or the server ends; what he is too slow for is told
//     as Resync.
//
// It refuses messages that make no sense, and closes the connection.
//
// Source of behaviour: smf_security(7), svc.configd(8).
//
// Who may call: svc.startd, which holds the repository. One goroutine accepts, one serves each
// connection, and one more listens to each that watches; all are of the server's group, and Close
// waits for them. Locks: roster.mu, answered.mu and lines.mu, each held alone and never across
// a call that can wait. How it dies: with Close, or killed; nothing must be undone.
package server
