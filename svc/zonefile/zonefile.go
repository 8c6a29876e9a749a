package zonefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

var (
	// ErrNotRegular: a directory, device, FIFO or socket.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge: more than the caller's limit.
	ErrTooLarge = errors.New("file too large")
)

// Read gives the whole file, which has at most bytesMax bytes.
func Read(path string, bytesMax int) ([]byte, error) {
	fd, err := open(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	data, err := read(fd, bytesMax)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}

func open(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func read(fd, bytesMax int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, ErrNotRegular
	}
	if st.Size > int64(bytesMax) {
		return nil, ErrTooLarge
	}
	// The size is only a hint: files of /proc have none, and a file may grow meanwhile.
	buf := make([]byte, 0, min(int(st.Size)+512, bytesMax+1))
	for {
		if len(buf) > bytesMax {
			return nil, ErrTooLarge
		}
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(2*cap(buf), bytesMax+1))
			copy(grown, buf)
			buf = grown
		}
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return buf, nil
		default:
			buf = buf[:len(buf)+n]
		}
	}
}
