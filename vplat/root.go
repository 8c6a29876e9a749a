package vplat

import (
	"path"
	"slices"
)

// usrLinks are the names at the root of a file system that hold software: links into /usr
// on most hosts, directories of their own on others.
var usrLinks = []string{"bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"}

// rootSteps puts the zone's root together. The order is that of the mounts: the zone's own
// tree first, the host's software over it.
func (p *plan) rootSteps() {
	p.step(RootStep{Op: OpIDMap, Source: path.Join(p.z.Path, zoneRoot), Target: RootDir, NoLinks: true})
	if p.b.HostSoftware {
		p.hostUsr()
	}
	// In every brand: what waits in state ready, and what logins go through, lies there.
	target, source := p.stage("svc")
	p.step(RootStep{Op: OpIDMap, Source: path.Join(p.f.Libexec, inzoneSvc), Target: target, ReadOnly: true, Options: []string{"nosuid", "nodev"}})
	p.mount(bind(source, svcDir, "ro", "nosuid", "nodev"), "the zone's programs")
}

// served are the file systems that the supervisor serves, over the zone's own tree. What the
// configuration mounts comes over them, and is kept from hiding them (checkTarget).
func (p *plan) served() {
	if !p.b.SMF {
		return
	}
	for _, fs := range []struct{ fstype, dir string }{{FSContract, contractRoot}, {FSMnttab, mnttab}} {
		p.step(RootStep{Op: OpServed, FSType: fs.fstype, Target: path.Join(RootDir, fs.dir)})
		p.targets[fs.dir] = "the platform"
	}
}

func (p *plan) step(s RootStep) { p.out.Root = append(p.out.Root, s) }

// hostUsr puts the host's software under a sparse zone.
func (p *plan) hostUsr() {
	usr := p.overlay("usr")
	if p.attrs.usr == usrCopyOnWrite {
		usr.Upper, usr.ReadOnly = path.Join(p.z.Path, usrUpper), false
	}
	p.step(usr)
	for _, name := range usrLinks {
		// Where the host has links, the zone's own root has them as well: the installer
		// made them, and they lead into the overlay.
		if slices.Contains(p.f.Dirs, name) {
			p.step(p.overlay(name))
		}
	}
	if p.attrs.local == localHost || !p.f.UsrLocal || p.configured("/usr/local") {
		return
	}
	if p.attrs.usr == usrCopyOnWrite {
		p.step(RootStep{Op: OpIDMap, Source: path.Join(p.z.Path, usrLocal), Target: path.Join(RootDir, "usr/local"), NoLinks: true})
		return
	}
	p.mount(tmpfs("/usr/local", "ro", "nosuid", "nodev", "noexec", "mode=755", "size=4k", "nr_inodes=2"), "the empty /usr/local of brand sparse")
}

// overlay is our layer above the host's directory of that name.
func (p *plan) overlay(name string) RootStep {
	lower := []string{path.Join("/", name)}
	if slices.Contains(layerDirs, name) {
		lower = slices.Insert(lower, 0, path.Join(p.f.Libexec, inzoneLayer, name))
	}
	return RootStep{Op: OpOverlay, Lower: lower, Target: path.Join(RootDir, name), ReadOnly: true}
}

// layerDirs are the directories of the layer that inzone/layer holds. On a host without
// merged /usr it stands above /lib and /sbin too.
var layerDirs = []string{"usr", "lib", "sbin"}
