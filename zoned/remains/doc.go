// Package remains knows what a generation of a zone makes on the host, how it is told to be
// ours, and how it is taken away when its generation is dead. zoned asks it after each halt,
// `zoneadm fsck` at any time. The table in docs/ARCHITECTURE.md ("What a zone makes on the
// host") says the same for people, and a test holds the two together.
//
// A generation is a zone between ready and halt. Its number is never given twice in an
// instance. What the kernel shows to everybody carries a mark (mark.go): the boot of the host,
// the generation, the zone, and the instance by a hash that cannot be hit by chance. What lies
// below the instance's own run-time directory is ours by its place. A lease of user ids names
// its owner. What is none of these is somebody else's, however much it looks like ours: it is
// never touched, and not counted.
//
// It promises: Find changes nothing. Item.Remove takes away one thing, again only after it has
// looked whether it still is what was found, and never follows a symbolic link. What a
// generation has that the zone's journal speaks of is not found: the journal is read after the
// look, and a generation is in it before it makes its first thing (ledger.go).
//
// It refuses: paths below a zone's root; things of another instance; things without a mark.
// Names that come from the host's tables are whatever somebody chose: whoever prints them makes
// them printable. What it does not see: mounts in other mount namespaces than the caller's, and
// processes that somebody on the host has moved out of the zone's cgroups, unless they keep a
// lease from being given back.
//
// No goroutines, no locks, nothing kept between calls. Limits: devicesMax, itemsMax,
// mountinfoMax, ledgerMax; beyond them it says ErrMany rather than half of the truth.
package remains
