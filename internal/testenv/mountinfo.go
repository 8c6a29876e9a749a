package testenv

import (
	"errors"
	"os"
	"strings"
)

// mount is what matters here of a line of mountinfo, proc_pid_mountinfo(5).
type mount struct {
	id, root, point, fstype, source string
}

// mounts reads the mounts of this process's namespace, in the order they were made.
func mounts() ([]mount, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var list []mount
	for line := range strings.Lines(string(text)) {
		before, after, found := strings.Cut(strings.TrimSpace(line), " - ")
		fields, tail := strings.Fields(before), strings.Fields(after)
		if !found || len(fields) < 6 || len(tail) < 2 {
			continue
		}
		list = append(list, mount{
			id: fields[0], root: unescape(fields[3]), point: unescape(fields[4]),
			fstype: tail[0], source: unescape(tail[1]),
		})
	}
	return list, nil
}

// unescape undoes the kernel's three-digit octal form of space, tab, newline, backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// mountsBelow lists the mounts at or below dir, innermost last.
func mountsBelow(dir string) ([]mount, error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	var below []mount
	for _, m := range all {
		if m.point == dir || strings.HasPrefix(m.point, dir+"/") {
			below = append(below, m)
		}
	}
	return below, nil
}

// Cgroup2Mount is where the unified hierarchy is mounted: /sys/fs/cgroup, or
// /sys/fs/cgroup/unified on hosts of the hybrid layout.
func Cgroup2Mount() (string, error) {
	all, err := mounts()
	if err != nil {
		return "", err
	}
	for _, m := range all {
		if m.fstype == "cgroup2" && m.root == "/" {
			return m.point, nil
		}
	}
	return "", errors.New("no cgroup2 file system is mounted")
}

// cgroupMounts are the mounts of all hierarchies, old and unified.
func cgroupMounts() []string {
	all, _ := mounts()
	var dirs []string
	for _, m := range all {
		if m.fstype == "cgroup2" || m.fstype == "cgroup" {
			dirs = append(dirs, m.point)
		}
	}
	return dirs
}
