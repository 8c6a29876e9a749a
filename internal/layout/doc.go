// Package layout says where an instance of the zones software keeps its files.
//
// It owns names only: it opens and makes nothing. Three trees exist: configuration
// (/etc/zones), run-time state (/run/zones) and zone roots (/var/lib/zones). The
// environment variable ZONES_ROOT puts all three below one directory, so that
// instances and tests run side by side; what is global on the host (cgroup names,
// uid ranges) then carries Tag, so that instances never meet.
//
// Access below Run: Run itself is world-readable, because `zoneadm list` works for
// every user; it holds Status (0755, one world-readable file a zone) and State
// (0700, root's): doors, locks, journals, snapshots. A unix socket is protected by
// its directory, not by its own mode, hence the 0700.
package layout
