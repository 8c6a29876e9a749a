// Package admin is what zoneadm does, without its command line: which operation is legal
// in which state, the list of zones, installation and removal, and the calls to a zone's
// supervisor. cmd/zoneadm parses words and calls one method of Admin.
//
// It owns the client's side of the state table (states.go), the order of an operation
// (check, lock, check again, act, write the index), and the words for people. It refuses to
// know how a zone is built (vplat), stored (configs), filled (vplat/image) or run (zoned).
//
// # Locking
//
// Two kinds of holders of a zone's op.lock exist. Who changes what is on disk (install,
// uninstall, mark) holds it alone; who asks the supervisor for a transition holds it
// together with others of its kind, since the supervisor orders those and names the one
// under way to whoever comes second. A lock that is not free is an error at once.
//
// Who looks for what dead zones have left (fsck) holds it together with the latter, and beside it
// the locks of keeper and supervisor, so that neither comes up meanwhile: who starts them tries
// again. Where one of them lives, only what carries the mark of a dead generation is looked at.
//
// # Interruption
//
// An installation or removal that is interrupted, by a signal or by death, leaves the zone
// incomplete: the index says so before the first file is touched. An interrupted call to the
// supervisor goes on there.
//
// Methods print what people should see and return an error for the rest; ErrSaid stands for
// a failure that was already told. No goroutines of its own, no state between methods. It is
// linked into zoneadm only.
package admin
