package startd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/repo"
)

// importMax is how long an import may take. Of a thousand manifests it takes some seconds. Tests
// have less.
var importMax = 10 * time.Minute

// linesMax is how much of what an import says is kept in the log.
const linesMax = 1000

// outputMax is how long the output of an import that has ended is still read: longer than a
// console that nobody reads takes. Tests have less.
var outputMax = consoleLimit + time.Second

// Steps of a boot: the names of the files in the volatile directory that stand for those done.
const (
	doneBackup = ".startd-backup"
	doneEarly  = ".startd-early-import"
)

// boot does the first steps of a boot, those that are not done: what comes before any service. What
// else is to be imported, and the profiles, are for the service system/manifest-import.
func (d *daemon) boot(ctx context.Context) {
	d.step(doneBackup, func() bool {
		path, made, err := d.r.Backup(repo.BootBackup)
		if err != nil {
			d.log.alert("keep a backup of the repository: " + err.Error())
		} else if made {
			d.log.say("backup " + path)
		}
		return err == nil
	})
	d.step(doneEarly, func() bool { return d.runImport(ctx) })
}

// step does what is not done yet. A step that failed is tried again by the next svc.startd.
func (d *daemon) step(mark string, do func() bool) {
	path := filepath.Join(d.cfg.Volatile, mark)
	if _, err := os.Lstat(path); err == nil || !do() {
		return
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		d.log.say(path + ": " + err.Error())
		return
	}
	unix.Close(fd)
}

// runImport has the program import, and logs what it says. What is wrong with a manifest is told
// in the log and on the console, and is no failure of the import.
func (d *daemon) runImport(ctx context.Context) bool {
	if len(d.cfg.Import) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeoutCause(ctx, importMax, errors.New("it took longer than "+importMax.String()))
	defer cancel()
	cmd := exec.CommandContext(ctx, d.cfg.Import[0], d.cfg.Import[1:]...)
	cmd.WaitDelay = outputMax
	cmd.Dir = "/"
	// One that outlives this process would import beside the next one's. The kernel sends the
	// signal when the thread ends that started it, so that must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	out := &lines{say: d.log.say, left: linesMax}
	alerts := &lines{say: d.log.alert, left: linesMax}
	cmd.Stdout, cmd.Stderr = out, alerts
	err := cmd.Run()
	out.end()
	alerts.end()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it has ended well, and left somebody its output
		return true
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return false // the zone is going down
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() == importFaults {
		return true
	}
	d.log.alert(strings.Join(append([]string{filepath.Base(d.cfg.Import[0])}, d.cfg.Import[1:]...), " ") + ": " + err.Error())
	return false
}

// importFaults is the exit status of an import that was done and found faults in files, which it
// has said.
const importFaults = 95

// lines gives what a program writes to say, line by line.
type lines struct {
	say  func(string)
	left int
	rest []byte
}

// lineBytesMax bounds one line: what is longer is several. With what is said of it, it is within
// textBytesMax.
const lineBytesMax = textBytesMax / 2

func (l *lines) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' || len(l.rest) == lineBytesMax {
			l.end()
		}
		if b != '\n' {
			l.rest = append(l.rest, b)
		}
	}
	return len(p), nil
}

func (l *lines) end() {
	if len(l.rest) == 0 {
		return
	}
	switch l.left--; {
	case l.left > 0:
		l.say(string(l.rest))
	case l.left == 0:
		l.say(string(l.rest) + "; what more there is, is not logged")
	}
	l.rest = l.rest[:0]
}
