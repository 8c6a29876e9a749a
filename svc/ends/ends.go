package ends

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/orphans"
)

// statusLimit is how long init may take to reap a process that has ended.
var statusLimit = 5 * time.Second

// statusEvery is how often init's list is looked at meanwhile.
const statusEvery = 2 * time.Millisecond

// ErrClosed: the watcher was closed.
var ErrClosed = errors.New("nobody waits for processes any more")

// End is the end of a process.
type End struct {
	Pid    int
	Status unix.WaitStatus
	Known  bool // false: nobody knows how it ended
}

// process is one that is waited for.
type process struct {
	pid, pidfd int
	since      uint64
	deadline   time.Time // of the status; zero: it has not ended
}

// Watcher waits for processes.
type Watcher struct {
	list  *orphans.View
	epoll int
	wake  int // eventfd: ends the wait
	ready chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	waiting map[int]*process // by pidfd
	ended   []End
	closed  bool
}

// New begins. list is init's list, which must stay open until Close; nil: there is none, and how
// others' processes end is not known.
func New(list *orphans.View) (*Watcher, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)})
	}
	if err != nil {
		unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	w := &Watcher{
		list: list, epoll: epoll, wake: wake, waiting: map[int]*process{},
		ready: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// Add waits for a process. since is when it was known to be there (nanoseconds of CLOCK_BOOTTIME;
// its start will do): it tells it from others that had its number. The pidfd is the watcher's
// from here on, also when there is an error.
func (w *Watcher) Add(pid, pidfd int, since uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		unix.Close(pidfd)
		return ErrClosed
	}
	w.waiting[pidfd] = &process{pid: pid, pidfd: pidfd, since: since}
	err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, pidfd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(pidfd)})
	if err != nil {
		delete(w.waiting, pidfd)
		unix.Close(pidfd)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// Gone is Add for another's process of which there is no pidfd any more: it has ended.
func (w *Watcher) Gone(pid int, since uint64) {
	status, known := w.ask(pid, since)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell(End{Pid: pid, Status: status, Known: known})
}

// Ready receives when there is something for Next.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Next takes an end; false: there is none now.
func (w *Watcher) Next() (End, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ended) == 0 {
		return End{}, false
	}
	e := w.ended[0]
	if w.ended = w.ended[1:]; len(w.ended) == 0 {
		w.ended = nil // what many ends at once have taken is given back
	}
	return e, true
}

// Close ends waiting. Processes are left alone.
func (w *Watcher) Close() {
	w.mu.Lock()
	was := w.closed
	w.closed = true
	w.mu.Unlock()
	if was {
		return
	}
	unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	for fd := range w.waiting {
		unix.Close(fd)
	}
	w.waiting = nil
	unix.Close(w.wake)
	unix.Close(w.epoll)
}

// tell is called with the lock held.
func (w *Watcher) tell(e End) {
	w.ended = append(w.ended, e)
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// run is the goroutine.
func (w *Watcher) run() {
	defer close(w.done)
	var pending []*process // ended, and not reaped by init yet
	events := make([]unix.EpollEvent, 64)
	for {
		ms := -1
		if len(pending) > 0 {
			ms = int(statusEvery / time.Millisecond)
		}
		n, err := unix.EpollWait(w.epoll, events, ms)
		if err != nil && err != unix.EINTR {
			return // only a descriptor that is closed does this
		}
		// The runtime takes a goroutine that has waited in the kernel for one that has computed as
		// long, and would interrupt it with a signal; this begins its time anew.
		runtime.Gosched()
		w.mu.Lock()
		if w.closed {
			w.mu.Unlock()
			return
		}
		for _, e := range events[:max(n, 0)] {
			p := w.waiting[int(e.Fd)]
			if p == nil {
				continue
			}
			w.forget(p)
			if !w.reap(p) {
				p.deadline = time.Now().Add(statusLimit)
				pending = append(pending, p)
			}
		}
		pending = w.look(pending)
		w.mu.Unlock()
	}
}

// forget closes a pidfd. A child that is just being started has it too, for a moment: taken out of
// the epoll set by its close alone, it would go on to be told, by a number that is another's then.
func (w *Watcher) forget(p *process) {
	delete(w.waiting, p.pidfd)
	unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, p.pidfd, nil)
	unix.Close(p.pidfd)
}

// reap tells the end of a child. false: it is another's.
func (w *Watcher) reap(p *process) bool {
	var status unix.WaitStatus
	for {
		pid, err := unix.Wait4(p.pid, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || pid != p.pid:
			return false
		}
		w.tell(End{Pid: p.pid, Status: status, Known: true})
		return true
	}
}

// look tells those whom init has reaped, or has had its time for; it gives the others.
func (w *Watcher) look(pending []*process) []*process {
	left := pending[:0]
	for _, p := range pending {
		status, known := w.ask(p.pid, p.since)
		if !known && w.list != nil && time.Now().Before(p.deadline) {
			left = append(left, p)
			continue
		}
		w.tell(End{Pid: p.pid, Status: status, Known: known})
	}
	return left
}

func (w *Watcher) ask(pid int, since uint64) (unix.WaitStatus, bool) {
	if w.list == nil {
		return 0, false
	}
	return w.list.Find(pid, since)
}
