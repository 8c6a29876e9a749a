// Package svccfg is the logic of svccfg(8): its commands, on its command line, from a file or typed,
// and what they say. The program, in cmd, gives it an Env.
//
//	svccfg [-v] [-s FMRI] [-f file]
//	svccfg [-v] [-s FMRI] command [argument ...]
//
// The commands are a table (command.go); their language is package lang's. A session has a
// selection: nothing, a service, an instance, or one level of an instance's snapshot.
//
// It promises the commands, messages and exit status of the original. Without -v a command that
// succeeds and has nothing to show prints nothing. A mistake ends a file and a command line with
// status 1, in the words `svccfg: ...` or `svccfg (FILE, line N): ...` on the error output. Usage
// is status 2.
//
// At a terminal it prompts with the selection, `svc:/network/ssh> `, offers words, and goes on after
// mistakes, which are told among what it prints.
//
// Each command that changes something is one batch, which is done as a whole or not at all, and
// which is based on what the command has read: when somebody else changed that meanwhile, the
// command reads again and decides again, a bounded number of times. So of two administrators who
// each add a value to one property, neither loses his.
//
// A repository that was opened as a file has no restarters: each change is at once what runs, by
// the snapshot running, as with the original. In the one that is served, refresh takes that
// snapshot, and asks the restarter to read it. So do setnotify and delnotify, whose groups are those
// that notification_parameters of a manifest make: package manifest says what events are called.
//
// It refuses to add to values that may not be read, and to export them with -a.
//
// Source of behaviour: svccfg(8), smf(7).
//
// What imports is behind Bundles. Not for resident programs: exports link encoding/xml.
// No goroutines, no locks. How it dies: at any time; what was begun is done or not.
package svccfg
