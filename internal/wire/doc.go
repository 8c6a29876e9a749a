// Package wire frames messages on a stream: four bytes of length, big-endian, then that
// many bytes. A frame longer than the reader's limit is refused before any of it is read.
// It knows nothing of what is inside, holds no state and starts no goroutine.
package wire
