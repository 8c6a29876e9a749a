// Package idrange leases ranges of host user and group ids to zones: 65,536 each, from ready
// to halt. The files of a zone lie unshifted on disk (its root is an idmapped mount), so a
// range need not be the same at the next boot, though it is when nobody took it meanwhile.
//
// Leases are the host's, not an instance's: they lie in one directory for every ZONES_ROOT,
// so that zones of two instances never share an id. A lease is a symbolic link from the
// range's first id to the boot of the host and the owner. Leases of another boot are dead.
// A range that /etc/subuid, /etc/subgid, /etc/passwd or /etc/group already uses is never
// leased; users that come from elsewhere (LDAP) are not known here.
//
// Whoever looks and takes holds a lock on the directory, for the time of a few system calls
// and waited for at most lockTimeMax. The directory must be ours alone: another's, or a link
// in its place, is refused.
//
// A lease ends by Release, or with the boot. Of an instance that was removed with zones still
// ready, leases are left over; they are taken away when ranges run out, and only when the
// instance's directory is gone and no process has an id of the range.
package idrange
