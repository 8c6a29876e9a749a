// Package importer does to a repository what manifests, profiles and archives say: svccfg import,
// apply, restore, cleanup and delhash, and the import of whole directories when a system boots.
//
// A file is one batch: planned from one view of the repository, refused by the repository when
// anything was changed meanwhile, and then planned again. So a file is imported as a whole or not
// at all, whoever is killed and whenever, and nobody sees an instance that is enabled without the
// configuration to run with. That is what the original's order is for, which imports
// general/enabled last.
//
// What becomes of a service that a manifest describes:
//
//	not there        it is made, with snapshots initial, last-import and running
//	there            package upgrade decides by three sides: last-import, what is there, the manifest
//	no last-import   only what is missing is added
//	instance gone    stays: an administrator may run it
//	dependent        a dependency of the other service or instance, with external=true; named in group
//	                 dependents of its owner, decided by three sides too, and refreshed there. When the
//	                 other is not there yet, a bare one is made, which its own manifest fills.
//
// The snapshot last-import is what the manifest said, not what is there: the groups of the
// document and those of its dependents, without general/enabled. The service's part of it is the
// same in all its instances; of those that the manifest names one counts before others. A service
// without instances has none, and only ever gets what it lacks. The snapshot previous is what was
// there before an import that changed something. An import that changes nothing writes nothing.
//
// Files are tracked in svc:/smf/manifest, a group for each: md5sum of the content with all that it
// includes, manifestfile, and support, the services and instances that it describes. So a file is
// imported again when its content has changed and not when its time has, unlike with the original;
// a profile is applied once, as with the original. Two files that would have one group of the
// original's name have two. What a repository has no group left for is imported each time. A
// service's group manifestfiles names its files.
//
// Cleanup takes away what only files that are gone describe. It keeps, and names, what is an
// administrator's: a service of which an instance was not imported, or differs from its
// last-import in more than general. What is kept is no file's any longer. The dependencies
// that other services have put into one that goes stay, in a bare one.
//
// A directory is walked from its descriptor. Symbolic links count when what they name is a file
// within the directory; other things than files are told and never opened. Whatever is wrong with
// one file is told and does not stop the others.
//
// Source of behaviour: svccfg(8), smf(7), smf_bootstrap(7), service_bundle(5).
//
// Who may call: svccfg, and what imports at boot, with a repository behind a Store: Local, or At a
// door. No goroutines, no locks, no state but the repository's. Not for resident programs: it links
// encoding/xml. How it dies: killed at any time, each file is imported or not, and the next run does
// what is left.
package importer
