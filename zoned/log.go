package zoned

import (
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"github.com/linuxzones/zones/internal/layout"
)

// logBytesMax is how long a supervisor's log grows before the next supervisor puts it aside
// as .1, whose former content goes.
const logBytesMax = 4 << 20

// OpenLog is the log of a zone's supervisors. Standard error is not it: while a supervisor
// starts, what is written there is told to whoever started it.
func OpenLog(lay layout.Layout, zone string) (*logrus.Entry, error) {
	if err := os.MkdirAll(lay.Log, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(lay.Log, zone+".log")
	if st, err := os.Stat(name); err == nil && st.Size() > logBytesMax {
		if err := os.Rename(name, name+".1"); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	log := logrus.New()
	log.SetOutput(f)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	return log.WithFields(logrus.Fields{"zone": zone, "pid": os.Getpid()}), nil
}
