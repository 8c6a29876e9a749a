package oci

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where libcontainer expects cgroup2.
const cgroupRoot = "/sys/fs/cgroup"

// unify shows this process's mount namespace cgroup2 alone at /sys/fs/cgroup. mount is where
// the host has it; on a pure host that is the same place and there is nothing to do. The
// namespace must be private to the caller.
func unify(mount string) error {
	if mount == cgroupRoot {
		return nil
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, mount, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("clone the unified cgroup hierarchy %s: %w", mount, err)
	}
	defer unix.Close(tree)
	if err := unix.Unmount(cgroupRoot, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("take away the host's %s: %w", cgroupRoot, err)
	}
	err = unix.MoveMount(tree, "", unix.AT_FDCWD, cgroupRoot, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("put the unified cgroup hierarchy at %s: %w", cgroupRoot, err)
	}
	return nil
}
