// Package utmp is the zone's record of who is logged in, and of what the zone has done: /run/utmp and
// /var/log/wtmp, as who(1), last(1), uptime(1), w(1) and runlevel(8) read them and login(1), agetty(8)
// and sshd(8) write them.
//
//	a method's process --Begin--> utmp, wtmp    INIT_PROCESS of itself, before it becomes the method
//	svc.startd --Recorder--> one goroutine --> utmp, wtmp    DEAD_PROCESS, BOOT_TIME, RUN_LVL
//
// The layout is struct utmp of glibc (Layout); musl has the functions, and they do nothing. In utmp a
// process has one record as long as it lives, found by its id of four bytes: the instance's
// utmpx_prefix, and what makes it the only one. getty and login find it by the process's number, make
// it LOGIN_PROCESS and USER_PROCESS, and leave its id. wtmp is added to.
//
// It promises:
//   - A record is made by the process that it is of, and marked dead by who has seen that process end,
//     or finds that nobody has its number: a record of a process that lives is never marked dead. In
//     doubt (the number is another's by now) it is left.
//   - What is done again after a kill makes no second record: BOOT_TIME has the mark of its boot, a run
//     level that is there already is left, a process has one record, and what utmp says of boot and
//     run level is looked for in wtmp before it is added there. Who is killed between the two files
//     leaves wtmp without the line of a process, and never with two.
//   - Locks are those of glibc, for as long: fcntl(2), the whole file, waited for no longer than
//     processWait by a method and recorderWait by svc.startd. Who does not get one makes no record,
//     and says so.
//   - Nothing but a plain file is read or written, no link is followed at the end of a path, and
//     nobody is waited for when one is opened. What stands in the files is anybody's: no field is
//     believed but to be compared. A record that is cut off at the end of a file is written over.
//   - svc.startd's loop waits for none of it: what does not fit into the Recorder's queue is not
//     recorded, and that is counted and told.
//
// Limits: TableBytesMax of utmp, LogBytesMax of wtmp: what is larger stays as it is, with an error.
// tailRecords of wtmp are looked through; queueMax orders wait; closeWait is what Close waits for.
// Goroutines: the Recorder's one. Locks: one around the Recorder's queue. A wtmp that is not there is
// not made, as glibc does not: its absence is how an administrator does without, and so is that of a
// utmp that was taken away; Booted alone makes one.
//
// Who may call: svc/launch, in the method's process; svc/startd and svc/restarter. It imports neither
// fmt nor os/user: svc.startd is resident in every zone.
//
// Source of behaviour: utmpx.c and method.c of svc.startd, makeutx of getutx(3C), utmpx(5); utmp(5),
// and how glibc, agetty, coreutils and util-linux read and write it.
package utmp
