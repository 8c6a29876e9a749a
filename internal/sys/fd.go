package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// FD owns one descriptor. The zero value owns none. It is not safe for concurrent use.
type FD struct {
	n  int
	ok bool
}

// Own takes ownership of descriptor n.
func Own(n int) *FD { return &FD{n: n, ok: n >= 0} }

// Int is the descriptor's number, -1 when nothing is owned. The number stays valid only
// as long as f owns it.
func (f *FD) Int() int {
	if f == nil || !f.ok {
		return -1
	}
	return f.n
}

// Valid says whether f still owns a descriptor.
func (f *FD) Valid() bool { return f != nil && f.ok }

// Close releases the descriptor. Closing twice is harmless.
func (f *FD) Close() error {
	if !f.Valid() {
		return nil
	}
	f.ok = false
	return unix.Close(f.n)
}

// Disown hands the number over to the caller, who must close it.
func (f *FD) Disown() int {
	n := f.Int()
	if f != nil {
		f.ok = false
	}
	return n
}

// Dup gives a second, close-on-exec descriptor for the same open file.
func (f *FD) Dup() (*FD, error) {
	n, err := unix.FcntlInt(uintptr(f.Int()), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, wrap("dup", strconv.Itoa(f.Int()), err)
	}
	return Own(n), nil
}

// Proc is the path of the descriptor below /proc/self/fd.
func (f *FD) Proc() string { return "/proc/self/fd/" + strconv.Itoa(f.Int()) }

// OpenDir opens a directory for use as a base of *at calls. Its last component must not
// be a symbolic link.
func OpenDir(path string) (*FD, error) {
	n, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("open", path, err)
	}
	return Own(n), nil
}

// ReadFile reads a whole small file without the os package. EFBIG: it holds more than
// maxBytes. A pipe of that name is not waited for.
func ReadFile(path string, maxBytes int) ([]byte, error) {
	n, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, wrap("open", path, err)
	}
	fd := Own(n)
	defer fd.Close()
	buf := make([]byte, 0, 1024)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		var got int
		err := Retry(func() (e error) { got, e = unix.Read(n, buf[len(buf):cap(buf)]); return })
		if err != nil {
			return nil, wrap("read", path, err)
		}
		if got == 0 {
			return buf, nil
		}
		buf = buf[:len(buf)+got]
		if len(buf) > maxBytes {
			return nil, wrap("read", path, unix.EFBIG)
		}
	}
}

// WriteAll writes all of p, waiting where the descriptor is non-blocking.
func WriteAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(pfd, -1); err != nil && err != unix.EINTR {
				return wrap("poll", "", err)
			}
		case err != nil:
			return wrap("write", "", err)
		default:
			p = p[n:]
		}
	}
	return nil
}

// Pipe makes a pipe: the end that is read, and the one that is written.
func Pipe() (r, w *FD, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, wrap("pipe2", "", err)
	}
	return Own(p[0]), Own(p[1]), nil
}
