package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/global"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
)

// exitTaken tells zsched that another server is in charge.
const exitTaken = 17

// The first thread is main's until the mount namespace is the right one.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) != 3 || os.Args[1] != "-z" || os.Args[2] != global.Name {
		usage()
	}
	lay := layout.FromEnv()
	if err := global.EnterHostMounts(lay.Run); err != nil {
		fmt.Fprintln(os.Stderr, "contractd:", err)
		os.Exit(1)
	}
	runtime.UnlockOSThread()
	if _, err := unix.FcntlInt(keeper.SocketFD, unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		usage()
	}
	err := run(lay)
	if errors.Is(err, global.ErrTaken) {
		os.Exit(exitTaken)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "contractd:", err)
		os.Exit(1)
	}
}

func run(lay layout.Layout) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	file, err := openLog(lay)
	if err != nil {
		return err
	}
	log := logrus.New()
	log.SetOutput(file)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	entry := log.WithFields(logrus.Fields{"zone": global.Name, "pid": os.Getpid()})
	// Who started us is not to be told what comes after the start.
	detach := func() {
		for _, fd := range []int{1, 2} {
			_ = unix.Dup3(int(file.Fd()), fd, 0)
		}
	}
	if err = global.Run(lay, filepath.Dir(self), entry, detach); err != nil && !errors.Is(err, global.ErrTaken) {
		entry.Errorf("%v", err)
	}
	return err
}

// logBytesMax is how long the log grows before the next server puts it aside as .1.
const logBytesMax = 4 << 20

func openLog(lay layout.Layout) (*os.File, error) {
	if err := os.MkdirAll(lay.Log, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(lay.Log, global.Name+".log")
	if st, err := os.Stat(name); err == nil && st.Size() > logBytesMax {
		if err := os.Rename(name, name+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

func usage() {
	fmt.Fprintln(os.Stderr, "Usage: contractd -z global\n\tNote: contractd should not be run directly.")
	os.Exit(2)
}
