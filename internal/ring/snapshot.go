package ring

// A snapshot is, in little-endian numbers of 8 bytes: magic, version, epoch, head, lost,
// stalls, longest stall, length of the data, the data, and the checksum of all before.
const (
	snapshotNumbers = 8
	snapshotMagic   = 0x31706e7372786e6c // "lnxrsnp1"

	// SnapshotMax is the longest snapshot there is.
	SnapshotMax = snapshotNumbers*8 + Size + 8
)

// Snapshot is the ring's content and position, to be kept while no keeper lives.
func (w *Writer) Snapshot() []byte {
	oldest, _, err := w.window()
	if err != nil {
		oldest = w.head // a damaged header: the position is still known, the content is not
	}
	s := w.Stats()
	out := make([]byte, 0, snapshotNumbers*8+int(w.head-oldest)+8)
	for _, v := range [snapshotNumbers]uint64{
		snapshotMagic, version, w.Epoch(), w.head, s.Lost, s.Stalls, uint64(s.LongestStall), w.head - oldest,
	} {
		out = put64(out, v)
	}
	for pos := oldest; pos < w.head; {
		part := w.data(pos)
		part = part[:min(uint64(len(part)), w.head-pos)]
		out = append(out, part...)
		pos += uint64(len(part))
	}
	return put64(out, checksum(out))
}

// Restore makes a ring that goes on where the snapshot was taken: same epoch, positions and
// counters. ErrSnapshot when it is not whole.
func Restore(snapshot []byte) (*Writer, error) {
	var v [snapshotNumbers]uint64
	if len(snapshot) < snapshotNumbers*8+8 || len(snapshot) > SnapshotMax {
		return nil, ErrSnapshot
	}
	body, sum := snapshot[:len(snapshot)-8], le64(snapshot[len(snapshot)-8:])
	for i := range v {
		v[i] = le64(body[i*8:])
	}
	data := body[snapshotNumbers*8:]
	head := v[3]
	switch {
	case checksum(body) != sum, v[0] != snapshotMagic, v[1] != version:
		return nil, ErrSnapshot
	case v[7] != uint64(len(data)), uint64(len(data)) > head, head > positionMax:
		return nil, ErrSnapshot
	}
	w, err := Create()
	if err != nil {
		return nil, err
	}
	base := head - uint64(len(data))
	n := copy(w.data(base), data)
	copy(w.data(base+uint64(n)), data[n:])
	w.head = head
	w.h.reserve.Store(head)
	w.h.head.Store(head)
	w.h.base.Store(base)
	w.h.lost.Store(v[4])
	w.h.stalls.Store(v[5])
	w.h.longestStall.Store(int64(v[6]))
	w.h.epoch.Store(v[2])
	return w, nil
}

func le64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func put64(b []byte, v uint64) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24),
		byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
}

// checksum is FNV-1a: it finds a file that was cut or damaged, not one that was forged. The
// hash package would be as good, but the keeper links nothing that it can do without.
func checksum(b []byte) uint64 {
	sum := uint64(0xcbf29ce484222325)
	for _, c := range b {
		sum = (sum ^ uint64(c)) * 0x100000001b3
	}
	return sum
}
