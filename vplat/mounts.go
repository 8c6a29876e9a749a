package vplat

import (
	"cmp"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/linuxzones/zones/configs"
)

// Bounds of the memory file systems. Percentages are of the machine's memory: where a zone
// has a limit of its own, its pages count against that first, and these keep a zone
// without one from filling the host through a file system. The inode bounds are there
// because an empty file costs kernel memory, about a kilobyte, and no page.
const (
	devSize      = "size=4m" // nodes and links only
	devInodes    = "nr_inodes=16k"
	shmSize      = "size=25%"
	shmInodes    = "nr_inodes=100k"
	tmpSize      = "size=25%"
	tmpInodes    = "nr_inodes=400k" // a source tree is unpacked and built there
	runSize      = "size=10%"
	runInodes    = "nr_inodes=100k"
	lockSize     = "size=5m"
	lockInodes   = "nr_inodes=10k"
	volatileSize = "size=64m" // the volatile repository and early logs
	volatileInod = "nr_inodes=10k"
)

// gidTTY owns terminals: 5 is tty in every distribution's base files.
const gidTTY = "gid=5"

func tmpfs(dir string, options ...string) specs.Mount {
	return specs.Mount{Destination: dir, Type: "tmpfs", Source: "swap", Options: options}
}

func bind(source, dir string, options ...string) specs.Mount {
	return specs.Mount{Destination: dir, Type: "bind", Source: source, Options: append([]string{"bind"}, options...)}
}

// platformMounts is what a zone has without being asked. A file system of the
// configuration may take the place of /tmp and /run.
func (p *plan) platformMounts() {
	const platform = "the platform"
	kernel := []string{"nosuid", "noexec", "nodev"}
	p.mount(specs.Mount{Destination: "/proc", Type: "proc", Source: "proc", Options: slices.Clone(kernel)}, platform)
	p.mount(p.sysfs(), platform)
	// The zone's root is the cgroup namespace's: it sees its own tree, and may write what
	// was delegated. The option nsdelegate is the host's to set; here it would be ignored.
	p.mount(specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup2", Source: "cgroup", Options: append(slices.Clone(kernel), "relatime")}, platform)
	p.mount(tmpfs("/dev", "nosuid", "strictatime", "mode=755", devSize, devInodes), platform)
	p.mount(specs.Mount{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", gidTTY}}, platform)
	p.mount(tmpfs("/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", shmSize, shmInodes), platform)
	p.mount(specs.Mount{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: slices.Clone(kernel)}, platform)
	if !p.configured("/run") {
		p.mount(tmpfs("/run", "nosuid", "nodev", "mode=755", runSize, runInodes), platform)
	}
	if !p.configured("/run") && !p.configured("/run/lock") {
		p.mount(tmpfs("/run/lock", "nosuid", "noexec", "nodev", "mode=1777", lockSize, lockInodes), platform)
	}
	if !p.configured("/tmp") {
		p.mount(tmpfs("/tmp", "nosuid", "nodev", "mode=1777", tmpSize, tmpInodes), platform)
	}
	if !p.b.SMF {
		return
	}
	p.mount(tmpfs("/etc/svc/volatile", "nosuid", "noexec", "nodev", "mode=755", volatileSize, volatileInod), platform)
}

// sysfs shows the zone's network devices, so only the owner of a network stack may mount
// it. With the host's stack it is mounted outside, where nothing lies below it yet: of the
// host's own mount only all of it could be shown, and the host's cgroup2 in it keeps the
// zone's from being mounted in its place (EBUSY: one file system twice on one directory).
func (p *plan) sysfs() specs.Mount {
	if p.z.IPType == configs.IPExclusive {
		return specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}}
	}
	target, source := p.stage("sys")
	p.step(RootStep{Op: OpMount, Source: "/sys", Target: target, FSType: "sysfs", ReadOnly: true, Options: []string{"nosuid", "noexec"}})
	return bind(source, "/sys", "ro", "nosuid", "noexec", "nodev")
}

// configured says that a file system of the configuration is mounted on dir.
func (p *plan) configured(dir string) bool {
	return slices.ContainsFunc(p.z.FS, func(fs configs.FS) bool { return path.Clean(fs.Dir) == dir })
}

// sortMounts puts parents before their children and keeps the order otherwise.
func sortMounts(mounts []specs.Mount) {
	depth := func(m specs.Mount) int { return strings.Count(m.Destination, "/") }
	slices.SortStableFunc(mounts, func(a, b specs.Mount) int { return cmp.Compare(depth(a), depth(b)) })
}
