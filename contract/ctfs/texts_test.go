package ctfs

import (
	"bytes"
	"testing"

	"github.com/linuxzones/zones/contract"
)

// Texts are found by their handles until they are closed, and take bounded memory.
func TestTexts(t *testing.T) {
	x := texts{epoch: 3}
	seen := map[uint64]bool{}
	var last uint64
	for i := range 3 * (serialMask + 1) {
		id := contract.ID(i%7 + 1)
		fh := x.add(id, []byte{byte(i)})
		if got, ok := isText(fh); !ok || got != id {
			t.Fatalf("handle %#x is of contract %d", fh, got)
		}
		if b, ok := x.find(fh); !ok || !bytes.Equal(b, []byte{byte(i)}) {
			t.Fatalf("the text of %#x is %q", fh, b)
		}
		if i < 1000 && seen[fh] {
			t.Fatalf("handle %#x was given twice", fh)
		}
		seen[fh], last = true, fh
		if len(x.list) > textsMax {
			t.Fatalf("%d texts are kept", len(x.list))
		}
	}
	x.drop(last)
	x.drop(last)
	x.drop(12345)
	if _, ok := x.find(last); ok {
		t.Error("a closed file's text is there")
	}
	for range 10 {
		x.add(1, make([]byte, textsBytesMax/3))
	}
	if x.bytes > textsBytesMax || len(x.list) > 3 {
		t.Errorf("%d texts of %d bytes", len(x.list), x.bytes)
	}
	big := x.add(1, make([]byte, 2*textsBytesMax))
	if _, ok := x.find(big); !ok || len(x.list) != 1 {
		t.Error("the newest text is kept, however large")
	}
	for _, other := range x.list {
		x.drop(other.fh)
	}
	if x.bytes != 0 || len(x.list) != 0 {
		t.Errorf("%d bytes of %d texts are left", x.bytes, len(x.list))
	}
	y := texts{epoch: 4}
	if a, b := y.add(1, nil), (&texts{epoch: 3}).add(1, nil); a == b {
		t.Error("two servers gave the same handle")
	}
	if _, ok := isText(4711); ok {
		t.Error("a handle of the table's is taken for a status file's")
	}
}
