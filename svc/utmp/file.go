package utmp

import (
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const (
	// TableBytesMax is the largest utmp that is looked through: some thousand terminals.
	TableBytesMax = 4 << 20
	// LogBytesMax is how large wtmp grows by us: a service that is started each second needs a day
	// for it. Who rotates it begins anew.
	LogBytesMax = 64 << 20
	// tailRecords is how far back wtmp is looked through for what it may have already.
	tailRecords = 4096
	// chunkRecords are read at once.
	chunkRecords = 64
	// lockFirst and lockMost are how often a lock is tried that somebody else has.
	lockFirst, lockMost = 2 * time.Millisecond, 50 * time.Millisecond
)

// How long a lock of somebody else's is waited for: by a process that is to become a method, and by the
// Recorder, which has time, as glibc has. Tests have less.
var processWait, recorderWait = time.Second, 10 * time.Second

// Errors.
var (
	ErrNotRegular = errors.New("it is no plain file")
	ErrTooLarge   = errors.New("it is too large")
	ErrLocked     = errors.New("somebody else has it locked, and does not let go")
	ErrNoID       = errors.New("all ids with this prefix are in use")
)

// fileError says what could not be done with which file.
type fileError struct {
	path, what string
	cause      error
}

func (e *fileError) Error() string { return e.path + ": " + e.what + ": " + e.cause.Error() }
func (e *fileError) Unwrap() error { return e.cause }

// file is one of the two, open and locked.
type file struct {
	fd   *sys.FD
	path string
	size int // of a record
	max  int64
}

// open opens a file and takes the lock on it. The lock is the open file's: it goes with it, whatever
// else of this process has the same file.
func open(path string, size int, bytesMax int64, wait time.Duration) (*file, error) {
	f := &file{path: path, size: size, max: bytesMax}
	var n int
	err := sys.Retry(func() (e error) {
		n, e = unix.Open(path, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		return e
	})
	if err != nil {
		return nil, f.fail("open", err)
	}
	f.fd = sys.Own(n)
	if err = f.regular(); err == nil {
		err = f.lock(wait)
	}
	if err != nil {
		f.close()
		return nil, f.fail("open", err)
	}
	return f, nil
}

func (f *file) fail(what string, err error) error { return &fileError{f.path, what, err} }

func (f *file) close() { f.fd.Close() }

func (f *file) regular() error {
	var st unix.Stat_t
	if err := sys.Retry(func() error { return unix.Fstat(f.fd.Int(), &st) }); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return ErrNotRegular
	}
	return nil
}

// lock takes the lock that glibc takes to write.
func (f *file) lock(wait time.Duration) error {
	end := time.NewTimer(wait)
	defer end.Stop()
	for pause := lockFirst; ; pause = min(2*pause, lockMost) {
		err := sys.Retry(func() error {
			return unix.FcntlFlock(uintptr(f.fd.Int()), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
		})
		if err != unix.EAGAIN && err != unix.EACCES {
			return err
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-end.C:
			again.Stop()
			return ErrLocked
		}
	}
}

// records is how many whole ones there are.
func (f *file) records() (int, error) {
	var st unix.Stat_t
	if err := sys.Retry(func() error { return unix.Fstat(f.fd.Int(), &st) }); err != nil {
		return 0, f.fail("look at", err)
	}
	if st.Size > f.max {
		return 0, f.fail("it has "+strconv.FormatInt(st.Size, 10)+" bytes, and nothing is recorded there", ErrTooLarge)
	}
	return int(st.Size) / f.size, nil
}

// each gives the records from one on, until one is enough. An entry is good for the call only. What was
// cut off meanwhile is the end.
func (f *file) each(from int, use func(n int, e entry) (more bool)) error {
	count, err := f.records()
	if err != nil {
		return err
	}
	buf := make([]byte, chunkRecords*f.size)
	for n := from; n < count; {
		var got int
		err := sys.Retry(func() (e error) {
			got, e = unix.Pread(f.fd.Int(), buf[:min(chunkRecords, count-n)*f.size], int64(n)*int64(f.size))
			return e
		})
		if err != nil {
			return f.fail("read", err)
		}
		if got < f.size {
			return nil
		}
		for at := 0; at+f.size <= got; at += f.size {
			if !use(n, entry(buf[at:at+f.size])) {
				return nil
			}
			n++
		}
	}
	return nil
}

// write puts a record where it belongs: behind all others if n is their number. A part that is cut off
// there is written over. One that does not fit on the disk is not left half written at the end.
func (f *file) write(n int, e entry) error {
	at := int64(n) * int64(f.size)
	if at+int64(f.size) > f.max {
		return f.fail("it has "+strconv.FormatInt(at, 10)+" bytes, and nothing is recorded there", ErrTooLarge)
	}
	var done int
	err := sys.Retry(func() (e2 error) { done, e2 = unix.Pwrite(f.fd.Int(), e, at); return e2 })
	if err == nil && done < len(e) {
		err = io.ErrShortWrite
	}
	if err == nil {
		return nil
	}
	if count, e2 := f.records(); e2 == nil && count <= n {
		_ = unix.Ftruncate(f.fd.Int(), at)
	}
	return f.fail("write", err)
}

// append puts a record behind all others.
func (f *file) append(e entry) error {
	n, err := f.records()
	if err != nil {
		return err
	}
	return f.write(n, e)
}

// has says whether a record is among the last.
func (f *file) has(want entry) (has bool, err error) {
	count, err := f.records()
	if err != nil {
		return false, err
	}
	err = f.each(max(count-tailRecords, 0), func(_ int, e entry) bool { has = e.equal(want); return !has })
	return has, err
}

// missing: an error that says that there is no such file.
func missing(err error) bool { return errors.Is(err, os.ErrNotExist) }
