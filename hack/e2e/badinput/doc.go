// Package badinput gives the programs bad input of every kind, as fingers, scripts and broken
// files do: configurations, archives, arguments, states. There is nothing in it but tests.
//
// Each case is held to the same: exactly one clear line on standard error, exit code 1 or 2,
// nothing on standard output, and nothing lost or changed: the configuration directory, the
// list of zones and the names in the zones' directory are compared before and after.
package badinput
