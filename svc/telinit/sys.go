package telinit

import (
	"errors"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/inside"
	"github.com/linuxzones/zones/svc/zonefile"
)

const (
	// pidPath holds the pid of the shutdown that waits, which has a lock on it.
	pidPath = "/run/shutdown.pid"
	// terminalsMax bounds whom a warning goes to.
	terminalsMax = 1024
	// answerBytesMax: y or n.
	answerBytesMax = 64
)

var realMachine = machine{
	root:    func() bool { return os.Geteuid() == 0 },
	prove:   func() (proof, error) { return inside.Prove() },
	now:     time.Now,
	confirm: confirm,
	tell:    tell,
	note:    func(text string) { os.Stderr.WriteString("NOTICE: " + text + "\n") },
	sleep:   sleep,
	lock:    lock,
	cancel:  cancel,
}

func confirm() bool {
	os.Stdout.WriteString("Do you want to continue? (y or n):   ")
	answer := make([]byte, answerBytesMax)
	n, err := os.Stdin.Read(answer)
	if err != nil {
		return false
	}
	text := strings.TrimSpace(string(answer[:n]))
	return strings.EqualFold(text, "y") || strings.EqualFold(text, "yes")
}

// sleep waits for d, or for somebody who cancels. A terminal that goes away does not: the
// others were promised that the zone goes down.
func sleep(d time.Duration) bool {
	signal.Ignore(unix.SIGHUP)
	cancelled := make(chan os.Signal, 1)
	signal.Notify(cancelled, unix.SIGTERM, unix.SIGINT)
	defer signal.Stop(cancelled)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-cancelled:
		return false
	}
}

var (
	errPending   = errors.New("a shutdown is under way already")
	errNoPending = errors.New("no shutdown is under way")
)

// lock makes this the one shutdown that waits.
func lock() (unlock func(), err error) {
	f, err := os.OpenFile(pidPath, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, err
	}
	locked, err := tryLock(f)
	if err == nil && !locked {
		err = errPending
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func tryLock(f *os.File) (bool, error) {
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &whole)
	if err == unix.EAGAIN || err == unix.EACCES {
		return false, nil
	}
	return err == nil, err
}

// cancel ends the shutdown that holds the lock. Its pid cannot be another's: as long as the
// lock is held, the holder lives.
func cancel() error {
	f, err := os.OpenFile(pidPath, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return errNoPending
	}
	if err != nil {
		return err
	}
	defer f.Close()
	free, err := tryLock(f)
	if err != nil {
		return err
	}
	if free {
		return errNoPending
	}
	text, err := zonefile.Read(pidPath, answerBytesMax)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return errNoPending
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(pidfd)
	return unix.PidfdSendSignal(pidfd, unix.SIGTERM, nil, 0)
}

// tell writes to every terminal of the zone. One that does not take it now misses it.
func tell(text string) {
	text = "\r\n\a" + strings.ReplaceAll(text, "\n", "\r\n") + "\r\n"
	terminals := []string{"/dev/console"}
	if dir, err := os.Open("/dev/pts"); err == nil {
		names, _ := dir.Readdirnames(terminalsMax)
		dir.Close()
		for _, name := range names {
			if _, err := strconv.Atoi(name); err == nil {
				terminals = append(terminals, "/dev/pts/"+name)
			}
		}
	}
	for _, path := range terminals {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		unix.Write(fd, []byte(text))
		unix.Close(fd)
	}
}
