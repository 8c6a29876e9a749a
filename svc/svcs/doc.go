// Package svcs is the logic of svcs(1): its command line, what it prints, and its exit status. The
// program, in cmd, gives it an Env.
//
//	svcs [-aHpv?] [-o col,...] [-R FMRI] [-sS col] [-z zone | -Z] [FMRI | pattern]...
//	svcs {-d | -D} [-Hpv] [-o col,...] [-sS col] [-z zone | -Z] FMRI | pattern ...
//	svcs {-l | -L} [-pv] [-z zone | -Z] FMRI | pattern ...
//	svcs -x [-v] [-z zone | -Z] [FMRI | pattern]...
//
// It promises the options, columns, messages and exit status of the original: 0; 1 for what is not
// there, and for all that fails; 2 for usage. Ours is -o json, an array of objects.
//
// Everything is read from the repository: it asks no restarter. A table is made of one scan, so it
// is of one moment; what -l and -x say besides of an instance is read for that instance, and one
// that has gone meanwhile is left out. The cost of a table is linear in the number of instances.
//
// For -x the whole configuration and all states are put into a graph of its own (packages graphcfg
// and graph), which says what an instance waits for and what waits for it, by the rules that
// svc.startd follows. Without operands the root causes alone are told: what does not run and is
// not to blame on another, and what another waits for. causes.go finds them in one pass.
//
// # What a restarter writes
//
// All of it is in the group restarter of an instance: state, next_state, state_timestamp,
// auxiliary_state, auxiliary_fmri, contract, transient_contract, start_method_waitstatus, logfile,
// alt_logfile. A property of another type than it should have, or with several values instead of
// one, is as if it were not there, which is said once.
//
// Ours is auxiliary_detail, of type astring: one line, free text for people, that completes
// auxiliary_state. When that is ct_ev_signal or ct_ev_core it names the sender as svc.startd was
// told by the contract, such as
//
//	killed by SIGKILL from pid 812 (pkill), contract 44, svc:/site/cleaner:default
//
// A restarter writes it together with auxiliary_state, and deletes it when the next one has no
// detail. svcs -x shows it below the reason.
//
// # What it refuses
//
// All text that comes from the repository or from processes is one line of plain text when it is
// printed (package printable), and JSON strings in JSON: a service has no way to make lines of its
// own. Files of a zone are not looked for from the host, only within the zone.
//
// Limits: optionsMax columns, keys and restarters; instancesMax instances of a repository; rowsMax
// lines of a table. What is printed is kept up to outMax and then written.
//
// Source of behaviour: svcs(1), smf(7), svcs.c and explain.c of the original.
//
// It is linked into a program of every zone: no fmt of its own, no encoding/json. No goroutines, no
// locks. How it dies: by a signal, at any time; it changes nothing.
package svcs
