// Package enter is the first process of a zlogin inside of the zone. The supervisor's side
// has put it into the zone as root, with clean descriptors 0, 1 and 2: pipes, or a fresh pty
// of the zone that is its controlling terminal. It becomes what the caller wants:
//
//	enter [-l USER] [-t TERM] login               the user's login shell
//	enter [-l USER] [-t TERM] shell -- WORD...    as su - USER -c: the words, joined by spaces
//	enter [-l USER] [-t TERM] exec -- ARG...      the command itself, by PATH, no shell
//
// USER is a name or a number of the zone's own /etc/passwd, root by default. TERM that is
// not a plain word is left out. The exit status is the command's; 1 when the user cannot be
// had or has no shell, 126 and 127 as a shell's when a command cannot be executed or is not
// found, 2 for a wrong call. Messages are zlogin's, on descriptor 2: who reads them has
// typed zlogin.
//
// It neither authenticates nor keeps accounts: the supervisor has checked the caller, and
// utmp would need a process that outlives the shell. Sources: zlogin(1), su(8), login(1).
//
// One goroutine, no locks.
package enter
