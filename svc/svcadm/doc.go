// Package svcadm is the logic of svcadm(8): its command line, what it asks of svc.startd, and its
// exit status. The program, in cmd, gives it an Env.
//
//	svcadm [-v] [-Z | -z zone] command [argument ...]
//	svcadm [-v] [-Z | -z zone] -S state command [argument ...]
//
//	enable [-rst] operand ...      restart [-d] operand ...      mark [-It] maintenance | degraded operand ...
//	disable [-st] [-c text] operand ...    refresh operand ...   milestone [-d] milestone
//	clear operand ...
//
// What it writes, and what svc.startd makes of it, is package actions'.
//
// It promises the commands, messages and exit status of the original: 0; 1 for what is not there,
// and for all that fails; 2 for usage; and of -s, 3 when the instance itself cannot reach the state,
// 4 when its dependencies keep it from that. What is to be written of one instance is one batch,
// which is done as a whole or not at all, and is planned anew when somebody else has written
// meanwhile. An instance that two operands stand for is asked once.
//
// # Waiting
//
// -s waits for the state with a watch of the repository, and always ends. It watches before it
// reads, so that it misses nothing; it looks again each recheck besides, so that a server that does
// not answer is found. It gives up, and says why on the error output,
//
//   - at once, when the instance comes to maintenance (enable; when it was there before, after a
//     moment, since it may just have been cleared), when somebody else has undone what was
//     asked, when it is deleted, or when package graph says that it cannot come up without an
//     administrator: a dependency is missing, disabled or broken, a file is not there, the
//     milestone does not want it;
//   - after a while (type patience), when no restarter has said a word of the instance, when it stays
//     in maintenance (disable), or when it is the restarter's turn and it does nothing.
//
// It waits as long as a method runs of the instance, or of what it waits for: methods have limits of
// their own. From the host files of a zone are not looked at: an instance that waits for some is given
// up after a while. The original never ends for those, nor for disable -s of an instance in
// maintenance.
//
// # Where it is not the original
//
// mark keeps its options; the original loses them on the way. A comment goes when an instance is
// enabled, or disabled without one. A cycle that enable -r finds is status 1. An unknown state after
// -S is a mistake, and not a state that nobody is in. -S does not go with milestone. Behind
// "Permission denied" -v says which authorization would do.
//
// Limits: triesMax for a batch, depthMax for enable -r, prop.ValueBytesMax for a comment.
//
// Source of behaviour: svcadm(8), smf(7), svcadm.c and synch.c of the original.
//
// It is linked into a program of every zone: no fmt of its own, no encoding/json. No goroutines, no locks. How it
// dies: at any time; what was begun is done or not. By the end of its context while it waits.
package svcadm
