// Command zonecfg edits the configuration of a zone: on a terminal, from a file, or
// with commands as arguments. Everything it does is in package configs/zonecfg; here
// arguments are parsed and parts are put together.
package main
