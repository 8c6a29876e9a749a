package cgroup2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// mounts are where the unified hierarchy may be, in the order tried.
var mounts = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// ErrNone: the host has no cgroup2 mounted where it is looked for.
var ErrNone = errors.New("no cgroup2 is mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified")

// ErrBusy: processes are left after the time allowed.
var ErrBusy = errors.New("processes are left")

// Mount is the mount point of the unified hierarchy.
func Mount() (string, error) {
	for _, m := range mounts {
		var st unix.Statfs_t
		if unix.Statfs(m, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return m, nil
		}
	}
	return "", ErrNone
}

// Own is this process's cgroup below the mount, with a leading slash.
func Own() (string, error) { return Of(os.Getpid()) }

// procCgroupBytesMax is far more than /proc/PID/cgroup has: a path has 4,096 bytes, and of version 1
// there are a dozen hierarchies.
const procCgroupBytesMax = 128 << 10

// Of is the cgroup of a process below the mount, with a leading slash.
func Of(pid int) (string, error) {
	b, err := sys.ReadFile("/proc/"+strconv.Itoa(pid)+"/cgroup", procCgroupBytesMax)
	if err != nil {
		return "", err
	}
	for l := range strings.SplitSeq(string(b), "\n") {
		if p, ok := strings.CutPrefix(l, "0::"); ok {
			return strings.TrimSuffix(p, " (deleted)"), nil
		}
	}
	return "", ErrNone
}

// makeTries bounds how often a directory above is made again because it was empty and
// somebody whose it was too has just removed it.
const makeTries = 1000

// Make makes dir and what is missing above it. Others may be taking away empty directories
// above it at the same time (a keeper that ends, behind its instance's last zone).
func Make(dir string) error {
	var err error
	for range makeTries {
		err = makeAll(dir)
		if !errors.Is(err, unix.ENOENT) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	return nil
}

func makeAll(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, unix.ENOENT) && len(dir) > 1 {
		if err := makeAll(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o755)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// delegated are the files of a cgroup that its delegatee owns, as cgroups(7) has it.
var delegated = []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}

// Delegate gives dir to uid and gid: the directory and the files that its owner needs to make
// children and to move processes between them, and no more, so that its limits stay the host's.
func Delegate(dir string, uid, gid int) error {
	for _, f := range delegated {
		if err := os.Chown(filepath.Join(dir, f), uid, gid); err != nil {
			return fmt.Errorf("delegate cgroup: %w", err)
		}
	}
	return nil
}

// EnableAll enables in dir all controllers that it has for its children. There must be no
// process in dir itself. A controller that can not be enabled is left out: limits that need
// it are refused where they are asked for.
func EnableAll(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for c := range strings.FieldsSeq(string(b)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
	}
	return nil
}

// IsScope says whether a cgroup is a scope of systemd's that a keeper was started in.
func IsScope(dir string) bool {
	return filepath.Ext(dir) == ".scope" && filepath.Base(filepath.Dir(dir)) == "zones.slice"
}

// Enter moves a process into dir. The host's init is nobody's to move: who asks for it has lost his
// parent, and moves the whole host's services next.
func Enter(dir string, pid int) error {
	if pid <= 1 {
		return fmt.Errorf("enter cgroup: process %d: %w", pid, unix.EINVAL)
	}
	err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	if err != nil {
		return fmt.Errorf("enter cgroup: %w", err)
	}
	return nil
}
