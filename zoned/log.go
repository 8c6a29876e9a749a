package zoned

import (
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
)

// logBytesMax is how long a log of supervisors grows before it is put aside as .1, whose former
// content goes.
const logBytesMax = 4 << 20

// OpenLog is the log of a zone's supervisors. Standard error is not it: while a supervisor
// starts, what is written there is told to whoever started it.
func OpenLog(lay layout.Layout, zone string) (*logrus.Entry, error) {
	if err := os.MkdirAll(lay.Log, 0o700); err != nil {
		return nil, err
	}
	f := &logFile{name: filepath.Join(lay.Log, zone+".log")}
	if err := f.open(); err != nil {
		return nil, err
	}
	log := logrus.New()
	log.SetOutput(f)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	return log.WithFields(logrus.Fields{"zone": zone, "pid": os.Getpid()}), nil
}

// logFile puts itself aside in time: a zone that boots itself again and again has much to tell of.
// The logger writes a line at a time, and holds its lock meanwhile.
type logFile struct {
	name string
	file *os.File
	// standard: output and error of this process go here too, also when it was put aside.
	standard bool
}

// takeStandard has standard output and error go here.
func (l *logFile) takeStandard() error {
	l.standard = true
	for _, fd := range []int{1, 2} {
		if err := unix.Dup3(int(l.file.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return nil
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		l.file = f
	}
	return err
}

// Write implements io.Writer. What cannot be put aside grows on: a line is worth more.
func (l *logFile) Write(line []byte) (int, error) {
	if st, err := l.file.Stat(); err == nil && st.Size() > logBytesMax && os.Rename(l.name, l.name+".1") == nil {
		old := l.file
		if l.open() == nil {
			old.Close()
			if l.standard {
				_ = l.takeStandard() // a panic's last words are found in .1 then
			}
		}
	}
	return l.file.Write(line)
}
