package ctfs

import (
	"sort"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/fuse"
)

// A place in a directory is a number that means the same name for ever: contracts that come
// and go meanwhile move nobody. Places of contracts are their ids above those of the names
// that are always there. The place that goes with an entry is that behind it.
const (
	placeSelf     = 1
	placeUp       = 2
	placeFixed    = 3  // and those that follow
	placeContract = 16 // and the contract's number
)

// readdir lists names from a place on, as many as fit.
func (f *FS) readdir(r *fuse.Request, k kind, id contract.ID) Answer {
	if !k.isDir() {
		return fail(unix.ENOTDIR)
	}
	from := r.Read().Offset
	return Answer{What: Names, Names: func(add func(ino, off uint64, kind uint32, name string) bool) {
		l := list{from: from, to: add}
		f.list(&l, k, id)
	}}
}

func (f *FS) list(l *list, k kind, id contract.ID) {
	self := fixed(k)
	if id != 0 {
		self = ofCT(k, id)
	}
	l.add(placeSelf, self, ".", k)
	l.add(placeUp, above(k, id), "..", looks[k].up)
	names, contracts := k.names()
	for i, n := range names {
		child := fixed(n.kind)
		if k == contractDir {
			child = ofCT(n.kind, id)
		}
		l.add(placeFixed+uint64(i), child, n.name, n.kind)
	}
	if contracts != noKind {
		f.listContracts(l, contracts)
	}
}

// listedFor is how long a list that was begun is gone on with. Whoever begins sees what is
// there now; what has gone since is found to be gone when it is looked up.
const listedFor = 100 * time.Millisecond

func (f *FS) listContracts(l *list, k kind) {
	if now := time.Now(); l.from < placeContract || now.Sub(f.listedAt) > listedFor {
		f.listed, f.listedAt = f.host.Table().IDs(), now
	}
	ids := f.listed
	first := sort.Search(len(ids), func(i int) bool { return uint64(ids[i])+placeContract > l.from })
	for _, id := range ids[first:] {
		if l.full {
			return
		}
		l.add(placeContract+uint64(id), ofCT(k, id), strconv.FormatUint(uint64(id), 10), k)
	}
}

// list is a list of names that is being made.
type list struct {
	from uint64 // the place behind the last entry that was told
	to   func(ino, off uint64, kind uint32, name string) bool
	full bool
}

// add tells an entry if it is behind the place where the list begins, and if it fits.
func (l *list) add(place uint64, n node, name string, k kind) {
	if l.full || place <= l.from {
		return
	}
	l.full = !l.to(uint64(n), place, looks[k].mode>>dirTypeShift, name)
}

// dirTypeShift makes a DT_ of a mode.
const dirTypeShift = 12

func linkTarget(id contract.ID) string { return "../process/" + strconv.FormatUint(uint64(id), 10) }

func (f *FS) readlink(k kind, id contract.ID) Answer {
	if k != allLink {
		return fail(unix.EINVAL)
	}
	return Answer{What: Data, Data: []byte(linkTarget(id))}
}
