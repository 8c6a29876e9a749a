package files

import (
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is after how long all paths are looked at again, whatever inotify said. Tests have
// less.
var lookEvery = 5 * time.Second

// settle is how long is waited after a word of inotify's before looking: much may happen at once.
const settle = 10 * time.Millisecond

// Change is what is told of a path.
type Change struct {
	Path  string
	There bool
}

// path is one that is wanted.
type path struct {
	told, there bool // told: what there says was taken or is in the queue
	queued      bool
}

// Watcher looks after paths.
type Watcher struct {
	ready chan struct{}
	look  chan struct{} // a look is due
	stop  chan struct{}
	done  sync.WaitGroup
	notes *notes
	every time.Duration // lookEvery

	mu    sync.Mutex
	paths map[string]*path
	queue []string
}

// New begins with no path.
func New() *Watcher {
	w := &Watcher{
		ready: make(chan struct{}, 1), look: make(chan struct{}, 1), stop: make(chan struct{}),
		notes: newNotes(), every: lookEvery, paths: map[string]*path{},
	}
	w.done.Go(w.listen)
	go w.run()
	return w
}

// Want begins to tell of a path, which is absolute.
func (w *Watcher) Want(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paths[name] == nil {
		w.paths[name] = &path{}
		poke(w.look)
	}
}

// Drop ends it.
func (w *Watcher) Drop(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.paths, name)
	poke(w.look)
}

// Look has all paths looked at now, as a refresh of a service does.
func (w *Watcher) Look() { poke(w.look) }

// Ready receives when there is something for Next.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Next takes a change; false: there is none now.
func (w *Watcher) Next() (Change, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 {
		name := w.queue[0]
		w.queue = w.queue[1:]
		if p := w.paths[name]; p != nil && p.queued {
			p.queued = false
			return Change{Path: name, There: p.there}, true
		}
	}
	w.queue = nil
	return Change{}, false
}

// Close ends it.
func (w *Watcher) Close() {
	close(w.stop)
	w.notes.wake()
	w.done.Wait()
	w.notes.close()
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// listen passes on what inotify says.
func (w *Watcher) listen() {
	for w.notes.wait() {
		select {
		case <-w.stop:
			return
		default:
			poke(w.look)
		}
	}
	<-w.stop
}

// run looks.
func (w *Watcher) run() {
	again := time.NewTicker(w.every)
	defer again.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-w.look:
			select {
			case <-w.stop:
				return
			case <-time.After(settle):
			}
		case <-again.C:
		}
		w.lookAll()
	}
}

// lookAll looks at each path. The directories are watched first: what happens after that is told,
// and seen by the next look.
func (w *Watcher) lookAll() {
	w.mu.Lock()
	names := make([]string, 0, len(w.paths))
	for name := range w.paths {
		names = append(names, name)
	}
	w.mu.Unlock()
	w.notes.watch(names)
	for _, name := range names {
		w.tell(name, isThere(name))
	}
}

func (w *Watcher) tell(name string, there bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.paths[name]
	if p == nil || p.told && p.there == there {
		return
	}
	p.told, p.there = true, there
	if !p.queued {
		p.queued = true
		w.queue = append(w.queue, name)
	}
	poke(w.ready)
}

func isThere(name string) bool {
	var st unix.Stat_t
	for {
		err := unix.Stat(name, &st)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// above gives the directories whose entries decide whether a path is there, those that are there:
// one of them may be moved away with all below it, and nothing is told but by its own parent.
func above(name string) (dirs []string) {
	for dir := filepath.Dir(name); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == "/" || dir == "." {
			return dirs
		}
	}
}
