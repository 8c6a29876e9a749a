package outbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func some(n int) *Change {
	return &Change{FMRI: "svc:/site/a:i" + strconv.Itoa(n), From: "online", To: "offline", At: time.Unix(1700000000, int64(n))}
}

// took takes all that waits.
func took(t testing.TB, dir string) (list []Change) {
	t.Helper()
	for {
		c, number, ok, err := Take(dir)
		must(t, err)
		if !ok {
			return list
		}
		if len(number) != digits {
			t.Errorf("number %q", number)
		}
		list = append(list, c)
	}
}

// TestOrder: what was put is taken, once, in that order, over the svc.startd before and after.
func TestOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	var want []Change
	for part := range 3 {
		b, err := Open(dir)
		must(t, err)
		for n := range 5 {
			c := some(10*part + n)
			must(t, b.Put(c))
			want = append(want, *c)
		}
	}
	// What was put when the clock was ahead comes first all the same.
	must(t, os.Rename(filepath.Join(dir, names(t, dir)[14]), filepath.Join(dir, nameOf(uint64(time.Now().Add(time.Hour).UnixNano())))))
	b, err := Open(dir)
	must(t, err)
	full := some(99)
	full.Reason, full.Detail, full.By, full.All = "method_failed", "killed by SIGKILL from pid 7 (a b)", "svc:/b:c", true
	must(t, b.Put(full))
	want = append(want, *full)
	if got := took(t, dir); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if list := names(t, dir); len(list) != 0 {
		t.Errorf("%q is left", list)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := list(dir)
	must(t, err)
	return list
}

// TestFull: there is room for so many, and for as many again as were taken.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	b, err := Open(dir)
	must(t, err)
	for n := range ChangesMax {
		must(t, b.Put(some(n)))
	}
	for range 2 {
		if err := b.Put(some(0)); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	for range 2 {
		_, _, ok, err := Take(dir)
		if !ok || err != nil {
			t.Fatal(err)
		}
	}
	must(t, b.Put(some(1)))
	must(t, b.Put(some(2)))
	if err := b.Put(some(3)); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	b, err = Open(dir) // who comes next counts them too
	must(t, err)
	if err := b.Put(some(3)); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if n := len(took(t, dir)); n != ChangesMax {
		t.Errorf("%d were taken", n)
	}
}

// TestKilledPut: half of a file is no change, and stands in nobody's way.
func TestKilledPut(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, making), []byte("change 1\nfmri svc:/"), 0o600))
	if got := took(t, dir); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	b, err := Open(dir)
	must(t, err)
	must(t, b.Put(some(1)))
	if got := took(t, dir); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestManyTakers: each change is one's.
func TestManyTakers(t *testing.T) {
	dir := t.TempDir()
	b, err := Open(dir)
	must(t, err)
	const n = 200
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range 4 {
		wg.Go(func() {
			for range 10 * n {
				if c, _, ok, err := Take(dir); err != nil {
					t.Error(err)
				} else if ok {
					mu.Lock()
					seen[c.FMRI]++
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		must(t, b.Put(some(i)))
	}
	wg.Wait()
	for _, c := range took(t, dir) {
		seen[c.FMRI]++
	}
	for fmri, times := range seen {
		if times != 1 {
			t.Errorf("%s was taken %d times", fmri, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d", len(seen), n)
	}
}

// TestStrangeFiles: what is no change is told of and gone, and what is behind it is taken.
func TestStrangeFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(n uint64) string { return filepath.Join(dir, nameOf(n)) }
	must(t, os.WriteFile(at(1), []byte("change 2\nfmri svc:/a:b\nfrom online\nto offline\nat 1\n"), 0o600))
	must(t, os.MkdirAll(at(2)+"/below", 0o755))
	must(t, os.Symlink("/dev/zero", at(3)))
	must(t, unix.Mkfifo(at(4), 0o600))
	must(t, os.WriteFile(at(5), nil, 0o600))
	must(t, os.Truncate(at(5), 1<<40))
	must(t, os.WriteFile(at(6), []byte(version+"\nfrom online\nto offline\nat 1\n"), 0o600))
	must(t, os.WriteFile(at(7), []byte(version+"\nfmri svc:/a:b\nfrom online\nto offline\nat soon\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "README"), nil, 0o600))
	b, err := Open(dir)
	must(t, err)
	must(t, b.Put(&Change{FMRI: "svc:/a:\x1b[2J\nb", From: "online", To: strings.Repeat("x", 10*textBytesMax), At: time.Unix(1, 0)}))
	for n := range uint64(7) {
		_, _, ok, err := Take(dir)
		if !ok || err == nil || !strings.Contains(err.Error(), at(n+1)) {
			t.Errorf("%d: %v, %v", n+1, ok, err)
		}
	}
	got := took(t, dir)
	if len(got) != 1 || got[0].FMRI != "svc:/a:?[2J?b" || len(got[0].To) > textBytesMax+3 {
		t.Errorf("%+v", got)
	}
	if list := names(t, dir); len(list) != 0 {
		t.Errorf("%q is left", list)
	}
	if _, _, ok, err := Take(filepath.Join(dir, "none")); ok || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v, %v", ok, err)
	}
	if _, err := Open("/proc/none"); err == nil {
		t.Error("no directory, and no error")
	}
}

// FuzzParse: what is read is what would be written again, and has no control characters.
func FuzzParse(f *testing.F) {
	f.Add(some(1).append(nil))
	f.Add([]byte(version + "\nfmri a\nfrom b\nto c\nat -1\nall\nlater\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse(text)
		if err != nil {
			return
		}
		again, err := parse(c.append(nil))
		if err != nil || !reflect.DeepEqual(again, c) && len(text) < textBytesMax {
			t.Errorf("%+v, %v, not %+v", again, err, c)
		}
		for _, s := range []string{c.FMRI, c.From, c.To, c.Reason, c.Detail, c.By} {
			if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q", s)
			}
		}
	})
}
