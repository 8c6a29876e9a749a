// Package fuse speaks the FUSE protocol with the kernel, and lives on when its process is
// killed: the descriptor of /dev/fuse and a memfd are kept by another process, and the next
// one goes on with every request that its predecessor had taken. It knows nothing of files or
// contracts.
//
//	kernel --- read(2) ---> | reading slot | --Park--> | parked slots |   all in the memfd
//	   ^                          |                        |
//	   +------- write(2) --- Reply --------------------- Reply
//
// How a request survives. The kernel copies it straight into the shared memory, so that there
// is no instant at which it is nowhere: the slot's header was zero before, and is not after.
// It stays there until its reply was written. The next process finds it and asks the kernel
// whether it is still wanted, by an answer of EAGAIN to an interrupt of it: ENOENT if its reply
// was written already, any other outcome if not, and what interrupted it is told again. So
// a request is given to a caller until it was answered once, and never after. What a caller
// did for it before it was killed, the caller must find out by Unique, which names a request
// for as long as the connection lasts: a caller that notes only the outcome of its last change
// answers that one (Waiting) before it changes anything else. The request in the reading slot
// is then the first that Next gives. FUSE_NOTIFY_RESEND (Linux 6.9) is not needed.
//
// The copying must not fault: the kernel gives up a fault of a process that was sent SIGKILL,
// and the request with it (its client is told EIO; seen within milliseconds when tried). So
// the pages of the reading slot and of the replies are touched and locked. What is left is a
// page that the kernel moves (compaction, balancing of NUMA nodes) at the very instant of a
// SIGKILL; the client is told EIO then, and the request is not given to anybody.
//
// It promises:
//   - Next never gives a request twice in one process, and a caller may keep as many waiting
//     as ParkedMax; more are refused by name (ErrParkedFull).
//   - Poll handles are kept, and who had one that waits is woken by the next process.
//   - FLUSH and FSYNC never reach a file system, so that a process with an open file ends
//     while no server runs. Unknown requests are answered ENOSYS.
//   - Whatever the memfd holds, nothing panics or reaches outside of it. It is sealed.
//
// It refuses to tell the kernel that a name is no more valid (FUSE_NOTIFY_INVAL_ENTRY): that
// waits for the lock of the directory, which a client may hold while it waits for this very
// loop. Names are to be given with no validity instead.
//
// A write of more than WriteMax bytes arrives in pieces, each a request. A file system whose
// writes are messages refuses those of WriteMax bytes: there may be more.
//
// A Session belongs to one goroutine. No goroutines, no locks. How it dies: with the mount or
// an Abort, Next says ErrGone; with its process, not at all.
package fuse
