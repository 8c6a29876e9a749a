// Package session begins a user's session in a zone: it gives a process the user's identity,
// environment, terminal and directory, and turns it into the user's shell or command.
//
// It is called by a process that is root of the zone and has nothing else to do: enter for a
// zlogin, init's child for the console. The order is the one that login(1) has, and matters:
// the terminal is given away as root; groups, then gid, then uid; the home directory is
// entered as the user; signals and mask are clean at the exec.
//
// Nothing is taken over from the caller's environment but TERM, which must be a plain word.
// No goroutines, no locks. Its functions change the whole process: they are for one that
// will exec.
package session
