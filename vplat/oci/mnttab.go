package oci

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/linuxzones/zones/vplat"
	"github.com/linuxzones/zones/vplat/helper"
)

// mountinfoBytesMax bounds what is read of the zone's mount table: a zone that was just made
// has some dozens of mounts.
const mountinfoBytesMax = 1 << 20

// prepareMnttab makes the file that is bound over /etc/mnttab; it gets its text once the
// zone's mounts exist.
func prepareMnttab(r *helper.Request) error {
	return os.WriteFile(filepath.Join(r.StateDir, mnttabFile), nil, 0o644)
}

// writeMnttab renders the mount table of process pid into that file, in place: the zone has
// the inode mounted.
func writeMnttab(r *helper.Request, pid int) error {
	info, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/mountinfo")
	if err != nil {
		return fmt.Errorf("render mnttab: %w", err)
	}
	if len(info) > mountinfoBytesMax {
		return fmt.Errorf("render mnttab: the zone has more than %d bytes of mounts", mountinfoBytesMax)
	}
	text, err := vplat.MnttabAt(info, r.Zone, time.Now())
	if err != nil {
		return fmt.Errorf("render mnttab: %w", err)
	}
	return os.WriteFile(filepath.Join(r.StateDir, mnttabFile), text, 0o644)
}
