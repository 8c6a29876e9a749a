package svclog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/repo"
)

const (
	// BytesMax is how large a log grows before its beginning is put aside.
	BytesMax = 1 << 20
	// Kept is how many older logs there are.
	Kept = 8
	// textBytesMax is how much of a text is a line; a command with its arguments can be longer.
	textBytesMax = 8192
	// stamp is the time of a line.
	stamp = "Jan _2 15:04:05"
	mode  = 0o644
)

// ErrNotALog: in the log's place is something that is no file of its own.
var ErrNotALog = errors.New("not a regular file with one name")

// Logs are the directories of logs.
type Logs struct {
	Dir   string // /var/svc/log; it is made when it is missing
	Early string // where logs go while Dir cannot be written; empty: nowhere
}

// Zone are the logs of a zone.
func Zone() Logs { return Logs{Dir: "/var/svc/log", Early: "/etc/svc/volatile"} }

// Name is the name of an instance's log.
func Name(e repo.Entity) string {
	return strings.ReplaceAll(e.Service, "/", "-") + ":" + e.Instance + ".log"
}

// Open opens an instance's log for appending, as a method's standard output, and says where it is.
// A log that is full is put aside first.
func (l Logs) Open(e repo.Entity) (f *os.File, early bool, err error) {
	f, err = open(l.Dir, Name(e))
	if err == nil {
		return f, false, nil
	}
	if l.Early == "" || errors.Is(err, ErrNotALog) {
		return nil, false, err
	}
	f, other := open(l.Early, Name(e))
	if other != nil {
		return nil, false, err // why the right place cannot be had is of more use
	}
	return f, true, nil
}

// Line writes a line of svc.startd's.
func (l Logs) Line(e repo.Entity, now time.Time, text string) error {
	f, _, err := l.Open(e)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(Format(now, text))
	return err
}

// Format is a text as a line of svc.startd's.
func Format(now time.Time, text string) string {
	return "[ " + now.Format(stamp) + " " + printable.Cut(text, textBytesMax) + " ]\n"
}

// open opens a log, which it makes, with its directory, if there is none.
func open(dir, name string) (*os.File, error) {
	path := filepath.Join(dir, name)
	// Not blocking: in its place may be a pipe that nobody reads.
	const flags = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	f, err := os.OpenFile(path, flags, mode)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o755); err == nil {
			f, err = os.OpenFile(path, flags, mode)
		}
	}
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EISDIR) {
		return nil, &os.PathError{Op: "open", Path: path, Err: ErrNotALog}
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 {
		f.Close()
		return nil, &os.PathError{Op: "open", Path: path, Err: ErrNotALog}
	}
	if st.Size >= BytesMax {
		putAside(path)
	}
	return f, nil
}
