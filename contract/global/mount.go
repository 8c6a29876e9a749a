package global

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
)

// mount puts a fresh file system where clients look for it.
func (h *host) mount() error {
	m := h.server.Mount()
	if m == nil {
		return nil // a predecessor has
	}
	defer m.Close()
	path := contract.HostPath(h.lay)
	if err := os.Mkdir(path, 0o555); err != nil && !os.IsExist(err) {
		return err
	}
	return attach(m, path)
}

// attach mounts at a directory that nobody may have put a link in place of.
func attach(mount *sys.FD, path string) error {
	n, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &sys.Error{Op: "open", What: path, Errno: err}
	}
	at := sys.Own(n)
	defer at.Close()
	err = unix.MoveMount(mount.Int(), "", at.Int(), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	if err != nil {
		return &sys.Error{Op: "mount", What: path, Errno: err}
	}
	return nil
}

// spareMount is the file system at path once more, attached nowhere.
func spareMount(path string) (*sys.FD, error) {
	n, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return nil, &sys.Error{Op: "open_tree", What: path, Errno: err}
	}
	return sys.Own(n), nil
}

// unmount takes away every mount at path, without asking who uses it: its server is gone.
func unmount(path string) {
	for range mountsMax {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return
		}
	}
}

// mountsMax bounds how many mounts are taken away from one place.
const mountsMax = 16

// mounted says whether a file system of contracts is at path, by what the kernel lists: to
// ask the file system itself would be to wait for ourselves.
func mounted(path string) bool {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	real, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return false
	}
	path = filepath.Join(real, filepath.Base(path))
	for line := range strings.Lines(string(text)) {
		fields, tail, ok := strings.Cut(line, " - ")
		f := strings.Fields(fields)
		if ok && len(f) >= 5 && unescape(f[4]) == path && strings.HasPrefix(tail, "fuse.ctfs ") {
			return true
		}
	}
	return false
}

// unescape undoes what the kernel does to the blanks of a path.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
