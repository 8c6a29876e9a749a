package fuse

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Clients of the tests are processes. Each works for ever in a way of its own and writes the
// numbers that it was given to its standard output; it ends by itself only when it sees what
// must not be.
const fdMount = 3

var ways = map[string]func(open func(name string, flags int) *sys.FD) error{
	"seq": func(open func(string, int) *sys.FD) error {
		return takeFrom(open("seq", unix.O_RDONLY), func() {})
	},
	"take": func(open func(string, int) *sys.FD) error {
		return takeFrom(open("tokens", unix.O_RDONLY), func() {})
	},
	"poll": func(open func(string, int) *sys.FD) error {
		fd := open("tokens", unix.O_RDONLY|unix.O_NONBLOCK)
		fds := []unix.PollFd{{Fd: int32(fd.Int()), Events: unix.POLLIN}}
		return takeFrom(fd, func() { _, _ = unix.Poll(fds, -1) })
	},
	"epoll": func(open func(string, int) *sys.FD) error {
		fd := open("tokens", unix.O_RDONLY|unix.O_NONBLOCK)
		ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return err
		}
		ev := []unix.EpollEvent{{Events: unix.EPOLLIN | unix.EPOLLET}}
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd.Int(), &ev[0]); err != nil {
			return err
		}
		return takeFrom(fd, func() { _, _ = unix.EpollWait(ep, ev, -1) })
	},
	"put": func(open func(string, int) *sys.FD) error {
		fd := open("tokens", unix.O_WRONLY)
		for n := uint64(1); ; n++ {
			if err := write(fd, fmt.Sprintln(n%4)); err != nil {
				return err
			}
			if err := tell(n % 4); err != nil {
				return err
			}
		}
	},
	"open": func(open func(string, int) *sys.FD) error {
		for n := uint64(1); ; n++ {
			open("quiet", unix.O_RDWR|unix.O_TRUNC).Close()
			if err := tell(n); err != nil {
				return err
			}
		}
	},
}

// takeFrom tells the numbers that it reads, which must grow; before each try it waits.
func takeFrom(fd *sys.FD, wait func()) error {
	last := uint64(0)
	for {
		text, err := read(fd, 64)
		if err == unix.EAGAIN {
			wait()
			continue
		}
		if err == unix.EINTR {
			continue
		}
		var n uint64
		if _, scan := fmt.Sscan(text, &n); err != nil || scan != nil || n <= last {
			return fmt.Errorf("read %q %v after %d", text, err, last)
		}
		last = n
		if err := tell(n); err != nil {
			return err
		}
	}
}

func tell(n uint64) error {
	_, err := unix.Write(1, binary.LittleEndian.AppendUint64(nil, n))
	return err
}

func clientMain() int {
	err := ways[os.Getenv("FUSE_TEST_WAY")](func(name string, flags int) *sys.FD {
		for {
			n, err := unix.Openat(fdMount, name, flags|unix.O_CLOEXEC, 0)
			if err == nil {
				return sys.Own(n)
			}
			if err != unix.EINTR {
				fmt.Fprintf(os.Stderr, "client: open %s: %v\n", name, err)
				os.Exit(1)
			}
		}
	})
	fmt.Fprintf(os.Stderr, "client %s: %v\n", os.Getenv("FUSE_TEST_WAY"), err)
	return 1
}

// client is one client and what it told.
type client struct {
	cmd     *exec.Cmd
	out     *os.File
	numbers chan []uint64
	ended   chan error
}

func (r *rig) client(way string) *client {
	r.t.Helper()
	out, in, err := os.Pipe()
	must(r.t, err)
	exe, err := os.Executable()
	must(r.t, err)
	cmd := exec.Command(exe)
	// The runtime's own signals would interrupt its reads, which then queue up again.
	cmd.Env = append(os.Environ(), role+"=client", "FUSE_TEST_WAY="+way, "GODEBUG=asyncpreemptoff=1")
	cmd.Stdout, cmd.Stderr = in, os.Stderr
	mount := dupFile(r.t, r.mount.Int())
	cmd.ExtraFiles = []*os.File{mount}
	err = cmd.Start()
	in.Close()
	mount.Close()
	must(r.t, err)
	c := &client{cmd: cmd, out: out, numbers: make(chan []uint64, 1), ended: make(chan error, 1)}
	go c.collect()
	go func() { c.ended <- cmd.Wait() }()
	return c
}

func (c *client) collect() {
	var list []uint64
	in := bufio.NewReader(c.out)
	for {
		var b [8]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			break
		}
		list = append(list, binary.LittleEndian.Uint64(b[:]))
	}
	c.out.Close()
	c.numbers <- list
}

// stop ends a client and gives the numbers that it told. One that has ended by itself saw
// something wrong.
func (c *client) stop(t testing.TB) []uint64 {
	t.Helper()
	select {
	case err := <-c.ended:
		t.Errorf("a client ended by itself: %v", err)
	default:
		_ = c.cmd.Process.Kill()
		within(t, c.ended, "the end of a client")
	}
	return <-c.numbers
}
