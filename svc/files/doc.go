// Package files tells svc.startd when files come and go that services depend on.
//
//	Want(path) --> stat, inotify on the directories above it --> Change{path, there}
//
// Each path that is wanted is told once at first, and then whenever it has come or gone. A path is
// there when stat(2) finds it, links followed. inotify says at once when something happens in a
// directory above a path; what it does not see (the target of a link
// elsewhere, a file server's side, an overflow of its queue) is seen when all paths are looked at
// again, each lookEvery.
//
// It promises:
//   - Who listens slowly is told the last state of a path, not each between: what is not taken is
//     one record a path.
//   - A path that is not wanted any more is not told, whatever was under way.
//   - A path whose stat never returns (a file server that is gone) delays the others, and nothing
//     else: neither Want nor Next waits for it.
//
// Limits: without inotify (its limits are the user's: fs.inotify.max_user_instances and
// max_user_watches) everything works as fast as lookEvery.
//
// Goroutines: two, of which Close waits for the one that cannot hang; the other one ends when its
// stat does.
package files
