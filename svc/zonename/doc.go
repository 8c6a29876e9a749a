// Package zonename says which zone this is.
//
// The name is no secret and no proof: it is for people and scripts. init gets it as ZONENAME
// from outside and leaves it in File, on a tmpfs that only root of the zone writes, so that
// programs without init's environment find it. Without the file the host name serves, which
// is the zone's name until root changes it. On the host the name is "global".
//
// The file belongs to the zone: it is read bounded, and what is not a zone's name is not
// believed. No goroutines, no locks.
package zonename
