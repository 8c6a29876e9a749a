package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestWriteReplacesWithModeWhateverTheUmask(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index")
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	for _, content := range []string{"one", "", strings.Repeat("x", 1<<20), "two"} {
		if err := Write(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Fatalf("read %d bytes, %v; want %d", len(got), err, len(content))
		}
		st, _ := os.Stat(path)
		if st.Mode().Perm() != 0o644 {
			t.Fatalf("mode %v", st.Mode())
		}
	}
	if n := names(t, dir); len(n) != 1 {
		t.Fatalf("left behind: %v", n)
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Write(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// failing gives a disk whose nth step fails.
func failing(n int) (Disk, *[]string) {
	var steps []string
	real := Real()
	step := func(what string) error {
		steps = append(steps, what)
		if len(steps) == n {
			return errors.New("planned failure of " + what)
		}
		return nil
	}
	d := real
	d.Create = func(p string, m fs.FileMode) (File, error) {
		if err := step("create"); err != nil {
			return nil, err
		}
		f, err := real.Create(p, m)
		return stepFile{f, step}, err
	}
	d.Rename = func(a, b string) error {
		if err := step("rename"); err != nil {
			return err
		}
		return real.Rename(a, b)
	}
	d.SyncDir = func(p string) error {
		if err := step("syncdir"); err != nil {
			return err
		}
		return real.SyncDir(p)
	}
	return d, &steps
}

type stepFile struct {
	File
	step func(string) error
}

func (f stepFile) Write(p []byte) (int, error) {
	if err := f.step("write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f stepFile) Sync() error {
	if err := f.step("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f stepFile) Close() error {
	err := f.step("close")
	if cerr := f.File.Close(); err == nil {
		err = cerr
	}
	return err
}

func TestEveryFailingStepLeavesOldOrNewAndNoLitter(t *testing.T) {
	d, steps := failing(0)
	if err := d.Write(filepath.Join(t.TempDir(), "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "create write sync close rename syncdir"
	if got := strings.Join(*steps, " "); got != want {
		t.Fatalf("steps are %q, want %q", got, want)
	}
	for n := 1; n <= len(*steps); n++ {
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		if err := Write(path, []byte("the old"), 0o600); err != nil {
			t.Fatal(err)
		}
		d, _ := failing(n)
		if err := d.Write(path, []byte("the new"), 0o600); err == nil {
			t.Fatalf("step %d failed and nobody said so", n)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := "the old"; n < len(*steps) && string(got) != want {
			t.Errorf("after failing step %d: %q", n, got)
		}
		if l := names(t, dir); len(l) != 1 {
			t.Errorf("after failing step %d: %v", n, l)
		}
	}
}

func TestConcurrentWritersNeverMix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Write(path, bytes.Repeat([]byte("0"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for range 25 {
				if err := Write(path, bytes.Repeat([]byte{byte('a' + w)}, 4096), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		got, err := os.ReadFile(path)
		if err != nil || len(got) != 4096 || bytes.Count(got, got[:1]) != 4096 {
			t.Fatalf("mixed content of %d bytes, %v", len(got), err)
		}
	}
	wg.Wait()
	if l := names(t, dir); len(l) != 1 {
		t.Fatalf("left behind: %v", l)
	}
}

func TestSweepTakesOnlyTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"index", ".intent", ".tmp-index-0123~", ".tmp-keep", "x~"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".tmp-dir~"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Real().Sweep(dir); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names(t, dir), " "); got != ".intent .tmp-dir~ .tmp-keep index x~" {
		t.Fatal(got)
	}
}
