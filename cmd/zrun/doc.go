// Zrun is the short-lived helper of a zone's supervisor: the only program that links
// libcontainer. It is not meant to be run by hand.
package main
