package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// supName is the leaf in which the supervisor puts the keeper and itself.
const supName = "/sup"

// leaveCgroup takes away the directories that the zone's supervisor made around us, from base
// down, and those that are empty then: the zone's, and the instance's behind its last zone. A
// scope of systemd's is systemd's. What is still in use is left to who uses it.
//
// Another zone of the instance may be making its own directories at this moment: it makes
// the one above again when it finds it gone (cgroup2.Make).
func leaveCgroup(base string) {
	text, err := sys.ReadFile("/proc/self/cgroup", 64<<10)
	if err != nil {
		return
	}
	dirs, mount := supervisorDirs(string(text)), cgroupMount()
	if len(dirs) == 0 || dirs[0] != base+supName || mount == "" {
		return
	}
	if writeFile(mount+"/cgroup.procs", strconv.Itoa(os.Getpid())) != nil {
		return
	}
	for _, dir := range dirs {
		if err := unix.Rmdir(mount + dir); err != nil && err != unix.ENOENT {
			return
		}
	}
}

// supervisorDirs are the directories that a supervisor made around the process whose
// /proc/PID/cgroup is text, the deepest first; none when it is elsewhere.
func supervisorDirs(text string) []string {
	for line := range strings.Lines(text) {
		own, unified := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		zone, inLeaf := strings.CutSuffix(own, supName)
		slash := strings.LastIndexByte(zone, '/')
		if !unified || !inLeaf || slash <= 0 {
			continue
		}
		instance := zone[:slash]
		if instance == "/zones" || strings.HasPrefix(instance, "/zones.") && instance != "/zones.slice" && strings.LastIndexByte(instance, '/') == 0 {
			return []string{own, zone, instance}
		}
	}
	return nil
}

// cgroupMount is where the unified hierarchy is, alone or beside the old ones. Package
// cgroup2 knows more and links fmt.
func cgroupMount() string {
	for _, m := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(m, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return m
		}
	}
	return ""
}

// writeFile writes to a file of the kernel's.
func writeFile(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return sys.WriteAll(fd, []byte(text))
}
