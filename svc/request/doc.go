// Package request is what one may ask a zone's init, and how: the run levels, the words for
// them, and the signal that carries each to pid 1.
//
// The signals are systemd's for the same requests, so that tools from outside that know one
// init know this one; and those that sysvinit, busybox, LXC and container engines send.
// Only root of the zone, or the host, may send them: the kernel sees to it.
//
//	SIGRTMIN+3 (37)  SIGUSR1           halt
//	SIGRTMIN+4 (38)  SIGUSR2 SIGPWR    power off
//	                 SIGTERM           power off: what an OCI engine's stop sends
//	SIGRTMIN+5 (39)                    reboot
//	SIGRTMIN+13 (47)                   halt at once: nobody is asked to end first
//	SIGRTMIN+14 (48)                   power off at once
//	SIGRTMIN+15 (49)                   reboot at once
//	SIGRTMIN+1 (35)                    single-user (run levels s, S and 1)
//	SIGRTMIN+7 (41)                    multi-user (run level 2)
//	SIGRTMIN+8 (42)                    multi-user-server, and whatever else is enabled (run level 3)
//	SIGHUP                             look again at what is to be kept running (q)
//
// Multi-user alone is not systemd's SIGRTMIN+0: a Go program cannot catch 34. busybox means
// a reboot by SIGTERM: its own reboot(8) powers a zone off.
//
// Every other signal that can be caught, SIGINT included, has no effect on pid 1.
//
// It is pure: no goroutines, no system calls. svc/initd reads it from one side, svc/telinit
// from the other.
package request
