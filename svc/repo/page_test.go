package repo

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// goodFile is a repository's bytes, up to its last page.
func goodFile(t testing.TB) []byte {
	t.Helper()
	cfg := config(t.TempDir())
	r := open(t, cfg)
	for i := range 25 {
		apply(t, r, func(b *Batch) {
			e := Entity{"a/s" + strconv.Itoa(i), "default"}
			b.Ensure(e)
			b.PutGroup(e, group("a", str("x", stringOf(i*200%3900)), str("y", stringOf(i*170%3900))))
			b.TakeSnapshot(e, Running)
		})
	}
	must(t, r.Close())
	b, err := os.ReadFile(cfg.Path)
	must(t, err)
	p := &pages{f: bytes.NewReader(b)}
	if !p.meta(int64(len(b))) {
		t.Fatal("a good file has no meta page")
	}
	return b[:p.high*p.size]
}

// FuzzPages lays bytes over a good file: it is refused, or every value of it can be read.
func FuzzPages(f *testing.F) {
	good := goodFile(f)
	f.Add([]byte{0xff}, uint32(16))
	f.Add([]byte{0xff, 0xff}, uint32(3*4096+10))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0}, uint32(4*4096))
	f.Add([]byte{0, 0, 0, 0x7f}, uint32(5*4096+20))
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, over []byte, at uint32) {
		b := bytes.Clone(good)
		copy(b[int(at)%len(b):], over)
		if checkPages(bytes.NewReader(b), int64(len(b))) != nil {
			return
		}
		must(t, os.WriteFile(path, b, 0o600))
		if err := Check(path); err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
	})
}

// TestPages: a damage of each kind is found in the pages themselves, before bbolt sees them.
func TestPages(t *testing.T) {
	good := goodFile(t)
	must(t, checkPages(bytes.NewReader(good), int64(len(good))))
	p := &pages{f: bytes.NewReader(good)}
	p.meta(int64(len(good)))
	at := int(p.root * p.size)
	for name, damage := range map[string]func(b []byte) []byte{
		"empty":                func(b []byte) []byte { return nil },
		"both metas":           func(b []byte) []byte { b[60]++; b[int(p.size)+60]++; return b },
		"cut off":              func(b []byte) []byte { return b[:len(b)-1] },
		"another page's id":    func(b []byte) []byte { b[at]++; return b },
		"no kind":              func(b []byte) []byte { b[at+8] = 0; return b },
		"a kind that is none":  func(b []byte) []byte { b[at+8] = freelistPage; return b },
		"too many elements":    func(b []byte) []byte { b[at+11] = 0xff; return b },
		"overflow":             func(b []byte) []byte { b[at+15] = 0xff; return b },
		"overflow over others": func(b []byte) []byte { b[at+12] = 1; return b },
		"an element outside":   func(b []byte) []byte { b[at+pageHeaderBytes+6] = 0xff; return b },
		"a key outside":        func(b []byte) []byte { b[at+pageHeaderBytes+10] = 0xff; return b },
		"a value outside":      func(b []byte) []byte { b[at+pageHeaderBytes+14] = 0xff; return b },
		"no key":               func(b []byte) []byte { b[at+pageHeaderBytes+8] = 0; return b },
		"a list of free pages": func(b []byte) []byte {
			b[int(p.freelist*p.size)+10] = 0xfe
			b[int(p.freelist*p.size)+11] = 0xff
			return b
		},
		"a free page in use": func(b []byte) []byte {
			copy(b[int(p.freelist*p.size)+16:], []byte{byte(p.root), 0, 0, 0, 0, 0, 0, 0})
			return b
		},
		"a free page outside": func(b []byte) []byte { copy(b[int(p.freelist*p.size)+16:], []byte{0, 0, 1}); return b },
	} {
		b := damage(bytes.Clone(good))
		if err := checkPages(bytes.NewReader(b), int64(len(b))); err == nil {
			t.Errorf("%s: nothing was found", name)
		}
	}
}
