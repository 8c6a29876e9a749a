// Contractd serves the contracts of the host's own processes. Its keeper zsched starts it, for
// the name "global", when ctrun or a program with the client library needs it; it should not
// be run by hand. Its logic is contract/global.
package main
