package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// cleanup brings the instance's zones down by the book, then looks for what is left.
func (z *Zones) cleanup() {
	for _, zone := range z.names() {
		z.putAway(zone)
	}
	var left []string
	poll(Deadline(eventuallyDeadline), func() bool {
		left = z.Leftovers()
		return len(left) == 0
	})
	if len(left) > 0 {
		z.t.Errorf("the instance left behind:\n%s", strings.Join(left, "\n"))
		z.sweep()
	}
	if z.t.Failed() && os.Getenv("ZONES_KEEP") == "1" {
		kept := "/var/tmp/zones-kept-" + filepath.Base(ownDir()) + "-" + filepath.Base(z.Root)
		if err := os.Rename(z.Root, kept); err == nil {
			z.t.Logf("kept: %s", kept)
			return
		}
	}
	if err := removeTree(z.Root); err != nil {
		z.t.Errorf("%v", err)
	}
}

// names are the zones of the index and those with run-time state.
func (z *Zones) names() []string {
	var names []string
	index, _ := os.ReadFile(filepath.Join(z.Etc, "index"))
	for line := range strings.Lines(string(index)) {
		if name, _, found := strings.Cut(line, ":"); found && !strings.HasPrefix(line, "#") && name != "global" {
			names = append(names, name)
		}
	}
	states, _ := os.ReadDir(z.State())
	for _, e := range states {
		if e.IsDir() && e.Name() != globalZone && !slices.Contains(names, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// putAway halts, uninstalls and deletes one zone. A zone that was not installed refuses the
// first two, so their exit status counts only when the deletion fails as well.
func (z *Zones) putAway(zone string) {
	steps := [][]string{
		{"zoneadm", "-z", zone, "halt"},
		{"zoneadm", "-z", zone, "uninstall", "-F"},
		{"zonecfg", "-z", zone, "delete", "-F"},
	}
	var words strings.Builder
	last := 0
	for _, s := range steps {
		if _, err := os.Stat(filepath.Join(z.Bin, s[0])); err != nil {
			return
		}
		stdout, stderr, exit, err := z.Try("", s[0], s[1:]...)
		fmt.Fprintf(&words, "%s: exit %d %s%s\n", strings.Join(s, " "), exit, stdout, stderr)
		if err != nil {
			z.t.Errorf("put zone %s away: %s: %v\n%s%s", zone, strings.Join(s, " "), err, stdout, stderr)
		}
		last = exit
	}
	if last != 0 && slices.Contains(z.names(), zone) {
		z.t.Errorf("zone %s could not be put away:\n%s", zone, words.String())
	}
}

// Leftovers lists what of the instance is on the host now: processes, cgroups, mounts and
// network devices. A test that halts its zones can ask before the end.
func (z *Zones) Leftovers() []string {
	var left []string
	for _, p := range z.processes() {
		left = append(left, p.String())
	}
	for _, dir := range taggedCgroups([]string{z.Tag()}) {
		left = append(left, describeCgroup(dir))
	}
	below, err := mountsBelow(z.Root)
	if err != nil {
		left = append(left, err.Error())
	}
	for _, m := range below {
		left = append(left, fmt.Sprintf("mount %s (%s)", m.point, m.fstype))
	}
	for name := range netdevs() {
		if strings.Contains(name, strings.TrimPrefix(z.Tag(), ".")[:6]) {
			left = append(left, "network device "+name)
		}
	}
	return left
}

// processes are those of the pid files and those that mention the instance's root or are
// in its cgroups.
func (z *Zones) processes() []process {
	list := processesOf(z.Root, []string{z.Root}, []string{z.Tag()})
	files, _ := filepath.Glob(filepath.Join(z.State(), "*", "*.pid"))
	for _, file := range files {
		pid, err := readPID(file)
		// A pid file may be stale and its pid another's, so the program must be ours.
		exe, exeErr := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || exeErr != nil || filepath.Dir(exe) != z.Bin {
			continue
		}
		p, _, ok := readProcess(pid)
		if ok && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// sweep removes what is left by force: supervisors first, since they restart what they lose.
func (z *Zones) sweep() {
	for range 3 {
		for _, p := range z.processes() {
			p.kill()
		}
	}
	for _, dir := range taggedCgroups([]string{z.Tag()}) {
		if err := removeCgroup(dir); err != nil {
			z.t.Errorf("sweep: %v", err)
		}
	}
	below, _ := mountsBelow(z.Root)
	for i := len(below) - 1; i >= 0; i-- {
		_ = unix.Unmount(below[i].point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
}
