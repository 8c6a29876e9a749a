// Package inside proves that this process runs in a zone, and holds the only doors to what
// would be a catastrophe elsewhere: a signal to everybody, a signal to pid 1, reboot(2).
//
// The programs of a zone have the names of the host's. Run on the host by mistake (a wrong
// PATH, a chroot, a terminal in the wrong window) they must never halt the host. So halting
// is not a function but a method of Proof, which is made by looking at the kernel, and which
// looks again at each use. The zero Proof refuses.
//
// What is proved: this process is not in the initial pid namespace, whose inode number is
// fixed by the kernel. What is found out beside it: whether pid 1 here is our init; that is a
// courtesy to other kinds of containers, not a guard.
//
// When /proc is not the kernel's, or is not there, the pidfd of this process is asked (Linux
// 6.11). When nothing can tell, the answer is no.
//
// No goroutines, no locks. Its tests never let a real reboot(2) near the initial namespace.
package inside
