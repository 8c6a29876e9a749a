package keeper

import (
	"os"
	"syscall"
	"unsafe"
)

// titleMax bounds a title. What lies behind it in the environment stays readable in
// /proc/PID/environ.
const titleMax = 128

// title is the memory that ps shows as the process's command line: its arguments and, when
// their last byte was overwritten, on into the environment up to the first NUL (proc(5)).
// prctl(PR_SET_MM) would move it elsewhere, but needs a capability that root may lack.
type title struct {
	area []byte // arguments and environment
	args int    // how much of it are arguments, the last NUL included
	used int    // how much of it was ever written
}

// ownTitle finds that memory. The strings of os.Args and syscall.Environ point into it, one
// behind the other, because the runtime makes them without copying; where a string does not
// lie behind the one before, the area ends.
func ownTitle() title {
	if len(os.Args) == 0 || os.Args[0] == "" {
		return title{}
	}
	base := unsafe.StringData(os.Args[0])
	size := behind(base, 0, os.Args)
	return title{area: unsafe.Slice(base, behind(base, size, syscall.Environ())), args: size}
}

// behind adds to size those strings that lie at base+size, each ended by a NUL.
func behind(base *byte, size int, strings []string) int {
	for _, s := range strings {
		if s == "" || unsafe.StringData(s) != (*byte)(unsafe.Add(unsafe.Pointer(base), size)) {
			break
		}
		size += len(s) + 1
	}
	return size
}

// set shows text, as far as there is room.
func (t *title) set(text string) {
	if len(t.area) == 0 {
		return
	}
	n := copy(t.area[:len(t.area)-1], text[:min(len(text), titleMax)])
	t.used = max(t.used, t.args, n+1)
	clear(t.area[n:t.used])
}

func (k *Keeper) setTitle(text string) { k.title.set(k.cfg.Title + ": " + text) }
