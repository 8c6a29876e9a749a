package oci

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where libcontainer expects cgroup2.
const cgroupRoot = "/sys/fs/cgroup"

// access says whether the hierarchy may be changed through the mount.
type access bool

const (
	readOnly  access = false
	readWrite access = true
)

// unify shows this process's mount namespace cgroup2 alone at /sys/fs/cgroup. mount is where
// the host has it. The namespace must be private to the caller.
//
// Read-only it is for building a zone: zrun is born in the cgroup of the zone's init, so
// nothing need be moved (which costs a grace period of the kernel's, some milliseconds).
// libcontainer, told that it may be without privilege over cgroups, tries to make one, fails,
// and leaves init where it was born.
func unify(mount string, a access) error {
	if mount == cgroupRoot && a == readWrite {
		return nil
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, mount, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("clone the unified cgroup hierarchy %s: %w", mount, err)
	}
	defer unix.Close(tree)
	if a == readOnly {
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
			return fmt.Errorf("make the unified cgroup hierarchy read-only: %w", err)
		}
	}
	if mount != cgroupRoot {
		if err := unix.Unmount(cgroupRoot, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("take away the host's %s: %w", cgroupRoot, err)
		}
	}
	err = unix.MoveMount(tree, "", unix.AT_FDCWD, cgroupRoot, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("put the unified cgroup hierarchy at %s: %w", cgroupRoot, err)
	}
	return nil
}
