// Package image puts a zone's root file system on disk and takes it away again. It is
// what `zoneadm install` and `zoneadm uninstall` do below a zonepath.
//
// # What it owns
//
// ZONEPATH (0700, root's) and ZONEPATH/root (0755, root's). Nothing else is written, and
// nothing outside is opened for writing. Ids on disk are not shifted: root of the zone is
// 0 on disk, and an idmapped mount shifts it later. So files with setuid root lie on the
// host's disk, and the 0700 of the zonepath is what keeps the host's users from them:
// every entry point checks it.
//
// # Three sources
//
//   - Sparse: the private part of a zone that borrows the host's /usr. Made from tables
//     (sparse_table.go): what is not listed there is not in the zone.
//   - Archive: tar, plain or compressed with gzip, xz or zstd, told apart by content.
//   - Directory: a faithful copy of a tree that others may change while it is read.
//
// # What it promises
//
// Archives and directories are hostile input. No name from them is ever joined to a path
// and opened: each is resolved by openat2 relative to a descriptor of the root, without
// following any symbolic link and without crossing a mount, and acted upon by *at calls
// on the descriptor of its parent. Devices are never made (the platform builds /dev from
// scratch), sockets neither. Limits stand in limits.go; reaching one is an error with a
// name. Text taken from an archive is quoted before it is shown to a person.
//
// Install does not clean up after itself when it fails or is cancelled: the caller has
// marked the zone incomplete, and Uninstall removes whatever is there. Before Install
// returns without error, the file system has been synced.
//
// Uninstall removes any tree that a zone can leave behind: any names, any depth,
// immutable files. It uses a bounded number of descriptors, never crosses a mount, and
// when it was interrupted at any point, repeating it finishes the work.
//
// # Why the decoders run in this process
//
// Unpacking in a confined child protects against a decoder whose memory is corrupted by
// its input. Here the decoders (gzip, xz, zstd, tar) are Go, where hostile bytes cause an
// error or a panic but no write out of bounds; a panic is caught and becomes ErrCorrupt.
// What is left is the use of resources, and it is bounded where it arises: the sizes of
// the xz dictionary and of the zstd window are checked before the decoder allocates
// them; bytes, entries, depth, name lengths and the ratio of expansion are counted;
// time ends with the context. A child would need the same capabilities over the target
// file system as its parent (chown, setuid bits, file capabilities), so it would confine
// little, and the file system calls are confined by resolution already. The trade is
// looked at again if a decoder in C is ever linked.
//
// # What it refuses
//
// Archives that contain a name outside of the root, a name that passes through a symbolic
// link, a hard link to anything but a regular file of the archive, ids above 65535,
// trusted.* attributes, whiteouts of image layers, or two entries of different kinds
// under one name; trees that are no operating system; zonepaths that others could swap.
//
// # Goroutines, locks, death
//
// None and none: everything happens on the caller's goroutine. Two calls for one zonepath
// must not overlap; zoneadm's lock of the zone sees to it. Killed at any instant, it
// leaves a tree that Uninstall removes.
//
// Callers: zoned/admin, which is what cmd/zoneadm does. Do not use it on a zone that is ready or running: the zone owns
// its names then.
package image
