package vplat

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/configs"
)

// filesystems puts the fs resources of the configuration into the plan. They lie over the
// platform's mounts, and over each other, parents first.
func (p *plan) filesystems() error {
	for i, fs := range p.z.FS {
		what := "fs " + fs.Dir
		if err := p.checkTarget(what, fs.Dir); err != nil {
			return err
		}
		p.targets[fs.Dir] = what
		if err := p.filesystem(what, "fs"+strconv.Itoa(i), fs); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) filesystem(what, stage string, fs configs.FS) error {
	kind, err := fsKindOf(what, fs.Type)
	if err != nil {
		return err
	}
	options, err := kind.translate(what, fs.Options)
	if err != nil {
		return err
	}
	if fs.Raw != "" && !kind.fsck {
		return refuse(what, "raw %s: a file system of type %s is not checked; clear raw", quote(fs.Raw), fs.Type)
	}
	switch kind.how {
	case inMemory:
		return p.memoryFS(what, fs, options)
	case shared:
		return p.sharedFS(what, stage, fs, options)
	}
	return p.blockFS(what, stage, kind, fs, options)
}

// memoryFS is mounted inside the zone and belongs to it.
func (p *plan) memoryFS(what string, fs configs.FS, o fsOptions) error {
	if !slices.Contains([]string{"swap", "tmpfs", "none", "-"}, fs.Special) {
		return refuse(what, "special %s: a tmpfs lies on swap; set special=swap", quote(fs.Special))
	}
	if !o.has("size=") {
		o.data = append(o.data, tmpSize)
	}
	if !o.has("nr_inodes=") {
		o.data = append(o.data, tmpInodes)
	}
	p.mount(tmpfs(fs.Dir, slices.Concat(o.mountFlags(), o.atime, o.data)...), what)
	return nil
}

// sharedFS shows a directory of the host in the zone, under the same ids as on the host:
// what is the host's root's there is the zone's root's.
func (p *plan) sharedFS(what, stage string, fs configs.FS, o fsOptions) error {
	if err := p.checkShared(what, fs.Special, o); err != nil {
		return err
	}
	if !o.readOnly {
		p.out.Warnings = append(p.out.Warnings, what+": the zone's root writes "+fs.Special+
			" as the host's root would, setuid programs included; keep a directory above it closed to the host's users")
	}
	target, source := p.stage(stage)
	p.step(RootStep{Op: OpIDMap, Source: fs.Special, Target: target, ReadOnly: o.readOnly, Options: o.attributes(), NoLinks: true})
	p.mount(bind(source, fs.Dir, o.mountFlags()...), what)
	return nil
}

// blockFS mounts a device outside of the zone, since the kernel lets nobody but the host's
// root mount one, and shows the mount in the zone.
func (p *plan) blockFS(what, stage string, kind fsKind, fs configs.FS, o fsOptions) error {
	for _, dev := range []string{fs.Special, fs.Raw} {
		if dev == "" && dev == fs.Raw {
			continue
		}
		if err := checkHostPath(dev); err != nil || !below(dev, "/dev") || dev == "/dev" {
			return refuse(what, "device %s: a file system of type %s lies on a block device; name it by its full path below /dev", quote(dev), fs.Type)
		}
	}
	if kind.readOnly {
		o.readOnly = true
	}
	flags := o.mountFlags()
	if kind.ownerless {
		// Without owners on disk there is nothing to shift: all is the zone's root's.
		id := strconv.FormatUint(uint64(p.r.IDBase), 10)
		o.data = append(o.data, "uid="+id, "gid="+id)
	} else {
		flags = append(flags, "idmap")
	}
	target, source := p.stage(stage)
	p.step(RootStep{
		Op: OpMount, Source: fs.Special, Target: target, FSType: kind.linux, Raw: fs.Raw,
		ReadOnly: o.readOnly, Options: slices.Concat(o.attributes(), o.data),
	})
	p.mount(bind(source, fs.Dir, flags...), what)
	return nil
}

// reserved are directories of the zone that are the platform's.
var reserved = []string{"/proc", "/sys", "/dev", svcDir}

// reservedOurs are those of the brands that run our init.
var reservedOurs = []string{mnttab, "/etc/svc/volatile", contractRoot}

func (p *plan) checkTarget(what, dir string) error {
	if err := checkHostPath(dir); err != nil {
		return refuse(what, "dir %v", err)
	}
	if dir == "/" {
		return refuse(what, "the root of the zone is its zonepath's; mount on a directory below it")
	}
	closed := slices.Clone(reserved)
	if p.b.SMF {
		closed = append(closed, reservedOurs...)
	}
	for _, r := range closed {
		if below(dir, r) {
			return refuse(what, "%s belongs to the platform; choose a dir outside of %s", r, strings.Join(closed, ", "))
		}
	}
	if p.b.SMF {
		for _, r := range []string{mnttab, contractRoot} {
			if below(r, dir) {
				return refuse(what, "it would hide %s, which belongs to the platform; mount on a directory below %s", r, dir)
			}
		}
	}
	if p.b.HostSoftware && (dir == "/usr" || slices.Contains(usrLinks, dir[1:])) {
		return refuse(what, "%s of a sparse zone is the host's; mount on a directory below it, or use brand whole", dir)
	}
	if other, ok := p.targets[dir]; ok {
		return refuse(what, "%s is mounted there; choose another dir", other)
	}
	return nil
}

// kernelTrees of the host show or move the whole host, whoever reads them.
var kernelTrees = []string{"/proc", "/sys", "/dev"}

// hostSoftware is what the host itself runs from or is configured by: whoever writes there
// is the host's root. hostTrees are directories that hold such things among others.
var (
	hostSoftware = []string{"/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libo32", "/libx32", "/root", "/run", "/sbin", "/usr"}
	hostTrees    = []string{"/opt", "/var", "/var/lib", "/var/spool"}
)

func (p *plan) checkShared(what, special string, o fsOptions) error {
	if err := checkHostPath(special); err != nil {
		return refuse(what, "special %s %v", quote(special), err)
	}
	for _, k := range kernelTrees {
		if below(special, k) {
			return refuse(what, "special %s is the host's kernel's; devices come with the device resource, and /proc and /sys are the zone's own", quote(special))
		}
	}
	for _, own := range []struct{ name, dir string }{
		{"the zone's own files in " + p.z.Path, p.z.Path},
		{"the doors of the supervisors in " + path.Dir(p.r.StateDir), path.Dir(p.r.StateDir)},
	} {
		if below(special, own.dir) || below(own.dir, special) {
			return refuse(what, "special %s would show %s; share a directory beside it", quote(special), own.name)
		}
	}
	if o.readOnly {
		return nil
	}
	for _, dir := range append(slices.Clone(hostSoftware), p.f.Libexec) {
		if below(special, dir) {
			return refuse(what, "special %s is software or settings of the host, and the zone's root would be able to change it; add the option ro", quote(special))
		}
	}
	if slices.Contains(hostTrees, special) {
		return refuse(what, "special %s holds files that the host itself runs or reads as root; share a directory below it, or add the option ro", quote(special))
	}
	return nil
}
