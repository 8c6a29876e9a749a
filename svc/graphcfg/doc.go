// Package graphcfg reads from the repository what the graph of dependencies (package graph) needs
// to know of an instance: graph.Config. svc.startd reads it so, and svcs(1), so that both mean the
// same by it.
//
// Two looks at an instance go into it. What is wished is as it is now, composed: general/enabled and
// general/restarter, general_ovr/enabled, deathrow/deathrow. What it depends on is what it runs
// with: the groups of type dependency of its running snapshot, or of now when it has no snapshot.
//
// # What is a bad dependency
//
// The rules are those of the original's svc.startd:
//
//   - A group without any property is none: it is passed over.
//   - grouping is one string that is not empty: require_all, require_any, optional_all or
//     exclude_all.
//   - restart_on is one such string: error, restart, refresh or none.
//   - entities is there, and of a type that is a string. It may have no values.
//   - type is one such string, "service" or "path", or no entity fits it. A dependency without
//     entities has no use for it.
//   - An entity that begins with "file:" is for paths alone, every other is for services alone, and
//     is the FMRI of a service or an instance.
//
// The first rule that is broken, by the order of groups' names, is Config.Invalid, in one line.
// The groups, and the entities of a group, that break none are given all the same, so that who
// looks at the instance sees them; of the original's graph those after the first mistake are
// missing.
//
// Without a general/enabled that is one boolean an instance is not configured: ErrNotConfigured.
// The original passes it over until it has one, as svccfg creates some in several steps.
//
// Source of behaviour: graph.c and libscf.c of svc.startd, smf(7).
//
// Who may call: svc.startd with a repo.Reader, programs with a door.Store. No goroutines, no locks,
// no state. Limits are the repository's; a value that is quoted in a text is cut at quoteMax.
package graphcfg
