package testenv

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// removeTree removes a temporary directory of ours. It first takes off every mount below
// it, and removes nothing while one is left: a zone's tree shows directories of the host,
// and removing through them would remove the host's files.
func removeTree(dir string) error {
	for range 2 {
		below, err := mountsBelow(dir)
		if err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
		for i := len(below) - 1; i >= 0; i-- {
			_ = unix.Unmount(below[i].point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
	}
	below, err := mountsBelow(dir)
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	if len(below) > 0 {
		return fmt.Errorf("remove %s: %s is still mounted, so nothing is removed", dir, below[0].point)
	}
	return os.RemoveAll(dir)
}
