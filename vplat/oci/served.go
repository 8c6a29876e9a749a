package oci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/vplat"
)

// Mounts are detached mounts of file systems that the supervisor serves, by type.
type Mounts map[string]*sys.FD

// Close lets go of the descriptors; what was placed stays.
func (m Mounts) Close() {
	for _, fd := range m {
		fd.Close()
	}
}

// serve places a mount that the supervisor has made. It asks nothing of the file system: its
// server may have died just now, and zrun would wait for the next one.
func (s *scratch) serve(st vplat.RootStep) error {
	mount := s.mounts[st.FSType]
	if !mount.Valid() {
		return fmt.Errorf("the supervisor sent no mount of type %s", st.FSType)
	}
	rel, ok := strings.CutPrefix(st.Target, vplat.RootDir+"/")
	if !ok {
		return fmt.Errorf("%s is not in the root", st.Target)
	}
	dir := st.FSType != vplat.FSMnttab
	if err := makePoint(filepath.Join(s.path, zoneRootDir), rel, dir); err != nil {
		return err
	}
	at, err := s.target(st.Target, dir)
	if err != nil {
		return err
	}
	defer at.Close()
	err = unix.MoveMount(mount.Int(), "", int(at.Fd()), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	return os.NewSyscallError("move_mount", err)
}

// zoneRootDir is the zone's own tree below its zonepath.
const zoneRootDir = "root"

// Modes of mount points that are made, and of directories above them.
const (
	pointDirMode  = 0o555
	pointFileMode = 0o444
	parentMode    = 0o755
)

// within keeps a resolution below its directory and on one file system, without links.
const within = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// makePoint makes the mount point name, a directory or a file, in the zone's own tree at root
// where it is missing. The tree is taken as it lies on disk, where what the host's root makes
// belongs to the zone's; through the shifted clone it could make nothing. The tree is hostile:
// each name is taken in the directory that was opened for the one before, and no link is
// followed. What lies in the way is found when the point is opened for the mount.
func makePoint(root, name string, dir bool) error {
	n, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: root, Err: err}
	}
	at := sys.Own(n)
	defer func() { at.Close() }()
	parts := strings.Split(name, "/")
	for _, part := range parts[:len(parts)-1] {
		if err := unix.Mkdirat(at.Int(), part, parentMode); err != nil && !errors.Is(err, unix.EEXIST) {
			return &os.PathError{Op: "make mount point", Path: name, Err: err}
		}
		n, err := unix.Openat2(at.Int(), part, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: within})
		if err != nil {
			return &os.PathError{Op: "open mount point", Path: name, Err: err}
		}
		at.Close()
		at = sys.Own(n)
	}
	if err := makeLast(at, parts[len(parts)-1], dir); err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "make mount point", Path: name, Err: err}
	}
	return nil
}

func makeLast(at *sys.FD, name string, dir bool) error {
	if dir {
		return unix.Mkdirat(at.Int(), name, pointDirMode)
	}
	n, err := unix.Openat(at.Int(), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, pointFileMode)
	if err != nil {
		return err
	}
	return unix.Close(n)
}
