// Zsched is the keeper of one zone: the parent of its supervisor, of its init and of its
// logins. zoneadm starts it; it should not be run by hand.
package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
)

const (
	exitUsage = 2
	// exitTaken: another keeper is in charge of the zone, which is no error.
	exitTaken = 17
	// backlog is how many callers may wait while a supervisor is replaced.
	backlog = 128
	// logBytesMax bounds the log of one keeper's life.
	logBytesMax = 1 << 20

	readyLine = "\x01ready\n"

	doorName    = "door"
	consoleName = "console"
	pidName     = "zsched.pid"
	ringName    = "console.ring"
	logName     = "zsched.log"
)

func say(s string) { _, _ = unix.Write(2, []byte(s+"\n")) }

func main() {
	if len(os.Args) != 3 || os.Args[1] != "-z" || os.Args[2] == "" {
		say("Usage: zsched -z zonename\n\tNote: zsched should not be run directly.")
		os.Exit(exitUsage)
	}
	zone := string([]byte(os.Args[2])) // a copy: the title is written over the arguments
	_ = unix.Chdir("/")
	unix.Umask(0o022)
	_ = writeFile("/proc/self/oom_score_adj", "0")
	code, err := run(zone)
	if err != nil {
		say("zsched: zone '" + zone + "': " + err.Error())
		os.Exit(1)
	}
	os.Exit(code)
}

func writeFile(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err
}

// run takes charge of the zone, or finds that another keeper has.
func run(zone string) (int, error) {
	lay := layout.FromEnv()
	if err := makeDirs(lay, zone); err != nil {
		return 0, err
	}
	dir, err := sys.OpenDir(lay.ZoneState(zone))
	if err != nil {
		return 0, err
	}
	lock, holder, err := sys.LockFile(dir, pidName)
	if holder != 0 || lock == nil {
		if lock == nil && holder == 0 && err != nil && !isAgain(err) {
			return 0, err
		}
		return exitTaken, nil
	}
	if err := lock.WritePid(os.Getpid()); err != nil {
		return 0, err
	}
	code, err := keep(zone, dir)
	_ = unix.Unlinkat(dir.Int(), doorName, 0)
	_ = unix.Unlinkat(dir.Int(), consoleName, 0)
	_ = lock.Remove()
	return code, err
}

func isAgain(err error) bool {
	e, ok := err.(*sys.Error)
	return ok && (e.Errno == unix.EAGAIN || e.Errno == unix.EACCES)
}

// makeDirs makes the run-time directories. Doors are protected by their directory: anybody
// may connect to a socket he can name.
func makeDirs(lay layout.Layout, zone string) error {
	for _, d := range []struct {
		path string
		mode uint32
	}{{lay.Run, 0o755}, {lay.Status(), 0o755}, {lay.State(), 0o700}, {lay.ZoneState(zone), 0o700}} {
		if err := os.MkdirAll(d.path, os.FileMode(d.mode)); err != nil {
			return err
		}
		if err := unix.Chmod(d.path, d.mode); err != nil {
			return err
		}
	}
	return nil
}

func keep(zone string, dir *sys.FD) (int, error) {
	// The console before the door: who finds the door open finds a console.
	console, err := sys.ListenUnix(dir, consoleName, 0o600, backlog)
	if err != nil {
		return 0, err
	}
	door, err := sys.ListenUnix(dir, doorName, 0o600, backlog)
	if err != nil {
		return 0, err
	}
	w, err := loadRing(dir)
	if err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	program := self[:lastSlash(self)+1] + "zoned"
	k, err := keeper.New(keeper.Config{
		Program: program, Args: []string{program, "-z", zone}, Env: os.Environ(),
		Door: door, Console: console, Ring: w,
		Ready: func() { detach(dir) },
		Say:   func(s string) { announce(zone, s) },
	})
	if err != nil {
		return 0, err
	}
	code := k.Run()
	saveRing(dir, w)
	return code, nil
}

func lastSlash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return i
		}
	}
	return -1
}

// detach tells who started us that the supervisor serves, and moves standard output and
// error to the log.
func detach(dir *sys.FD) {
	_, _ = unix.Write(1, []byte(readyLine))
	fd, err := unix.Openat(dir.Int(), logName, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_APPEND|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		fd, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		_ = unix.Dup3(fd, 1, 0)
		_ = unix.Dup3(fd, 2, 0)
		unix.Close(fd)
	}
}

// announce logs a line, until the log is as long as it may be.
func announce(zone, s string) {
	var st unix.Stat_t
	if unix.Fstat(2, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size > logBytesMax {
		return
	}
	say("zsched[" + strconv.Itoa(os.Getpid()) + "]: zone '" + zone + "': " + s)
}

// loadRing goes on with the console ring that the last keeper of this zone left, if it did.
func loadRing(dir *sys.FD) (*ring.Writer, error) {
	b, err := sys.ReadFile(dir.Proc()+"/"+ringName, ring.SnapshotMax)
	if err == nil {
		if w, err := ring.Restore(b); err == nil {
			return w, nil
		}
	}
	return ring.Create()
}

// saveRing leaves the console's history to the next keeper. That it can not be saved is no
// reason to stay.
func saveRing(dir *sys.FD, w *ring.Writer) {
	const tmp = ringName + ".tmp"
	fd, err := unix.Openat(dir.Int(), tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	err = sys.WriteAll(fd, w.Snapshot())
	unix.Close(fd)
	if err == nil {
		err = unix.Renameat(dir.Int(), tmp, dir.Int(), ringName)
	}
	if err != nil {
		_ = unix.Unlinkat(dir.Int(), tmp, 0)
	}
}
