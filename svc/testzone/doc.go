// Package testzone makes small zones for the tests of the in-zone programs: the real program
// as pid 1 of fresh namespaces, a busybox root, and a pty as console, without supervisor or
// libcontainer. It is for tests only.
//
// A zone made by it ends with its test. Its reader survives hangups of the console, and
// remembers everything that was printed.
package testzone
