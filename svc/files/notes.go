package files

import (
	"sync"

	"golang.org/x/sys/unix"
)

// mask is what changes whether a path is there.
const mask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// notes is inotify, where there is one.
type notes struct {
	fd, event int // -1: none

	mu   sync.Mutex
	dirs map[string]int32 // watch descriptors
}

func newNotes() *notes {
	n := &notes{fd: -1, event: -1, dirs: map[string]int32{}}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return n
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return n
	}
	n.fd, n.event = fd, event
	return n
}

// wake ends a wait for good.
func (n *notes) wake() {
	if n.event >= 0 {
		unix.Write(n.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

func (n *notes) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fd >= 0 {
		unix.Close(n.fd)
		unix.Close(n.event)
	}
	n.fd, n.event = -1, -1
}

// wait waits until something happens. What it was is not of interest. false: nothing will.
func (n *notes) wait() bool {
	if n.fd < 0 {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(n.fd), Events: unix.POLLIN}, {Fd: int32(n.event), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false
		}
		break
	}
	n.drain()
	return true
}

// drain takes what is told. A directory that is gone is watched anew when its path is there again.
func (n *notes) drain() {
	buf := make([]byte, 16<<10)
	for {
		got, err := unix.Read(n.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || got < unix.SizeofInotifyEvent {
			return
		}
		n.gone(buf[:got])
	}
}

// gone forgets the directories of which the kernel has ended the watch.
func (n *notes) gone(b []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(b) >= unix.SizeofInotifyEvent {
		e := decode(b)
		if e.mask&(unix.IN_IGNORED|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF) != 0 {
			for dir, wd := range n.dirs {
				if wd == e.wd {
					delete(n.dirs, dir)
					unix.InotifyRmWatch(n.fd, uint32(wd)) // moved: it is at another path now
				}
			}
		}
		b = b[min(len(b), unix.SizeofInotifyEvent+int(e.len)):]
	}
}

// watch watches the directories above these paths, and no others. Where the kernel refuses, or
// there is no such directory, the next one above or the regular look has to do.
func (n *notes) watch(names []string) {
	wanted := map[string]bool{}
	for _, name := range names {
		for _, dir := range above(name) {
			wanted[dir] = true
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fd < 0 {
		return
	}
	for dir, wd := range n.dirs {
		if !wanted[dir] {
			unix.InotifyRmWatch(n.fd, uint32(wd))
			delete(n.dirs, dir)
		}
	}
	for dir := range wanted {
		// Again each time: another directory may be at this path, and then it is another number.
		wd, err := unix.InotifyAddWatch(n.fd, dir, mask)
		if err != nil {
			delete(n.dirs, dir)
		} else {
			if was, ok := n.dirs[dir]; ok && was != int32(wd) {
				unix.InotifyRmWatch(n.fd, uint32(was))
			}
			n.dirs[dir] = int32(wd)
		}
	}
}

type event struct {
	wd        int32
	mask, len uint32
}

func decode(b []byte) event {
	u := func(i int) uint32 { return uint32(b[i]) | uint32(b[i+1])<<8 | uint32(b[i+2])<<16 | uint32(b[i+3])<<24 }
	return event{wd: int32(u(0)), mask: u(4), len: u(12)}
}
