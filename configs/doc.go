// Package configs owns what a zone is configured to be: the types, their checks, and
// the files below /etc/zones that hold them.
//
// It promises:
//
//   - A commit is atomic. Whatever instant the power goes, the zone is what it was
//     before or what was committed, in the index and in its own file alike.
//   - Nothing is lost between two editors. A commit says which configuration it was
//     made from; when another one is on disk by then, it is refused with ErrConflict
//     and nothing is written.
//   - What is on disk was checked. Commit validates; Load only decodes, so that a file
//     spoiled by hand can still be opened and mended.
//   - A running zone never changes under a commit: Snapshot freezes the configuration
//     at ready, and whoever acts on a live zone reads that one.
//
// It refuses to know how a zone is built: vplat turns a Zone into mounts and
// namespaces. It never touches a path below a zone path.
//
// # Files
//
//	/etc/zones/index        one line a zone, name:state:zonepath:uuid
//	/etc/zones/NAME.xml     one configuration, in the elements of zonecfg.dtd.1
//	/etc/zones/SUNW*.xml    templates; the built-in ones serve where no file is
//	/etc/zones/.intent      a change under way that spans several files
//	state/index.lock        who holds its lock may write the above
//	state/NAME/snapshot.xml the configuration as it was at ready
//
// A change of one file is one rename. A change of several (creation, deletion, a new
// name or zone path) is first written whole to .intent: the rename of that file is the
// moment of the commit. What follows only copies it into place, and whoever comes next
// completes it. Readers without privilege cannot complete it, so they look through it.
//
// # Concurrency
//
// A Store is stateless: any number of goroutines and processes may use one. Writers
// serialise on an OFD lock, held for milliseconds; readers take none, and read again
// when the files changed meanwhile.
package configs
