// Package quota has the kernel hold what a zone's projects and pools bound: how much the processes
// of several contracts take together, and on which processors those of one run.
//
// A project's processes live below one directory of the unified hierarchy, gN/pID, which package
// kernel makes. Where that hierarchy has a controller the bound is written there. Where a host has
// the controller in a hierarchy of its own (version 1), the directory has a twin in that one, at the
// same path below its mount: whoever comes into the first has to be moved into the twins as well,
// before it does anything.
//
// It promises:
//   - A bound that cannot be held is an error, and nothing of the project's has changed then.
//   - All bounds of a project hold before this returns, so before anybody is born in it.
//   - What a zone says never decides where something is written: names of directories are made of
//     numbers, or of names that were checked.
//   - Directories of old hierarchies carry the mark of the zone's (xattr), so that what is left of a
//     dead zone is found.
//
// What is left behind: controllers that were enabled in directories above the zone's stay enabled
// there, as they are on any host where somebody has limits.
//
// Who may call: room kernel; zoned, for Forget at a zone's halt. No goroutines, no locks, no state
// but what the files say: a supervisor that was killed has nothing to remember.
//
// Source of behaviour: cgroups(7), cpuset(7) and the kernel's cgroup-v2 document; project(4),
// resource_controls(7), rcapd(8).
package quota
