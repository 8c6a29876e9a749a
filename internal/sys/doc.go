// Package sys is the seam to the kernel for what Go's standard library lacks or does
// by path or pid where this project needs a descriptor: owned descriptors, unix sockets
// addressed through their directory (a path may exceed the 108 bytes of sun_path),
// descriptor passing, the credentials of a peer, pidfds, open-file-description locks, raw
// terminals.
//
// It holds no state and takes no lock, and starts no goroutine but that of RoomForDescriptors,
// which ends by itself. It is linked into the keeper,
// so it imports neither fmt nor net nor os. Errors are errno values, wrapped in Error with
// the operation where a caller could not tell otherwise.
package sys
