package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned"
)

// ownName ends with a zero. It is a variable of the program's: its address stays.
var ownName = [...]byte{'z', 'o', 'n', 'e', 'd', 0}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "-V" {
		fmt.Println(zoned.Describe())
		return
	}
	if len(os.Args) != 3 || os.Args[1] != "-z" || os.Args[2] == "" {
		usage()
	}
	if _, err := unix.FcntlInt(keeper.SocketFD, unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		usage()
	}
	// A keeper that goes back to an older program starts it by the number of a descriptor, which
	// ps would show.
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&ownName)), 0, 0, 0)
	err := run(layout.FromEnv(), os.Args[2])
	var start *zoned.StartError
	switch {
	case errors.As(err, &start):
		fmt.Fprintln(os.Stderr, start.Text)
		os.Exit(start.Code)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// descriptorsUsual is more than a zone with some dozen logins needs at once.
const descriptorsUsual = 256

func run(lay layout.Layout, zone string) error {
	sys.RoomForDescriptors(descriptorsUsual)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := zoned.OpenLog(lay, zone)
	if err != nil {
		return err
	}
	return zoned.Run(lay, zone, filepath.Dir(self), log)
}

func usage() {
	fmt.Fprintln(os.Stderr, "Usage: zoned -z zonename\n\tNote: zoned should not be run directly.")
	os.Exit(2)
}
