package startd

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/printable"
)

const (
	// logBytesMax is how large the log grows before it is begun anew; the one before is kept, as
	// NAME.0.
	logBytesMax = 1 << 20
	// stampLayout is how a line begins.
	stampLayout = "Jan 2 15:04:05"
	// consoleLimit is how long a console that nobody reads is waited for.
	consoleLimit = 5 * time.Second
	// textBytesMax is how much of a text is written: of a damaged repository it says what to run.
	textBytesMax = 4096
)

// consoleRest is for how long a console that nobody reads is left alone: who says much must not
// wait for it with each line. Tests have less.
var consoleRest = 30 * time.Second

// log writes lines down. A file that cannot be written is tried again with the next line: while
// a zone boots, /var may not be there yet.
type log struct {
	path, early, console string
	mu                   sync.Mutex // one line at a time

	consoleMu sync.Mutex // held while the console is written; guards dead; after none
	dead      time.Time  // until then the console is left alone
}

func newLog(cfg *Config) *log { return &log{path: cfg.Log, early: cfg.EarlyLog, console: cfg.Console} }

// say writes a line to the log.
func (l *log) say(text string) {
	line := time.Now().Format(stampLayout) + " " + printable.Cut(text, textBytesMax) + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.append(l.path, line) != nil {
		_ = l.append(l.early, line)
	}
}

// alert is for what a person must do something about: it is said on the console too.
func (l *log) alert(text string) {
	l.say(text)
	l.tell("svc.startd: " + text)
}

// tell writes a line to the console alone.
func (l *log) tell(text string) {
	if l.console == "" {
		return
	}
	l.consoleMu.Lock()
	defer l.consoleMu.Unlock()
	if time.Now().Before(l.dead) {
		return
	}
	fd, err := unix.Open(l.console, unix.O_WRONLY|unix.O_APPEND|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), l.console)
	defer f.Close()
	_ = f.SetWriteDeadline(time.Now().Add(consoleLimit))
	_, err = f.WriteString(printable.Cut(text, textBytesMax) + "\n")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.dead = time.Now().Add(consoleRest)
	}
}

func (l *log) append(path, line string) error {
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	f, err := os.OpenFile(path, flags, 0o644)
	if os.IsNotExist(err) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			f, err = os.OpenFile(path, flags, 0o644)
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return unix.EINVAL
	}
	if info.Size() > logBytesMax {
		if err := os.Rename(path, path+".0"); err != nil {
			return err
		}
		again, err := os.OpenFile(path, flags, 0o644)
		if err != nil {
			return err
		}
		defer again.Close()
		f = again
	}
	_, err = f.WriteString(line)
	return err
}
