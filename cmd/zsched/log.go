package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

const (
	logName = "zsched.log"
	// logBytesMax is how long the log gets before it becomes zsched.log.0, as that of an earlier
	// keeper does. The supervisors' last words are in it too, so it is looked at whenever one of
	// them has died.
	logBytesMax = 1 << 20
	// readyWaitMs bounds the wait for who started us to take the last of its messages. Beyond
	// it that one is stopped, and the zone is not.
	readyWaitMs = 2000

	readyLine = "\x01ready\n"
)

// journal is where lines for a person go: to who started us, and to a file from there on.
type journal struct {
	dir      *sys.FD
	zone     string
	detached bool
}

// detach tells who started us that the supervisor serves, and moves standard output and
// error to the log.
func (j *journal) detach() {
	p := []unix.PollFd{{Fd: 1, Events: unix.POLLOUT}}
	_ = sys.Retry(func() error { _, err := unix.Poll(p, readyWaitMs); return err })
	if p[0].Revents&unix.POLLOUT != 0 {
		_, _ = unix.Write(1, []byte(readyLine))
	}
	j.detached = true
	// What the keeper before has said is why one looks here, often enough.
	var st unix.Stat_t
	if unix.Fstatat(j.dir.Int(), logName, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Size > 0 {
		j.aside()
	}
	j.open(unix.O_TRUNC)
}

// aside makes the log the older one.
func (j *journal) aside() { _ = unix.Renameat(j.dir.Int(), logName, j.dir.Int(), logName+".0") }

// open makes the log standard output and error.
func (j *journal) open(flags int) {
	flags |= unix.O_WRONLY | unix.O_CREAT | unix.O_APPEND | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	fd, err := unix.Openat(j.dir.Int(), logName, flags, 0o600)
	if err != nil {
		fd, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		_ = unix.Dup3(fd, 1, 0)
		_ = unix.Dup3(fd, 2, 0)
		unix.Close(fd)
	}
}

// say logs a line, or tells it to who started us.
func (j *journal) say(s string) {
	if j.detached {
		j.rotate()
		s = "[" + strconv.FormatInt(now(), 10) + "] zsched[" + strconv.Itoa(os.Getpid()) + "]: zone '" + j.zone + "': " + s
	} else {
		s = "zsched: zone '" + j.zone + "': " + s
	}
	_, _ = unix.Write(2, []byte(s+"\n"))
}

// now is the time in seconds since 1970: package time would format it, and is not worth it.
func now() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &ts)
	return ts.Sec
}

// rotate keeps one older log.
func (j *journal) rotate() {
	var st unix.Stat_t
	if unix.Fstat(2, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size <= logBytesMax {
		return
	}
	j.aside()
	j.open(unix.O_TRUNC)
}
