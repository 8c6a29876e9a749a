package files

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// often sets how often is looked in any case.
func often(t testing.TB, every time.Duration) {
	was := lookEvery
	lookEvery = every
	t.Cleanup(func() { lookEvery = was })
}

func watcher(t testing.TB) *Watcher {
	t.Helper()
	w := New()
	t.Cleanup(w.Close)
	return w
}

func (w *Watcher) next(t testing.TB) Change {
	t.Helper()
	limit := time.After(testenv.Deadline(20 * time.Second))
	for {
		if c, ok := w.Next(); ok {
			return c
		}
		select {
		case <-w.Ready():
		case <-limit:
			t.Fatal("nothing is told")
		}
	}
}

func (w *Watcher) expect(t testing.TB, path string, there bool) {
	t.Helper()
	if c := w.next(t); c != (Change{path, there}) {
		t.Fatalf("%+v, want %s %t", c, path, there)
	}
}

// TestComesAndGoes: by inotify alone, whatever of the path is there at first, and however it comes
// and goes.
func TestComesAndGoes(t *testing.T) {
	often(t, time.Hour)
	w := watcher(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "a/b/c")
	w.Want(file)
	w.expect(t, file, false)
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, nil, 0o644))
	w.expect(t, file, true)
	must(t, os.Remove(file))
	w.expect(t, file, false)
	must(t, os.Mkdir(file, 0o755)) // any kind of file will do
	w.expect(t, file, true)
	must(t, os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "z")))
	w.expect(t, file, false)
	must(t, os.Rename(filepath.Join(dir, "z"), filepath.Join(dir, "a")))
	w.expect(t, file, true)
	must(t, os.RemoveAll(filepath.Join(dir, "a")))
	w.expect(t, file, false)
	must(t, os.WriteFile(filepath.Join(dir, "a"), nil, 0o644)) // a file where a directory was
	must(t, os.Remove(filepath.Join(dir, "a")))
	must(t, os.MkdirAll(file, 0o755))
	w.expect(t, file, true)
}

// TestBehindALink: what inotify cannot see is seen a little later.
func TestBehindALink(t *testing.T) {
	often(t, 20*time.Millisecond)
	w := watcher(t)
	target, link := filepath.Join(t.TempDir(), "target"), filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(target, link))
	w.Want(link)
	w.expect(t, link, false)
	must(t, os.WriteFile(target, nil, 0o644))
	w.expect(t, link, true)
	must(t, os.Remove(target))
	w.expect(t, link, false)
}

// TestWithoutInotify: it is slower, and right.
func TestWithoutInotify(t *testing.T) {
	often(t, 20*time.Millisecond)
	w := &Watcher{
		ready: make(chan struct{}, 1), look: make(chan struct{}, 1), stop: make(chan struct{}),
		notes: &notes{fd: -1, event: -1}, every: lookEvery, paths: map[string]*path{},
	}
	w.done.Go(w.listen)
	go w.run()
	defer w.Close()
	file := filepath.Join(t.TempDir(), "f")
	w.Want(file)
	w.expect(t, file, false)
	must(t, os.WriteFile(file, nil, 0o644))
	w.expect(t, file, true)
}

// TestDrop: what is not wanted any more is not told; wanted again, it is told again.
func TestDrop(t *testing.T) {
	often(t, time.Hour)
	w := watcher(t)
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	w.Want(a)
	<-w.Ready() // and is not taken
	w.Drop(a)
	w.Want(b)
	w.expect(t, b, false)
	must(t, os.WriteFile(a, nil, 0o644))
	must(t, os.WriteFile(b, nil, 0o644))
	w.expect(t, b, true)
	w.Want(a)
	w.expect(t, a, true)
	w.Want(a) // it is already
	must(t, os.Remove(b))
	w.expect(t, b, false)
	w.notes.mu.Lock()
	watched := len(w.notes.dirs)
	w.notes.mu.Unlock()
	if want := len(above(a)); watched != want {
		t.Errorf("%d directories are watched, want %d", watched, want)
	}
}

// TestSlowListener: only the last state is kept.
func TestSlowListener(t *testing.T) {
	often(t, time.Hour)
	w := watcher(t)
	file := filepath.Join(t.TempDir(), "f")
	w.Want(file)
	for range 50 {
		must(t, os.WriteFile(file, nil, 0o644))
		must(t, os.Remove(file))
	}
	must(t, os.WriteFile(file, nil, 0o644))
	testenv.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.paths[file].there
	}, "the last state")
	w.expect(t, file, true)
	if c, ok := w.Next(); ok {
		t.Errorf("and %+v", c)
	}
}

// TestStorm: many paths that come and go, in directories that do: at rest what was told last of
// each is so.
func TestStorm(t *testing.T) {
	often(t, 50*time.Millisecond)
	w := watcher(t)
	dir := t.TempDir()
	var paths []string
	for i := range 40 {
		paths = append(paths, filepath.Join(dir, string(rune('a'+i%4)), string(rune('a'+i%7)), string(rune('a'+i))))
	}
	told := map[string]bool{}
	for _, p := range paths {
		w.Want(p)
		told[p] = false
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range testenv.Rounds(2000, 300) {
		p := paths[random.IntN(len(paths))]
		switch random.IntN(5) {
		case 0:
			_ = os.RemoveAll(filepath.Dir(p))
		case 1:
			_ = os.RemoveAll(filepath.Dir(filepath.Dir(p)))
		case 2:
			_ = os.Remove(p)
		default:
			_ = os.MkdirAll(filepath.Dir(p), 0o755)
			_ = os.WriteFile(p, nil, 0o644)
		}
		if c, ok := w.Next(); ok {
			told[c.Path] = c.There
		}
	}
	testenv.Eventually(t, func() bool {
		for c, ok := w.Next(); ok; c, ok = w.Next() {
			told[c.Path] = c.There
		}
		for _, p := range paths {
			_, err := os.Stat(p)
			if told[p] != (err == nil) {
				return false
			}
		}
		return true
	}, "what was told to be so")
}
