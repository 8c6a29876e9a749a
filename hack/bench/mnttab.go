package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mountsMax is how many mounts the zone's namespace is given for the figure of mnttab.
const mountsMax = 10_000

// mnttab measures the zone's /etc/mnttab at its boot and with 10,000 mounts, as one reads it
// whole, against the kernel's own table.
func (b *bench) mnttab() error {
	if !b.wants("mnttab") {
		return nil
	}
	if err := b.contractZone(); err != nil {
		return err
	}
	init, err := b.initPid("c")
	if err != nil {
		return err
	}
	if err := b.measure(b.inZone("c", "mnttab", "@boot", strconv.Itoa(5*b.runs))); err != nil {
		return err
	}
	// The mounts are the host's doing: a zone's own root may not.
	fill := exec.Command("nsenter", "--mount", "--root", "--wd", "-t", init, "env", roleVariable+"=mounts", actorPath, strconv.Itoa(mountsMax))
	if out, err := fill.CombinedOutput(); err != nil {
		return fmt.Errorf("fill the zone with mounts: %w: %s", err, out)
	}
	if err := b.measure(b.inZone("c", "mnttab", "@"+strconv.Itoa(mountsMax), strconv.Itoa(b.runs))); err != nil {
		return err
	}
	return b.run("zoneadm", "-z", "c", "halt")
}

// initPid is the host's number of a zone's first process.
func (b *bench) initPid(zone string) (string, error) {
	text, err := os.ReadFile(filepath.Join(b.root, "run/zones/status", zone+".json"))
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(string(text), `"init":`)
	_, after, _ = strings.Cut(after, `"pid":`)
	pid, _, ok := strings.Cut(after, ",")
	if !ok {
		return "", fmt.Errorf("status of zone %s: %s", zone, text)
	}
	return strings.TrimSpace(pid), nil
}

// playMounts: N: mounts one directory over and over, each at a place of its own.
func playMounts(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	dir := "/home" // the host's root, who is nobody to the zone's files, can make no other
	if err := unix.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	for i := range n {
		at := dir + "/" + strconv.Itoa(i)
		if err := os.Mkdir(at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("/var/log", at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %d: %w", i, err)
		}
	}
	return nil
}

// playMnttab: SUFFIX N: reads both tables.
func playMnttab(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var lines [2]int
	read := func(i int, name string) func(int) error {
		return func(int) error {
			text, err := os.ReadFile(name)
			lines[i] = strings.Count(string(text), "\n")
			return err
		}
	}
	us, err := each(n, read(0, "/proc/self/mountinfo"))
	if err != nil {
		return err
	}
	tell("limit.mountinfo"+args[0], "us", "", us)
	if us, err = each(n, read(1, "/etc/mnttab")); err != nil {
		return err
	}
	tellTail("mnttab"+args[0], "us", "limit.mountinfo"+args[0], us)
	tell("mnttab.lines"+args[0], "lines", "", []float64{float64(lines[1])})
	tell("limit.mountinfo.lines"+args[0], "lines", "", []float64{float64(lines[0])})
	return nil
}
