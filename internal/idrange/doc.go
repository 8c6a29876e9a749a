// Package idrange leases ranges of host user and group ids to zones: 65,536 each, from ready
// to halt. The files of a zone lie unshifted on disk (its root is an idmapped mount), so a
// range need not be the same at the next boot, though it is when nobody took it meanwhile.
//
// Leases are the host's, not an instance's: they lie in one directory for every ZONES_ROOT,
// so that zones of two instances never share an id. A lease is a symbolic link, made
// exclusively, from the range's number to its owner. Leases of another boot of the host are
// dead. A range that /etc/subuid, /etc/subgid or /etc/passwd already uses is never leased.
package idrange
