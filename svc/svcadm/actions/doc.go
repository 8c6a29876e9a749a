// Package actions is how an administrator asks svc.startd to do something with an instance: the
// names, types and values of what svcadm(8) and svccfg(8) write, and of what svc.startd takes. Both
// sides use it, so that both mean the same.
//
// # Requests
//
// They are properties of the group restarter_actions of the instance itself, of type framework,
// which ends with the boot. Each is one integer, its stamp: nanoseconds since 1970 by the asker's
// clock, but always greater than every stamp that is in the group already, or was taken. So stamps order the
// requests of an instance, also when the clock was set back.
//
//	refresh             integer   read the configuration again
//	restart             integer   stop and start, if it runs
//	maint_on            integer   to maintenance, stopped first
//	maint_on_immediate  integer   to maintenance at once, its processes are left alone
//	maint_on_temporary  integer   as maint_on, until the next boot
//	maint_on_immtemp    integer   both
//	maint_off           integer   out of maintenance
//	degraded            integer   to degraded
//	degrade_immediate   integer   to degraded at once
//	restore             integer   out of degraded
//
// Besides requests there are, written together with them:
//
//	do_dump         integer   the restart dumps core: see below
//	auxiliary_tty   boolean   who asked last sat at a terminal
//	auxiliary_fmri  astring   who asked last is a process of this service; absent: of none
//	taken           integer   the stamps of the last requests that svc.startd has taken
//
// Everything else in the group, what has another type or not exactly one value, and a stamp that is
// not positive, is nothing.
//
// # Who does what
//
// An asker writes one batch: the request with its stamp, what is written with it, and the
// expectation that the group is as he has read it; he reads again when it is not. A request that is
// there already gets the newer stamp: two that were asked before one was taken are one.
//
// Who does not get an answer, since svc.startd was killed, looks whether his stamp is there or was
// taken (Known), and asks again only when it is neither.
//
// svc.startd takes: it reads the group, does all requests that are in it, in the order of stamps
// (Of), and deletes from the group exactly those that are done, in the batch that has what they
// have brought about, and that expects the group to be as it was read (Took). A request that waits
// for the end of a method stays until then. When the group has changed meanwhile it reads again: a
// request with the stamp that was done is deleted, one with a greater stamp is a new one and is
// done as well. So two askers at once are both honoured, and a request that was asked while the one
// before was being done is done after it.
//
// Only svc.startd deletes. What it finds when it starts was not done by the svc.startd before it:
// it is done now, in its order. A request that changes no state, as a restart with a dump, can be
// done and not yet deleted: it is done twice then. Nothing of it outlives the boot.
//
// Maintenance comes before everything: what was asked before a request for maintenance and was not
// taken yet, but for refresh, is deleted with it and not done.
//
// refresh: svc.startd first takes the snapshot running of what the instance's configuration is now,
// whoever asked. svcadm and svccfg take it themselves in the same batch; an asker who may act but
// not modify cannot, and leaves it to svc.startd. An import takes the snapshot and asks nothing:
// svc.startd sees it by watching snapshots.
//
// do_dump: a restart that is taken while it is there is one with a dump: the processes of the
// contract get SIGABRT in place of a stop method. It is deleted with that restart. Without a restart
// in the group it waits for the next one.
//
// auxiliary_tty and auxiliary_fmri are copied to the group restarter with what the requests bring
// about. Of maintenance auxiliary_state is administrative_request, and service_request when who asked
// was a process of a service and nobody sat at a terminal. They stay where they are: the next asker overwrites them. They are what the asker
// says of himself, and prove nothing.
//
// # Enabling, and milestones
//
// Those are no requests but configuration, and nobody deletes them for having seen them:
//
//	general/enabled         boolean   persistent: it is to run. With it general_ovr/enabled goes
//	general_ovr/enabled     boolean   ends with the boot; counts instead, while it is there
//	general/comment, general_ovr/comment   astring   why it was disabled; beside the enabled it goes with
//	options/milestone       astring   of svc:/system/svc/restarter:default: where a boot ends
//	options_ovr/milestone   astring   ends with the boot; counts instead, while it is there
//
// svc.startd acts when the value that counts is another than the one it acts upon.
//
// Who may write all this is decided by the repository's server (package server, permit.go):
// solaris.smf.modify, solaris.smf.manage, and of an instance what its general/action_authorization
// names.
//
// Source of behaviour: svcadm(8), smf(7), smf_security(7), svcadm.c and graph.c of the original, in
// which a stamp is the time since the boot, requests are separate transactions, and one that was
// taken becomes zero in place of being deleted.
//
// Pure: no goroutines, no locks, no clock.
package actions
