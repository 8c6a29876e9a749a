package ctfs

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/linuxzones/zones/contract"
)

func memTexts(epoch uint32, mem []byte) *texts {
	t := newTexts(&Config{Epoch: epoch, Arena: mem})
	return &t
}

// Texts are found by their handles until they are closed, and take bounded memory.
func TestTexts(t *testing.T) {
	x := memTexts(3, nil)
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
	}
	if n := len(x.byFH); n > arenaUsable/(2*entryHead) {
		t.Fatalf("%d texts are kept", n)
	}
	x.drop(last)
	x.drop(last)
	x.drop(12345)
	if _, ok := x.find(last); ok {
		t.Error("a closed file's text is there")
	}
	for range 10 {
		x.add(1, make([]byte, ArenaBytes/3))
	}
	if len(x.byFH) != 2 { // a third, with its head, does not fit in three times
		t.Errorf("%d texts of a third of the memory", len(x.byFH))
	}
	big := x.add(1, make([]byte, arenaUsable-entryHead))
	if _, ok := x.find(big); !ok || len(x.byFH) != 1 {
		t.Error("the newest text is not kept, or others besides one that takes all")
	}
	huge := x.add(1, make([]byte, ArenaBytes))
	if _, ok := x.find(huge); ok {
		t.Error("a text that has no place is kept")
	}
	for fh := range x.byFH {
		x.drop(fh)
	}
	if len(x.byFH) != 0 || x.arena.head != 0 || x.arena.tail != 0 {
		t.Errorf("%d texts are left, from %d to %d", len(x.byFH), x.arena.tail, x.arena.head)
	}
	if a, b := memTexts(4, nil).add(1, nil), memTexts(3, nil).add(1, nil); a == b {
		t.Error("two servers gave the same handle")
	}
	if _, ok := isText(4711); ok {
		t.Error("a handle of the table's is taken for a status file's")
	}
}

// The memory of many texts is given back when the last is closed, and only then.
func TestTextsTrim(t *testing.T) {
	var trims []int
	x := newTexts(&Config{Trim: func(from int) { trims = append(trims, from) }})
	small := x.add(1, make([]byte, 1000))
	x.drop(small)
	var fhs []uint64
	for range 10 {
		fhs = append(fhs, x.add(1, make([]byte, trimAbove/5)))
	}
	for _, fh := range fhs {
		if len(trims) != 0 {
			t.Errorf("trimmed while %#x is open", fh)
		}
		x.drop(fh)
	}
	x.drop(x.add(1, nil))
	if !slices.Equal(trims, []int{trimAbove}) {
		t.Errorf("trimmed from %v, want once from %d", trims, trimAbove)
	}
}

// contents are the texts by handle.
func contents(x *texts) map[uint64]string {
	m := map[uint64]string{}
	for fh, e := range x.byFH {
		m[fh] = string(e.text)
	}
	return m
}

// A successor finds what its predecessor had, whenever that was killed: with the last text
// or without it, and never a piece of one.
func TestTextsOfADeadServer(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	mem := make([]byte, ArenaBytes)
	x := memTexts(1, mem)
	for i := range 3000 {
		before := contents(x)
		head := binary.NativeEndian.Uint64(mem[headAt:])
		if open := slices.Collect(maps.Keys(x.byFH)); len(open) > 0 && random.IntN(3) == 0 {
			x.drop(open[random.IntN(len(open))])
		} else {
			b := make([]byte, random.IntN(1+[]int{10, 3000, ArenaBytes / 2}[random.IntN(3)]))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			fh := x.add(contract.ID(1+i%100), b)
			if random.IntN(4) == 0 { // killed before the text was there
				torn := bytes.Clone(mem)
				binary.NativeEndian.PutUint64(torn[headAt:], head)
				for old, text := range contents(memTexts(2, torn)) {
					if before[old] != text || old == fh {
						t.Fatalf("step %d: a torn text %#x", i, old)
					}
				}
			}
		}
		if i%10 == 0 {
			if got, want := contents(memTexts(2, bytes.Clone(mem))), contents(x); !maps.Equal(got, want) {
				t.Fatalf("step %d: a successor finds %d texts, want %d", i, len(got), len(want))
			}
		}
		if i%500 == 499 {
			x = memTexts(uint32(i), mem)
		}
	}
}

// Whatever stands in the memory, what is found hangs together, and the next texts are kept.
func FuzzArena(f *testing.F) {
	x := memTexts(1, nil)
	x.add(1, []byte("id 1\n"))
	x.add(2, []byte("id 2\n"))
	f.Add(bytes.Clone(x.arena.mem[:256]), uint64(0), uint64(64))
	f.Add([]byte{}, uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, tail, head uint64) {
		mem := make([]byte, ArenaBytes)
		copy(mem, b)
		if len(b)%2 == 0 {
			binary.NativeEndian.PutUint64(mem, arenaMagic)
			binary.NativeEndian.PutUint64(mem[headAt:], head)
			binary.NativeEndian.PutUint64(mem[tailAt:], tail)
		}
		x := memTexts(9, mem)
		for fh, e := range x.byFH {
			if fh == 0 || len(e.text) > arenaUsable {
				t.Fatalf("found %#x, %d bytes", fh, len(e.text))
			}
		}
		for i := range 4 {
			fh := x.add(5, make([]byte, i*100_000))
			if text, ok := x.find(fh); !ok || len(text) != i*100_000 {
				t.Fatalf("text %d is not kept", i)
			}
		}
	})
}
