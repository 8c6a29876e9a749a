// Package repo is the repository of services: their instances, property groups and snapshots, in
// files, for the one process that serves them to all others.
//
//	repository.db        what is persistent, and snapshots
//	svc_nonpersist.db    groups that end with the boot, on a memory file system
//	repository-boot-...  backups
//
// A service has instances; both have property groups; a group has properties, which have a type
// and values. Below a service the same names may be given again by its instance: that is
// composition, see Source. A snapshot is an instance's persistent groups and its service's, as
// they were; by convention there are initial, last-import, previous, running and start.
//
// It promises:
//   - A Batch is done as a whole or not at all, also when the process is killed at any instant or
//     the power goes. When Apply returned, what is persistent survives both; what is not
//     persistent survives the process. See redo.go for a batch that concerns both files.
//   - A View does not change while it is looked at, and neither waits for writers nor has them
//     wait: but for the moment in which a batch commits to both files, when views do not begin.
//   - Each commit is one generation more; each group says at which it was last written, so that
//     whoever read it can have a change refused that is based on something old.
//   - A watcher misses nothing silently: what does not fit into its queue is told as Resync.
//   - What is attached to a snapshot never changes.
//   - Damage is found at Open: each page, each value's checksum, and what the values say of each
//     other. A damaged file is never emptied or mended by guesses: the error names the file, what
//     is wrong, and the good backups, and db_errors holds the same text.
//   - Nothing is kept in memory but what bbolt maps, and Trim gives that back. Everything has a limit, see limits.go.
//
// It refuses names and values that are not well-formed, files of another version, and to be open
// twice. A file that breaks while it is open can still end the process, by a fault in the
// mapping; the next Open says what is wrong.
//
// One value is one group: a property is read with one lookup and written with its whole group.
//
// Source of behaviour: smf(7), svc.configd(8), svcprop(1), svccfg(8). Of backups the originals'
// names and number are kept; their times are UTC.
//
// Who may call: svc.startd, which holds the repository; svccfg, of a file that nobody has open.
// No goroutines. Locks: Repo.writing, then Repo.pair, then those of watchers. How it dies: with
// Close, or killed; nothing must be undone.
package repo
