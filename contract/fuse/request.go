package fuse

import (
	"bytes"
	"unsafe"
)

// Request is one request of the kernel: the one that Next gave, or a parked one. Its bytes
// lie in the session's memory and are valid until it is answered.
type Request struct {
	raw    []byte   // header and body
	slot   int      // the parked slot, readingSlot otherwise
	open   bool     // not yet answered
	target *Request // of an OpInterrupt: what is to be interrupted
}

// readingSlot stands for the slot into which requests are read.
const readingSlot = -1

func (r *Request) header() *inHeader { return (*inHeader)(unsafe.Pointer(&r.raw[0])) }

// Op says what is asked for.
func (r *Request) Op() Opcode { return r.header().opcode }

// Unique names the request for as long as the connection lasts.
func (r *Request) Unique() uint64 { return r.header().unique }

// Node is the file that the request is about.
func (r *Request) Node() uint64 { return r.header().node }

// Pid is the host's number of the thread that asks (not of its process), 0 when a worker of
// the kernel asks. It may be gone already when its request needs no waiting (RELEASE).
func (r *Request) Pid() int { return int(int32(r.header().pid)) }

// UID and GID are the file system ids of who asks, as the host counts.
func (r *Request) UID() uint32 { return r.header().uid }

// GID is the group beside UID.
func (r *Request) GID() uint32 { return r.header().gid }

// Open says whether the request waits for its answer.
func (r *Request) Open() bool { return r.open }

// body views what follows the header. That it is long enough was found by check; a
// view of another request is a mistake of the caller and panics.
func body[T any](r *Request) *T {
	var t T
	b := r.raw[inHeaderBytes:][:unsafe.Sizeof(t)]
	return (*T)(unsafe.Pointer(unsafe.SliceData(b)))
}

// tail is what follows a body of type T.
func tail[T any](r *Request) []byte {
	var t T
	return r.raw[inHeaderBytes+int(unsafe.Sizeof(t)):]
}

// Name is the name of an OpLookup, without its closing zero byte.
func (r *Request) Name() []byte {
	name, _, _ := bytes.Cut(r.raw[inHeaderBytes:], []byte{0})
	return name
}

// Getattr views an OpGetattr.
func (r *Request) Getattr() *GetattrIn { return body[GetattrIn](r) }

// Setattr views an OpSetattr.
func (r *Request) Setattr() *SetattrIn { return body[SetattrIn](r) }

// OpenIn views an OpOpen or OpOpendir.
func (r *Request) OpenIn() *OpenIn { return body[OpenIn](r) }

// Read views an OpRead or OpReaddir.
func (r *Request) Read() *ReadIn { return body[ReadIn](r) }

// Write views an OpWrite and its bytes.
func (r *Request) Write() (*WriteIn, []byte) {
	w := body[WriteIn](r)
	return w, tail[WriteIn](r)[:w.Size]
}

// Release views an OpRelease or OpReleasedir.
func (r *Request) Release() *ReleaseIn { return body[ReleaseIn](r) }

// Access views an OpAccess.
func (r *Request) Access() *AccessIn { return body[AccessIn](r) }

// Poll views an OpPoll.
func (r *Request) Poll() *PollIn { return body[PollIn](r) }

// Ioctl views an OpIoctl and the bytes that came with it.
func (r *Request) Ioctl() (*IoctlIn, []byte) {
	i := body[IoctlIn](r)
	return i, tail[IoctlIn](r)[:i.InSize]
}

// Target is the parked request that an OpInterrupt is about. It is answered EINTR, then the
// interrupt is Done.
func (r *Request) Target() *Request { return r.target }

// Forgets calls f for each node of an OpForget or OpBatchForget. After a restart a forget may
// come again.
func (r *Request) Forgets(f func(Forgotten)) {
	if r.Op() == OpForget {
		f(Forgotten{r.Node(), *body[uint64](r)})
		return
	}
	list := tail[batchForgetIn](r)
	for range body[batchForgetIn](r).count {
		f(*(*Forgotten)(unsafe.Pointer(&list[0])))
		list = list[unsafe.Sizeof(Forgotten{}):]
	}
}

// released is the open file that a request is the end of.
func (r *Request) released() (fh uint64, ok bool) {
	op := r.Op()
	if op != OpRelease && op != OpReleasedir || r.check() != formGood {
		return 0, false
	}
	return r.Release().FH, true
}

// bodyBytes is how long the body of a request is at least. A request that is not here is
// answered ENOSYS.
var bodyBytes = map[Opcode]uintptr{
	OpLookup:      1,
	OpForget:      8,
	OpGetattr:     unsafe.Sizeof(GetattrIn{}),
	OpSetattr:     unsafe.Sizeof(SetattrIn{}),
	OpReadlink:    0,
	OpOpen:        unsafe.Sizeof(OpenIn{}),
	OpRead:        unsafe.Sizeof(ReadIn{}),
	OpWrite:       unsafe.Sizeof(WriteIn{}),
	OpStatfs:      0,
	OpRelease:     unsafe.Sizeof(ReleaseIn{}),
	OpInit:        unsafe.Sizeof(initIn{}),
	OpOpendir:     unsafe.Sizeof(OpenIn{}),
	OpReaddir:     unsafe.Sizeof(ReadIn{}),
	OpReleasedir:  unsafe.Sizeof(ReleaseIn{}),
	OpAccess:      unsafe.Sizeof(AccessIn{}),
	OpInterrupt:   unsafe.Sizeof(interruptIn{}),
	OpDestroy:     0,
	OpIoctl:       unsafe.Sizeof(IoctlIn{}),
	OpPoll:        unsafe.Sizeof(PollIn{}),
	OpBatchForget: unsafe.Sizeof(batchForgetIn{}),
}

// waits says whether somebody may wait for the answer to a request that a file system is given.
func (op Opcode) waits() bool {
	switch op {
	case OpInit, OpDestroy, OpInterrupt, OpForget, OpBatchForget:
		return false
	}
	return true
}

// verdict on a request's form.
type verdict int

const (
	formGood verdict = iota
	formUnknown
	formBad
)

// changes are requests that a file system of this package never grants: its tree is not
// changed from below. They would otherwise be answered ENOSYS, which tells people little.
var changes = map[Opcode]bool{
	6: true, 8: true, 9: true, 10: true, 11: true, 12: true, 13: true, // symlink, mknod, mkdir, unlink, rmdir, rename, link
	35: true, 43: true, 45: true, 47: true, 51: true, // create, fallocate, rename2, copy_file_range, tmpfile
}

// check says whether the views of a request stay within its bytes. raw is at least a header
// long and as long as the header says.
func (r *Request) check() verdict {
	need, known := bodyBytes[r.Op()]
	rest := len(r.raw) - inHeaderBytes
	switch {
	case !known:
		return formUnknown
	case rest < int(need):
		return formBad
	}
	left := uint64(rest) - uint64(need)
	switch r.Op() {
	case OpLookup:
		if r.raw[len(r.raw)-1] != 0 {
			return formBad
		}
	case OpWrite:
		if uint64(body[WriteIn](r).Size) > left {
			return formBad
		}
	case OpIoctl:
		if uint64(body[IoctlIn](r).InSize) > left {
			return formBad
		}
	case OpBatchForget:
		if uint64(body[batchForgetIn](r).count)*uint64(unsafe.Sizeof(Forgotten{})) > left {
			return formBad
		}
	}
	return formGood
}
