package fuse

import (
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkRead is the round trip of a read to a server in another process.
func BenchmarkRead(b *testing.B) {
	r := newRig(b)
	server := r.server()
	defer kill(server)
	fd := r.open("quiet", unix.O_RDONLY)
	p := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := unix.Read(fd.Int(), p); err != nil && err != unix.EINTR {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadJournaled is a read that changes what the file system knows.
func BenchmarkReadJournaled(b *testing.B) {
	r := newRig(b)
	server := r.server()
	defer kill(server)
	fd := r.open("seq", unix.O_RDONLY)
	p := make([]byte, 64)
	for b.Loop() {
		if _, err := unix.Read(fd.Int(), p); err != nil && err != unix.EINTR {
			b.Fatal(err)
		}
	}
}

// BenchmarkSession is the session's own part, with a socket for a kernel.
func BenchmarkSession(b *testing.B) {
	k := newFake(b, newMem(b))
	in := ReadIn{Size: 4}
	ask := request(OpRead, 2, bytesOf(&in))
	out := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		unix.Write(k.end, ask)
		r, err := k.s.Next()
		if err != nil {
			b.Fatal(err)
		}
		if err := k.s.ReplyData(r, nil); err != nil {
			b.Fatal(err)
		}
		unix.Read(k.end, out)
	}
}
