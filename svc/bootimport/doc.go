// Package bootimport is the logic of manifest-import: what a booting zone's repository takes over
// from the directories of manifests and profiles.
//
//	manifest-import -e    early: /lib/svc/manifest, before anything runs
//	manifest-import       late: /lib/svc/manifest and /var/svc/manifest; then the profiles of
//	                      /etc/svc/profile; then what only files describe that are gone goes
//
// The profiles that come with the system stand in /lib/svc/profile. Those that /etc/svc/profile does
// not have are copied there by the late one, so that an administrator finds and changes them where
// the original has them; one that he has taken away before is not to come again: a directory that
// has generic.xml, or a repository to which it was applied, gets none.
//
// Standard output is the log's, a line for each file that was imported; the error output is for
// files that have faults. The exit status is 0, 95 (SMF_EXIT_ERR_FATAL) when there were faults in
// files and the others are done, 1 when the repository failed, 2 for usage.
//
// What stands in /lib/svc/profile and is no file of its own, whose name ends in .xml, is not copied;
// generic.xml is when all others are.
//
// A repository that has not answered once is given up: the files that are left are the next run's.
//
// It promises what package importer does: killed at any time, each file is imported or not, and the
// next run does what is left. No goroutines but the client's.
//
// Source of behaviour: smf_bootstrap(7), svc:/system/manifest-import.
package bootimport
