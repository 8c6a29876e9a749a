// Package client is a Store at a repository's door: what programs in a zone use that do not hold
// the repository themselves.
//
// A Client keeps one connection and uses it again. When the server ends and another one comes, the
// client finds it by itself, and waits for it as long as Config.Patience says. What was under way
// then:
//
//	what reads         is asked again
//	a batch that was   is sent again
//	 not sent whole
//	a batch that was   the same server is asked again, with the batch's id: it is done once
//	 sent whole        another server is asked again when each change of the batch is guarded by
//	                   what it expects; that fails when it was done, which is ErrUnknown, since it
//	                   fails likewise when somebody else was faster
//	                   any other batch is ErrUnknown
//	a watch            ends: repo.ErrClosed
//
// It links neither net nor encoding/json, and formats nothing.
//
// Who may call: commands. No goroutines. Locks: Client.mu, held for a whole call, waits included:
// who wants to ask several things at once opens several. How it dies: with Close, or killed; the
// server notices.
package client
