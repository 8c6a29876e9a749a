// Package table decides what becomes of process contracts: who owns which, what its terms
// allow, which events are kept for whom. It is pure: what happened comes in as an Op, what is
// to be done goes out as Work, and two tables that were given the same Ops are the same. So a
// supervisor that writes each Op down before it applies it can be killed at any instant.
//
// It promises that an event which its owner must acknowledge is told to him and to every
// reader until then, or until nobody can any more; that the order of a contract's events is
// the same wherever they are read; that a contract is emptied once; that what Work asks for is
// asked for again after a restart until it is confirmed. Of other events a reader that is too
// slow loses the oldest and, of the bundle, what a contract told that is dead by then; it is told
// how many. It refuses, with the errnos of the original, what is not the caller's to do; who the
// caller is, it is told.
//
// What costs something costs what it is about: an event its readers, an owner's death what it
// owned, Work what there is to do. Nothing depends on how many contracts there are.
//
// Source of behaviour: contract(4) and process(4), contract.c and process.c of the original.
// Where the manual and the code differ, on which events stay critical when the fatal set
// shrinks, this is the manual's; where a regent lets go of what it inherited, and that an
// owner's signals are events, this is the code's. What the out-of-memory killer does is an
// event, which it is in neither.
//
// One goroutine has a table. No clock, no kernel, no locks, nothing to close.
package table
