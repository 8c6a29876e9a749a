package ctfs

import (
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
)

// What says what an Answer is.
type What uint8

// What an Answer is.
const (
	Fail         What = iota // Errno, 0 for a request that was done and has nothing to tell
	Silence                  // nothing is answered
	Wait                     // the request has to wait, and is to be served again
	Parked                   // it waits
	Entry                    // Entry
	Attr                     // Attr
	Open                     // FH, Flags
	Data                     // Data: of a read, or a link's target
	Names                    // Names, which is called once with what takes them until it is full
	Written                  // Size
	Statfs                   // Statfs
	Polled                   // Events
	PolledAlways             // Events, which never change
	Ioctl                    // done
)

// Answer is what the kernel is to be told.
type Answer struct {
	What   What
	Errno  unix.Errno
	Entry  fuse.EntryOut
	Attr   fuse.AttrOut
	Statfs fuse.StatfsOut
	FH     uint64
	Flags  uint32
	Size   uint32
	Events uint32
	Data   []byte
	Names  func(add func(ino, off uint64, kind uint32, name string) bool)
}

func fail(errno unix.Errno) Answer { return Answer{What: Fail, Errno: errno} }

var (
	done    = Answer{What: Fail}
	silence = Answer{What: Silence}
	wait    = Answer{What: Wait}
)

// written is an errno as an answer to a write of size bytes.
func written(errno unix.Errno, size uint32) Answer {
	if errno != 0 {
		return fail(errno)
	}
	return Answer{What: Written, Size: size}
}
