// Package cgroup2 knows the unified cgroup hierarchy: where the host has it (alone at
// /sys/fs/cgroup, or beside v1 controllers at /sys/fs/cgroup/unified), where this instance
// may put its tree, and how a subtree is made, killed, waited for and removed.
//
// What is below a directory may be a zone's, and hostile: nested deeper than a path may be
// long, threaded, frozen, full of processes that fork without end. Nothing here depends on it.
//
// It refuses to reuse a directory in which cgroup.kill was written: on some kernels every
// later clone into such a directory is killed at birth, and so is what is born by a process
// that lives in one (KillSeqBug). Callers name directories by generation.
//
// No state, no goroutines. Every wait is bounded by its caller's context.
package cgroup2
