// Package initd is pid 1 of a zone: small enough to be right, since its death ends the zone.
//
// It keeps two programs running: /lib/svc/bin/svc.startd, where there is one, and a login shell
// of root on the console. It reaps every orphan of the zone. It takes requests as signals
// (svc/request) and ends the zone in order: svc.startd stops the services, users before what they
// use, within the zone's limit; everybody else gets SIGTERM, login shells SIGHUP; when
// nobody is left, or after graceLimit, SIGKILL; then reboot(2), which the zone's parent sees
// as a wait status: SIGHUP to boot again, SIGINT to halt. Where reboot(2) is refused (no
// CAP_SYS_BOOT in the zone's user namespace) it exits instead, with 0 to halt and exitReboot
// to boot again.
//
// svc.startd is born in a process contract of init's (inherit, regent): what it owns when it dies
// is inherited by that contract, and handed on to the next one's, so that the contracts of services
// outlive it. init remembers how the processes ended that it reaped (svc/orphans): the methods that
// a dead svc.startd had started are among them, and the next one asks. It holds the socket at which
// services say that they are ready (svc/notify), so that nothing that is said meanwhile is lost.
//
// # What can go wrong, and does not
//
//   - A process table that is full: pid 1 starts no threads later on (they are reserved when
//     it starts), and a start that fails is repeated.
//   - A console that nobody reads, or that root has replaced by something that blocks: only
//     the scribe writes to it, from a bounded queue, and going down waits for it for
//     flushLimit at most.
//   - A svc.startd that dies while it stops services: the next one goes on. One that cannot, and
//     services that do not stop, hold nothing up beyond the limit.
//   - Files that block: pid 1 opens none after start-up. The shell's user, terminal and
//     directory are looked up in the shell's own process before its exec (Console).
//   - A program whose exec blocks, or a zone's supervisor that is just being started again and
//     makes no contract meanwhile: it is started by a goroutine of its own.
//   - Storms of signals: all are blocked but in one thread that does nothing else (shield),
//     they coalesce, and those that end the zone have a queue of their own.
//   - Ten thousand orphans at once: one round of reaping is bounded.
//   - The wrong place: as pid 1 of the host it would never signal, reboot or exit (svc/inside).
//
// # Goroutines
//
// The loop (run) owns all state. The scribe writes the console. A start is one goroutine,
// one of each program at a time. Hanging up the login shells is one goroutine, at the end. None holds a lock;
// all are started through the group, which is not waited for: pid 1 ends by the kernel's
// hand.
//
// Behaviour after init(8) of Solaris and systemd(1); boot arguments after kernel(8).
package initd
