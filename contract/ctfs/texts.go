package ctfs

import "github.com/linuxzones/zones/contract"

// The text of a status file is that of the moment of its open, and is kept until it is
// closed, so that a reader of many small pieces sees one state. All texts together have at
// most textsBytesMax bytes, so that open files cost nothing here: the oldest go first, and are
// made again, of a later moment, if somebody reads on. So are those of a dead server.
const textsBytesMax = 1 << 20

// Handles of status files are not the table's and mean themselves: a mark, the epoch of the
// server that gave it, a number of its own, and the contract's.
const (
	textMark    = uint64(1) << 63
	epochShift  = 48
	epochMask   = 1<<15 - 1
	serialShift = 32
	serialMask  = 1<<16 - 1
)

// texts are those of open status files, the oldest first.
type texts struct {
	epoch  uint32
	serial uint32
	bytes  int
	list   []text
}

type text struct {
	fh   uint64
	text []byte
}

// isText says whether a handle is of a status file, and of which contract's.
func isText(fh uint64) (contract.ID, bool) { return contract.ID(uint32(fh)), fh&textMark != 0 }

// add keeps a text and gives its handle.
func (t *texts) add(id contract.ID, b []byte) uint64 {
	for {
		t.serial++
		fh := textMark | uint64(t.epoch&epochMask)<<epochShift | uint64(t.serial&serialMask)<<serialShift | uint64(id)
		if _, used := t.find(fh); used {
			continue // an old one; there are fewer texts than serial numbers
		}
		t.put(fh, b)
		return fh
	}
}

func (t *texts) put(fh uint64, b []byte) {
	if len(t.list) == textsMax {
		t.drop(t.list[0].fh)
	}
	t.list = append(t.list, text{fh, b})
	t.bytes += len(b)
	for t.bytes > textsBytesMax && len(t.list) > 1 {
		t.drop(t.list[0].fh)
	}
}

// textsMax is how many texts there are at most: a text has at least a hundred bytes, and
// finding one among them is to be quick.
const textsMax = 1024

func (t *texts) find(fh uint64) ([]byte, bool) {
	for i := len(t.list) - 1; i >= 0; i-- {
		if t.list[i].fh == fh {
			return t.list[i].text, true
		}
	}
	return nil, false
}

func (t *texts) drop(fh uint64) {
	for i, x := range t.list {
		if x.fh == fh {
			t.bytes -= len(x.text)
			t.list[i].text = nil
			t.list = append(t.list[:i], t.list[i+1:]...)
			return
		}
	}
}
