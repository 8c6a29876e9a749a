// Package zonefile reads small files that belong to the zone: /etc/passwd, /etc/motd, the
// zone's name. Their owner is hostile at worst: a path may lead to a device, a FIFO, a file
// without an end. So opening never waits and never takes a terminal, only regular files are
// read, and only up to a limit that the caller names.
//
// It follows symbolic links, as every reader of /etc does: the process is inside of the
// zone's root already, and cannot be led out. It must not be used from outside of a zone. A
// file system of the zone's own making (FUSE) can still let a reader wait; pid 1 therefore
// reads nothing.
//
// No goroutines, no locks.
package zonefile
