package repo

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// FuzzDecodeGroup: whatever a value holds, it is refused, or it is what encoding it again gives.
// The checksum is made good, so that what is behind it is reached.
func FuzzDecodeGroup(f *testing.F) {
	key := []byte("k")
	for _, g := range []*tree.Group{group("g"), volatileGroup("g", str("a", "1", ""), tree.Property{Name: "b", Type: prop.Count, Values: []string{"1"}})} {
		f.Add(encodeGroup(nil, key, 300, g))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) >= sumBytes {
			seal(key, value)
		}
		g, generation, err := decodeGroup(key, value, "g")
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		again := encodeGroup(nil, key, generation, &g)
		h, hGeneration, err := decodeGroup(key, again, "g")
		if err != nil || !h.Equal(&g) || hGeneration != generation || len(again) > len(value) {
			t.Fatalf("%x is %+v, then %+v: %v", value, g, h, err)
		}
	})
}

// FuzzChanges: a list of changes is read to its end, or refused.
func FuzzChanges(f *testing.F) {
	f.Add(appendChange(appendChange(nil, []byte("k"), []byte("v")), []byte("l"), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		err := changes(b, func(k, v []byte) error { again = appendChange(again, k, v); return nil })
		if err == nil && len(again) > len(b) {
			t.Fatalf("%x gives %x", b, again)
		}
	})
}

// FuzzKeys: a key that is accepted is the one that its parts make.
func FuzzKeys(f *testing.F) {
	for _, k := range []string{"a\x00", "a/b\x00gx", "a\x00ii\x00", "a\x00ii\x00g", "a\x00i\x00s", "\x00\x00\x00\x00\x00\x00\x00\x01ig"} {
		f.Add([]byte(k))
	}
	f.Fuzz(func(t *testing.T, k []byte) {
		if e, group, ok := parseKey(k); ok {
			again := entityKey(nil, e)
			if group != "" {
				again = groupKey(nil, e, group)
			}
			if !bytes.Equal(k, again) {
				t.Fatalf("%q is %v %q, which is %q", k, e, group, again)
			}
		}
		if e, name, ok := parseSnapshotKey(k); ok && !bytes.Equal(k, snapshotKey(nil, e, name)) {
			t.Fatalf("%q is %v %q", k, e, name)
		}
		if id, level, group, ok := parseContentKey(k); ok {
			again := contentKey(nil, id)
			if level != 0 {
				again = contentGroupKey(nil, id, level, group)
			}
			if !bytes.Equal(k, again) {
				t.Fatalf("%q is %d %c %q", k, id, level, group)
			}
		}
	})
}

var (
	drawName  = rapid.StringMatching(`[a-c][a-z0-9_-]{0,3}`)
	drawGroup = rapid.Custom(func(t *rapid.T) *tree.Group {
		g := &tree.Group{Name: drawName.Draw(t, "group"), Type: drawName.Draw(t, "type")}
		if rapid.Bool().Draw(t, "volatile") {
			g.Flags = tree.NonPersistent
		}
		for _, name := range rapid.SliceOfNDistinct(drawName, 0, 4, rapid.ID).Draw(t, "names") {
			g.Props = append(g.Props, tree.Property{Name: name, Type: prop.AString,
				Values: rapid.SliceOfN(rapid.StringMatching(`[a-z ]{0,9}`), 0, 3).Draw(t, "values")})
		}
		return g
	})
)

func TestGroupsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGroup.Draw(t, "group")
		sorted := []tree.Group{*g}
		tree.SortGroups(sorted)
		generation := rapid.Uint64().Draw(t, "generation")
		key := groupKey(nil, webOne, g.Name)
		value := encodeGroup(nil, key, generation, g)
		got, at, err := decodeGroup(key, value, g.Name)
		if err != nil || at != generation || !got.Equal(g) {
			t.Fatalf("%+v at %d: %v", got, at, err)
		}
		if _, _, err := decodeGroup(append(key, 'x'), value, g.Name); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("under another key: %v", err)
		}
		at2 := rapid.IntRange(0, len(value)*8-1).Draw(t, "bit")
		value[at2/8] ^= 1 << (at2 % 8)
		if _, _, err := decodeGroup(key, value, g.Name); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("with bit %d changed: %v", at2, err)
		}
	})
}

// TestBoundedDecode: counts that lie do not cost memory.
func TestBoundedDecode(t *testing.T) {
	key := []byte("k")
	for _, body := range []string{
		"\x00\x01t\xff\xff\xff\xff\x0f", "\x00\x01t\x01\x01a\x06\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\x02\x01t\x00",
		"\x00\x01t\x02\x01b\x06\x00\x01a\x06\x00", "\x00\x01t\x01\x01a\x00\x00", "\x00\x01t\x01\x01a\xff\x01\x00", "\x00\x01t\x00x", "\x00\x00\x00", "",
		"\x00\x01t\x80\x00",
	} {
		value := seal(key, append(begin(nil, 1), body...))
		if n := testing.AllocsPerRun(1, func() {
			if g, _, err := decodeGroup(key, value, "g"); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%q: %+v %v", body, g, err)
			}
		}); n > 8 {
			t.Errorf("%q: %v allocations", body, n)
		}
	}
	value := encodeGroup(nil, key, 1, group("g"))
	value[sumBytes] = valueVersion + 1
	if _, _, err := decodeGroup(key, seal(key, value), "g"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another version: %v", err)
	}
}
