// Package upkeep attacks what keeps a host clean and its programs new: the look that a halt
// takes at what it leaves, `zoneadm fsck`, and `zoneadm upgrade`. There is nothing in it but tests.
//
//	fsck_test.go     leftovers of every kind are planted, or left by a crash; what lives, and
//	                 what only looks alike, stays
//	upgrade_test.go  programs of another build take over, refuse, crash
//
// Oracles are /proc, the cgroup file system and the workload's own records.
package upkeep
