// Package method is what an instance's configuration says of its methods, smf_method(5): what is
// to be run, in which context, for how long, and what of its contract ends the service. It decides
// and starts nothing: package launch does.
//
//	Instance    where the groups of one instance are looked up
//	Method      one method: what it is, its command with tokens expanded, timeout, contract events
//	Startd      the group startd: duration, rate of failures, and what is ours
//	Context     user, groups, privileges, directory and environment of a method
//
// Look-ups go to what the instance runs with (Running), and for tokens then to what is configured
// now, as the original's do. Nothing is written, nothing is kept between two calls. The only files
// that are read are those of users (package account), /etc/security/exec_attr, /etc/project, and
// /proc/sys/kernel/core_pattern.
//
// It promises:
//   - What is invalid is an *Error, one line with the original's words first, and the exit code that
//     the method has thereby failed with (ExitConfig, or ExitResources when it may be otherwise the
//     next time). Nothing is half read.
//   - What is valid and has no counterpart on Linux is a notice, one line for the instance's log at
//     each start. Nothing is left out silently.
//   - What a set of privileges takes away is not given: where one capability of Linux stands for
//     several privileges the others go with it, and that is a notice. What one capability gives
//     beside the privilege that was asked for stands in docs/DIFFERENCES.md.
//   - A group of a method that is not there, and one without exec, are no errors: see Kind.
//
// # What is beyond the original
//
// These properties of the group startd are ours; without them nothing differs.
//
//	backoff            boolean   an instance that fails again and again is started again after a
//	                             growing pause, and does not go to maintenance for that
//	runtime_directory  astring   directories below /run, made before the start method, of its user
//	notify             astring   ready: a start is done when the service says so by sd_notify(3)
//	period, jitter     count     seconds: the start method is run again and again
//
// In privileges and limit_privileges names of capabilities stand beside the original's names, as in
// basic,cap_syslog. startd/duration may be "wait" for "child". A user without use_profile counts,
// where the original runs the method as root.
//
// # Limits
//
// A command has CommandBytesMax, an environment EnvironmentBytesMax, a profile's files
// profileBytesMax and fragmentsMax; a name of a set of privileges, a directory and a user have what a
// value of a property may have. Beyond a limit is an *Error, but for a file of profiles, which is as
// if it could not be read.
//
// Who may call: svc.startd, and programs that show what it would do. No goroutines, no locks. It
// imports neither fmt nor os/user: svc.startd is resident in every zone.
//
// Source of behaviour: smf_method(5), svc.startd(8), exec_attr(5), privileges(7), security-flags(7);
// method.c, expand.c, libscf.c and env.c of svc.startd, librestart.c.
package method
