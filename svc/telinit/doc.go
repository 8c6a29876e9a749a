// Package telinit is the commands that ask a zone's init for something: init and telinit
// with a run level, halt, poweroff, reboot, shutdown.
//
// They take the words of Solaris and of Linux, and do one thing with them: after proof that
// this is a zone whose pid 1 is ours (svc/inside), a signal to it (svc/request), or with
// -f or -q reboot(2) at once. On the host they refuse, and nothing else; that is checked
// again with every single call that could do harm.
//
//	init|telinit 0|1|2|3|5|6|s|S|q|Q
//	halt|poweroff|reboot [-f] [-q] [-n] [-p] [-d] [-l] [-w] [-y] [-- BOOT ARGUMENTS]
//	shutdown [-y] [-g SECONDS] [-i LEVEL] [MESSAGE...]                  Solaris
//	shutdown [-r|-h|-H|-P|-k] [now|+MINUTES|HH:MM] [MESSAGE...]        Linux
//	shutdown -c
//
// A shutdown that waits does so in the foreground, as Solaris' does, with a lock on pidPath;
// shutdown -c, or an interrupt, ends it. One that waits is ended by a halt that does not.
//
// Exit status: 0 asked; 1 refused, not root, not a zone; 2 usage.
// One goroutine, no locks besides the file's.
package telinit
