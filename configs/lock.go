package configs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockWaitMax bounds the wait for another writer. Writers hold the lock for
	// milliseconds: one that keeps it longer is stopped, and must not stop everybody.
	lockWaitMax = 10 * time.Second
	// lockPollFirst and lockPollMax are the pauses between attempts. F_OFD_SETLKW would
	// need no pauses, but cannot be given a limit without a signal.
	lockPollFirst = time.Millisecond
	lockPollMax   = 50 * time.Millisecond
)

// fileLock is an open file description lock: it belongs to the descriptor, not to the
// process, so it also keeps goroutines apart, and the kernel drops it with the process.
type fileLock struct{ f *os.File }

// lockFile takes the lock, waiting at most wait. The pid of the holder is written into
// the file for people to read; the lock does not depend on it.
func lockFile(path string, wait time.Duration) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	deadline := time.Now().Add(wait)
	for pause := lockPollFirst; ; pause = min(2*pause, lockPollMax) {
		how := unix.Flock_t{Type: unix.F_WRLCK}
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &how)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if time.Now().After(deadline) {
			err = fmt.Errorf("%w (%s)", ErrLockBusy, holder(f))
			_ = f.Close()
			return nil, err
		}
		<-time.After(pause)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &fileLock{f}, nil
}

// holder names who has the lock; an empty file is one whose holder was killed between
// locking and writing.
func holder(f *os.File) string {
	var b [32]byte
	n, _ := f.ReadAt(b[:], 0)
	pid := strings.TrimSpace(string(b[:n]))
	if pid == "" {
		return "holder unknown"
	}
	return "process ID " + pid
}

// release drops the lock. The file stays: removing it would let a third process lock a
// new file while the second still waits for the old one.
func (l *fileLock) release() {
	_ = l.f.Truncate(0)
	_ = l.f.Close()
}
