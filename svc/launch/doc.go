// Package launch starts a method in a process contract: what package method has read becomes a
// process. It waits for nothing: the caller has the pid, a pidfd and the contract's number.
//
// A method is /sbin/sh -c "exec COMMAND", with /dev/null as its input, the given log as its output
// and errors, umask 022, in the context that it is to have. There are two ways:
//
//	direct   user, groups, directory, environment and session are what package syscall can set of
//	         a child; the child is the shell, or, of a command that a shell would only execute, the
//	         command: words.go. This is for most methods, and costs little.
//	order    all else, and with a record of utmp: the child is this program again (/proc/self/exe with Word), reads an Order
//	         from a memory file, puts its context into effect, and becomes the shell.
//
// The second way is also taken when the first one fails after the child was born: then the child
// itself tells the log what cannot be done, in the original's words, and ends with the original's
// exit code (1, 10 or 96). So whoever waits for methods sees one kind of failure.
//
// It promises:
//   - The process is born in its contract. Start gives a process in a contract, or nothing is left of
//     either.
//   - A directory that blocks blocks the method, not the caller: the direct way is for directories
//     of the root's file system or of a disk, that the kernel finds without waiting.
//   - What a project bounds as a whole, and a pool, hold before the process is there: package contract
//     has the system see to it. Where that cannot be had there is no process (contract.ErrWithin).
//   - Nobody but the method's process changes: credentials, capabilities, personality and limits are
//     set in the child.
//   - A runtime directory is never made outside of /run, and no symbolic link is followed for it.
//
// It refuses an Order of another version, and one beyond orderBytesMax (ErrTooLarge).
//
// Order of steps, as the original has it: the record of utmp, session, group, groups, core files, the project's limits,
// security flags, limit and inheritable privileges, user, permitted privileges, directory. Runtime directories come
// before all of them.
//
// Unlike the original, the direct way finds the directory as root and enters it as the user: who
// may enter a directory, and not look through one above it, is let in.
//
// Goroutines: none. A Launcher may be used by many at once; it has a lock around its templates that
// rest. How it dies: with Close. New sets the umask of the whole process to 022, since that is what
// children of the direct way have, and marks all descriptors to be closed by execve(2).
//
// Who may call: svc.startd, whose main function gives Main what comes after Word. It imports neither
// fmt nor os/exec.
//
// Source of behaviour: smf_method(5); method.c of svc.startd, librestart.c.
package launch
