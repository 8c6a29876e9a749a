package mnttab

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/fuse"
	"github.com/linuxzones/zones/internal/sys"
)

func newStore(t testing.TB) *store {
	t.Helper()
	m, err := fuse.NewMemory(storeBytes)
	must(t, err)
	t.Cleanup(func() { m.Close() })
	s, err := openStore(m.Extra(), 77)
	must(t, err)
	return s
}

// TestSeenFull: when there is no place, mounts of tables that nobody reads make room; those of
// a table that alone is too large are dated with the beginning.
func TestSeenFull(t *testing.T) {
	s := newStore(t)
	seen := newSeenTimes(s)
	for table := range uint64(40) { // each table has 1000 mounts of its own
		seen.begin(table+1, int64(1000+table))
		for i := range uint64(1000) {
			if got := seen.at(table<<32 + i + 1); got != int64(1000+table) {
				t.Fatalf("table %d: mount %d is of %d", table, i, got)
			}
		}
		seen.end()
	}
	if n := len(seen.byKey); n > seenMax || n < seenMax/2 {
		t.Errorf("%d mounts are known", n)
	}
	// The newest are still known, by the next process too.
	again := newSeenTimes(s)
	again.begin(40, 9999)
	for i := range uint64(1000) {
		if got := again.at(39<<32 + i + 1); got != 1039 {
			t.Fatalf("mount %d is of %d", i, got)
		}
	}
	again.begin(100, 5000)
	began := 0
	for i := range uint64(seenMax + 10) {
		if again.at(1<<50+i) == s.began {
			began++
		}
	}
	again.end()
	if began != 10 {
		t.Errorf("%d mounts are dated with the beginning, want 10", began)
	}
	// They go, and their places serve again.
	again.begin(100, 6000)
	again.at(1 << 50)
	again.end()
	if n := len(again.byKey); n != 1 {
		t.Errorf("%d mounts are known", n)
	}
}

func TestSnapshotBytes(t *testing.T) {
	c := snapshots{byHash: map[uint64]*table{}}
	var list []*table
	for i := range 5 {
		text := make([]byte, SnapshotBytesMax/4)
		text[0] = byte(i)
		list = append(list, c.add(text))
		c.touch(list[0])
	}
	if list[0].text == nil || list[1].text != nil || list[4].text == nil {
		t.Error("another than the one that was not read for longest went")
	}
	if c.bytes > SnapshotBytesMax {
		t.Errorf("%d bytes are kept", c.bytes)
	}
	same := make([]byte, SnapshotBytesMax/4)
	same[0] = 4
	if c.add(same) != list[4] {
		t.Error("the same text is kept twice")
	}
}

func TestChangesMax(t *testing.T) {
	now := time.Unix(100, 0)
	s := &Server{store: newStore(t), now: func() time.Time { return now }}
	first := s.noteChange(1, 5)
	for i := range uint64(changesMax * 2) {
		now = now.Add(time.Second)
		s.noteChange(1, 5)
		s.noteChange(i+10, 1)
	}
	if got := s.noteChange(1, 5); got != first {
		t.Error("a table that is asked for was forgotten")
	}
	now = now.Add(time.Second)
	if got := s.noteChange(1, 6); got != now.UnixNano() {
		t.Errorf("a change is of %d", got)
	}
}

// TestGarbageStore: whatever the store holds, a server begins or refuses, and what it was told
// of closes.
func TestGarbageStore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		m, err := fuse.NewMemory(storeBytes)
		must(t, err)
		extra := m.Extra()
		if round > 0 {
			s, err := openStore(extra, 1)
			must(t, err)
			for i := range 20 {
				s.handles[i].fh.Store(uint64(i + 1))
				s.handles[i].request = uint64(i)
				s.seen[i].since, s.seen[i].owner = 1, 2
				s.seen[i].key.Store(uint64(i + 1))
			}
			for range random.IntN(3000) {
				extra[16+random.IntN(len(extra)-16)%200_000] = byte(random.Uint32())
			}
			for _, at := range []int{seenAt, handlesAt} {
				for range random.IntN(100) {
					extra[at+random.IntN(2000)] = byte(random.Uint32())
				}
			}
		}
		exercise(t, m)
		m.Close()
	}
	m, err := fuse.NewMemory(100)
	must(t, err)
	defer m.Close()
	if _, err := openStore(m.Extra(), 1); err != ErrCorrupt {
		t.Errorf("too small: %v", err)
	}
	s := newStore(t)
	s.version++
	if _, err := openStore((*[storeBytes]byte)(ptr(s))[:], 1); err != ErrVersion {
		t.Errorf("another version: %v", err)
	}
}

// exercise serves from a memory, to nobody.
func exercise(t testing.TB, m *fuse.Memory) {
	null, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	must(t, err)
	dev := sys.Own(null[0])
	defer dev.Close()
	defer unix.Close(null[1])
	mem := sys.Own(m.FD())
	s, err := Open(Config{Zone: "web", Dev: dev, Mem: mem})
	mem.Disown()
	if err != nil {
		return
	}
	defer s.Close()
	me, err := identify(unix.Gettid())
	if err != nil {
		return // the thread of this goroutine was another one by then
	}
	if tab, err := s.current(me); err == nil {
		if _, err := s.handles.add(1<<60, 5, me, tab); err != nil && err != ErrHandles && err != ErrUserHandles {
			t.Error(err)
		}
	}
	for _, h := range s.handles.byFH {
		_ = s.restore(h, 0)
		_ = s.compare(h, 0, true)
		s.handles.remove(h)
	}
	if n := len(s.handles.byFH); n != 0 {
		t.Error(fmt.Sprint(n, " handles are left"))
	}
}

var (
	seenAt    = int(unsafe.Offsetof(store{}.seen))
	handlesAt = int(unsafe.Offsetof(store{}.handles))
)

func ptr(s *store) unsafe.Pointer { return unsafe.Pointer(s) }
