package server

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

func openTestIDs(t *testing.T, path string) *ids {
	t.Helper()
	d, err := openIDs(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// Many supervisors that take blocks and ranges at once never get the same.
func TestIDsAreUnique(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contract.ids")
	const takers, rounds = 8, 200
	var mu sync.Mutex
	seenBlocks, seenEvents := map[uint32]bool{}, map[contract.EventID]bool{}
	var wg sync.WaitGroup
	for range takers {
		d := openTestIDs(t, path)
		wg.Go(func() {
			for range rounds {
				b, err := d.takeBlock()
				if err != nil {
					t.Error(err)
					return
				}
				first, end, err := d.takeEvents()
				if err != nil || end-first != eventsTaken {
					t.Error(err, first, end)
				}
				mu.Lock()
				if seenBlocks[b] || seenEvents[first] || first == 0 {
					t.Errorf("block %d or events %d were given out twice", b, first)
				}
				seenBlocks[b], seenEvents[first] = true, true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seenBlocks) != takers*rounds {
		t.Errorf("%d blocks", len(seenBlocks))
	}
}

func TestBlockRange(t *testing.T) {
	for _, c := range []struct {
		block      uint32
		first, end contract.ID
	}{
		{0, 1, 64},
		{1, 64, 128},
		{blocks - 1, 1<<31 - 64, 1 << 31},
	} {
		first, end := blockRange(c.block)
		if first != c.first || end != c.end || blockOf(first) != c.block || blockOf(end-1) != c.block {
			t.Errorf("block %d: %d to %d", c.block, first, end)
		}
	}
}

// The counter goes round, passes over what is held and takes what was given back.
func TestIDsWrap(t *testing.T) {
	d := openTestIDs(t, filepath.Join(t.TempDir(), "contract.ids"))
	first, err := d.takeBlock()
	if err != nil || first != 0 {
		t.Fatal(first, err)
	}
	second, _ := d.takeBlock()
	d.h.block.Store(blocks - 1)
	if b, err := d.takeBlock(); err != nil || b != blocks-1 {
		t.Errorf("the last block: %d %v", b, err)
	}
	d.release(second)
	if b, err := d.takeBlock(); err != nil || b != second {
		t.Errorf("after the last block came %d %v, want %d", b, err, second)
	}
	// A space that is full is an error with a name, and soon.
	for i := range d.mem[idsPage : idsPage+2*blockTries/8] {
		d.mem[idsPage+i] = 0xff
	}
	d.h.block.Store(0)
	if _, err := d.takeBlock(); !errors.Is(err, ErrIDs) {
		t.Errorf("a full space: %v", err)
	}
	d.h.event.Store(eventIDMax - 1)
	for range 3 {
		if _, _, err := d.takeEvents(); !errors.Is(err, ErrIDs) {
			t.Errorf("the end of event ids: %v", err)
		}
	}
}

// Another boot's file, a file of another size or of nonsense is made anew; this boot's stays.
func TestIDsOfAnotherBoot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contract.ids")
	d := openTestIDs(t, path)
	for range 10 {
		_, _ = d.takeBlock()
		_, _, _ = d.takeEvents()
	}
	if b, _ := openTestIDs(t, path).takeBlock(); b != 10 {
		t.Errorf("the second supervisor was given block %d", b)
	}
	copy(d.h.boot[:], "00000000-0000-0000-0000-000000000000")
	other := openTestIDs(t, path)
	if b, err := other.takeBlock(); b != 0 || err != nil {
		t.Errorf("another boot's file went on with block %d %v", b, err)
	}
	for _, nonsense := range []string{"", "x", string(make([]byte, idsBytes)), string(make([]byte, idsBytes+1))} {
		path := filepath.Join(t.TempDir(), "ids")
		if err := os.WriteFile(path, []byte(nonsense), 0o600); err != nil {
			t.Fatal(err)
		}
		d := openTestIDs(t, path)
		if b, err := d.takeBlock(); b != 0 || err != nil {
			t.Errorf("%d bytes of nonsense: block %d %v", len(nonsense), b, err)
		}
		if first, _, err := d.takeEvents(); first != 1 || err != nil {
			t.Errorf("%d bytes of nonsense: event %d %v", len(nonsense), first, err)
		}
	}
}

// In a file that was removed under running supervisors, what they hold is not given out.
func TestIDsClaim(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contract.ids")
	d := openTestIDs(t, path)
	var held []uint32
	for range 3 {
		b, _ := d.takeBlock()
		held = append(held, b)
	}
	_, end, _ := d.takeEvents()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	fresh := openTestIDs(t, path)
	if err := fresh.claim(held, end); err != nil {
		t.Fatal(err)
	}
	if b, err := fresh.takeBlock(); err != nil || b != 3 {
		t.Errorf("block %d %v", b, err)
	}
	if first, _, err := fresh.takeEvents(); err != nil || first != end {
		t.Errorf("events from %d %v", first, err)
	}
}

// A lock whose holder does nothing, a path that is a link: named errors, and no wait for ever.
func TestIDsRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "contract.ids")
	d := openTestIDs(t, path)
	if err := lockWithin(d.fd.Int(), 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(n)
	if err := lockWithin(n, 0); !errors.Is(err, ErrIDsLocked) {
		t.Errorf("a lock that is held: %v", err)
	}
	unlock(d.fd.Int())
	if err := os.Symlink(path, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := openIDs(filepath.Join(dir, "link")); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: %v", err)
	}
}

// The file costs what is used of it.
func TestIDsAreSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contract.ids")
	d := openTestIDs(t, path)
	for range 1000 {
		if _, err := d.takeBlock(); err != nil {
			t.Fatal(err)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	if used := st.Blocks * 512; used > 64<<10 {
		t.Errorf("64,000 ids cost %d bytes", used)
	}
}
