// Package oci carries a vplat.Plan out: it is the only room that imports libcontainer, and
// is linked into zrun only.
//
// The order, and what a kill at each point leaves:
//
//	1 a private mount namespace (zrun is started in one): goes with the process
//	2 the holder makes the zone's user and cgroup namespaces; descriptors keep them
//	3 the root is put together from idmapped clones and overlays below a tmpfs: goes with 1
//	4 libcontainer makes the other namespaces, mounts, masks, devices, console; the
//	  trampoline waits. From here the zone's init is left when zrun dies; the supervisor
//	  kills it with the generation's cgroup.
//	5 console master, pidfd and the trampoline's socket go to the supervisor
//
// Nothing is mounted in the host's mount namespace at any time, so nothing can be left there.
//
// On hosts with cgroup v1 controllers libcontainer is shown cgroup2 alone: within 1 the v1
// mounts are taken away and the unified hierarchy is put at /sys/fs/cgroup. Limits that a
// v1 controller enforces are the supervisor's business.
package oci
