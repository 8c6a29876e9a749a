// Package trampoline is pid 1 of a zone in state ready: it waits where the zone's init will
// be, and becomes it.
//
// libcontainer resolves a program and takes its arguments when a zone is made, which is too
// early: boot arguments, and another init, are known when the zone boots. So what it starts
// is this program, with the console as descriptors 0, 1 and 2 and as controlling terminal,
// and with descriptor 3, a SOCK_SEQPACKET socket to the supervisor's side:
//
//	-> one message, JSON: {"path":"/sbin/init","args":["init","-s"],"env":["PATH=/bin"]}
//	<- end of file: execve succeeded, the sender's peer is gone with the image; or
//	<- four bytes, the errno in little-endian order: nothing has changed, it waits on
//
// A message is at most MessageBytesMax; a sender needs SO_SNDBUF above its length. End of
// file without a message means that nobody will boot this zone: it exits with status 1, and
// the zone is empty.
//
// It uses no processor time while it waits, opens nothing, reaps nothing, and survives every
// signal. The image that follows has descriptors 0, 1 and 2 and nothing else, / as working
// directory, umask 022, default signals, and only the environment of the message.
//
// It has one goroutine and no locks. It is called by cmd/init.
package trampoline
