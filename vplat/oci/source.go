package oci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/vplat"
)

// openSource opens what a step shows of the host. Where the step has it so, no link is followed on
// the way: a directory above may be one that a zone writes to, whose links lead where the zone likes.
func openSource(st vplat.RootStep) (int, error) {
	if !st.NoLinks {
		fd, err := unix.Open(st.Source, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: st.Source, Err: err}
		}
		return fd, nil
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, st.Source, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, fmt.Errorf("%s: %s is a link, and a zone that shares the directory of it could have put it there: name the directory that is meant", st.Source, linkIn(st.Source))
	case err != nil:
		return -1, &os.PathError{Op: "open", Path: st.Source, Err: err}
	}
	// The last name may be a link itself, which O_PATH opens.
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil || stat.Mode&unix.S_IFMT == unix.S_IFLNK {
		_ = unix.Close(fd)
		if err == nil {
			err = unix.ELOOP
		}
		return -1, fmt.Errorf("%s is a link, or cannot be looked at: name the directory that is meant: %w", st.Source, err)
	}
	return fd, nil
}

// linkIn is the first link on the way to a name, for a person: by now it may be another.
func linkIn(name string) string {
	at := "/"
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		at = filepath.Join(at, part)
		if st, err := os.Lstat(at); err == nil && st.Mode()&os.ModeSymlink != 0 {
			return at
		}
	}
	return "a directory above it"
}
