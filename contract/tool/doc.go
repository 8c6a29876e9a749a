// Package tool is the logic of ctrun, ctstat and ctwatch: their command lines, what they
// print, and ctrun's care for its command. The programs themselves, in cmd, give it an Env.
//
// It promises the options, exit codes, columns and restart rules of ctrun(1), ctstat(1) and
// ctwatch(1) of the original. What is ours (-o json, -z, -Z) is said in our manual pages. What
// comes from other users, names of commands and services, is printed without control
// characters, since it ends on terminals.
//
// It knows no zones but through Source: who has more than one file system of contracts to
// show hands in a Source for each.
//
// It is linked into a program of every zone: no fmt, no encoding/json, no os/exec.
//
// Goroutines: ctwatch has one for each stream, and ctrun one for its events and one that waits
// for its command; they end with the process.
package tool
