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
	f := &logFile{growing: growing{name: filepath.Join(lay.Log, zone+".log"), bytesMax: logBytesMax}}
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
type logFile struct{ growing }

// takeStandard has standard output and error go here from now on, also when the file is put aside: a
// panic's last words are found in .1 then.
func (l *logFile) takeStandard() error {
	var err error
	l.opened = func(f *os.File) {
		for _, fd := range []int{1, 2} {
			if derr := unix.Dup3(int(f.Fd()), fd, 0); err == nil {
				err = derr
			}
		}
	}
	l.opened(l.file)
	return err
}

// Write implements io.Writer.
func (l *logFile) Write(line []byte) (int, error) {
	if err := l.write(line); err != nil {
		return 0, err
	}
	return len(line), nil
}
