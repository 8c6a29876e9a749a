// Package mnttab is /etc/mnttab of a zone, as mnttab(5) of the original describes it: a live
// table of mounts. It is a FUSE file system whose root is one regular file, which is mounted
// over the zone's /etc/mnttab; whoever opens it reads the mounts of its own mount namespace,
// as far as its own root directory reaches.
//
// A line a mount: special, mount point, type, options and time, separated by tabs, oldest
// first, which is the order of /proc/PID/mountinfo (the order in which the mounts were made
// since Linux 6.8, that in which they were attached before). Of the options zone=NAME and
// dev=HEX are the last. The time is when the server first saw the mount, in seconds. A blank,
// tab, newline or backslash in a field is three octal digits. A zone is not told what its file
// systems lie on outside.
//
// It promises:
//   - What an open file reads is one state of the table: a snapshot made at open. A read at
//     its beginning, if something was read before, makes a new one, as in the original.
//   - A process is never given the mounts of another namespace than that of who opened the file.
//   - The file's time of modification changes when the reader's table does. poll(2) tells of
//     POLLIN, POLLPRI and their bands when the table differs from the snapshot, and waits
//     otherwise.
//   - A server that was killed is replaced without the readers noticing. A snapshot that the
//     next one cannot make again, since the table has changed, is an error (ESTALE) and never
//     a mixture.
//   - Times stay the same over a restart.
//
// It refuses to be written (EROFS), more than HandlesMax open files or HandlesPerUserMax of
// one user (ENFILE, EMFILE), and a table of more than TableBytesMax (EFBIG).
//
// Not told apart: a file system that was unmounted and mounted again in the same place, under
// the same mount id, before anybody looked; its time is that of the first mount. A change of
// a file system's own options that was made in another namespace shows in every new snapshot,
// but wakes nobody.
//
// A Server belongs to the goroutine that is in Run; Watch may be called from any. It starts
// none. While a process polls the file, the server holds its mount namespace, as that process
// does itself, and for a moment that of who read last; so Close it before the zone's file systems are taken away.
package mnttab
