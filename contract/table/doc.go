// Package table decides what becomes of process contracts: who owns which, what its terms
// allow, which events are kept for whom. It is pure: what happened comes in as an Op, what is
// to be done goes out as Work, and two tables that were given the same Ops are the same. So a
// supervisor that writes each Op down before it applies it can be killed at any instant.
//
// Source of behaviour: contract(4) and process(4), contract.c and process.c of the original.
//
// One goroutine has a table. No clock, no kernel, no locks.
package table
