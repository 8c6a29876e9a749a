package keeper

import (
	"os"
	"unsafe"

	"github.com/linuxzones/zones/internal/sys"
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

// Places in /proc/PID/stat, which proc(5) counts from 1.
const (
	argStart = 48 + iota
	argEnd
	envStart
	envEnd
)

// ownTitle finds that memory: the kernel says where it is, and the runtime's os.Args point
// into it. (The runtime's copy of the environment does not.) When the two disagree there is
// no title.
func ownTitle() title {
	stat, err := sys.ReadFile("/proc/self/stat", 4096)
	if err != nil || len(os.Args) == 0 || os.Args[0] == "" {
		return title{}
	}
	at := addresses(stat)
	base := unsafe.StringData(os.Args[0])
	if at[0] != uint64(uintptr(unsafe.Pointer(base))) || at[1] <= at[0] {
		return title{}
	}
	t := title{args: int(at[1] - at[0])}
	end := at[1]
	if at[2] == at[1] && at[3] > at[2] {
		end = at[3]
	}
	t.area = unsafe.Slice(base, int(end-at[0]))
	return t
}

// addresses are the fields from argStart to envEnd, 0 where there are none.
func addresses(stat []byte) (at [envEnd - argStart + 1]uint64) {
	i := len(stat) - 1
	for i >= 0 && stat[i] != ')' {
		i--
	}
	field := 2 // the command
	for _, c := range stat[i+1:] {
		switch {
		case c == ' ':
			field++
		case field >= argStart && field <= envEnd && c >= '0' && c <= '9':
			at[field-argStart] = at[field-argStart]*10 + uint64(c-'0')
		}
	}
	return at
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
