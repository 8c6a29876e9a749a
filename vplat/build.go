package vplat

import (
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/linuxzones/zones/configs"
)

// Where things of ours lie: in the installation, in a zone path, and in the zone.
const (
	inzoneSvc   = "inzone/svc"
	inzoneLayer = "inzone/layer"
	zoneRoot    = "root"
	usrUpper    = "usr-upper" // holds upper and work
	usrLocal    = "usr-local"
	svcDir      = "/lib/svc" // programs, methods, manifests
	svcBin      = svcDir + "/bin"

	contractRoot = "/system/contract"
	mnttab       = "/etc/mnttab"
)

// idBaseMin keeps a zone's range away from the ids of the host's own users: a range below
// holds system accounts, whose processes and files a zone would then own.
const idBaseMin = IDCount

// idBaseMax leaves the last range free: it holds (uid_t)-1, which means "no id".
const idBaseMax = 1<<32 - 2*IDCount

// contractMax is INT_MAX, the greatest number of a contract in the original.
const contractMax = 1<<31 - 1

func idRangeOK(base uint32) bool {
	return base >= idBaseMin && base <= idBaseMax && base%IDCount == 0
}

// plan is a Plan under construction.
type plan struct {
	z       *configs.Zone
	f       Facts
	r       Run
	b       configs.Brand
	attrs   attributes
	m       machine
	caps    []string
	out     *Plan
	targets map[string]string // mount points inside the zone, and who asked for them
}

// Build decides how one incarnation of a zone is built. It is pure: the same arguments
// give the same document, byte for byte. The errors are ErrRefused, one line each.
//
// Configurations are checked when they are committed; what a mistake in one would cost the
// host is checked here again, since a file can be edited by hand.
func Build(z *configs.Zone, f Facts, r Run) (*Plan, error) {
	p := &plan{z: z, f: f, r: r, targets: map[string]string{}}
	if err := p.check(); err != nil {
		return nil, err
	}
	p.out = &Plan{
		Version: PlanVersion, Zone: z.Name, Brand: z.Brand, ZonePath: z.Path,
		IPType: string(z.IPType), IDBase: r.IDBase, IDCount: IDCount,
	}
	p.out.Spec = p.spec()
	p.rootSteps()
	p.served()
	p.platformMounts()
	if err := p.filesystems(); err != nil {
		return nil, err
	}
	sortMounts(p.out.Spec.Mounts)
	p.out.Init = p.init()
	p.out.Login = p.login()
	p.out.Cgroup = cgroupOf(p.b, p.r.Contract)
	p.out.Deferred = deferred(z)
	p.out.Spec.Linux.Seccomp = seccompProfile(p.m, p.caps)
	return p.out, nil
}

func (p *plan) check() (err error) {
	if err := configs.CheckName(p.z.Name); err != nil {
		return refuse("zonename", "%v", err)
	}
	for _, c := range []struct{ what, path string }{
		{"zonepath", p.z.Path}, {"libexec directory", p.f.Libexec}, {"state directory", p.r.StateDir},
	} {
		if err := checkHostPath(c.path); err != nil {
			return refuse(c.what+" "+quote(c.path), "%v", err)
		}
		// overlayfs separates its layers by colons, and mount options by commas.
		if strings.ContainsAny(c.path, `:,\`) {
			return refuse(c.what+" "+quote(c.path), "a colon, comma or backslash can not be part of an overlay's layers; choose a path without")
		}
	}
	if p.z.IPType != configs.IPShared && p.z.IPType != configs.IPExclusive {
		return refuse("ip-type "+quote(string(p.z.IPType)), "allowed are %s and %s", configs.IPExclusive, configs.IPShared)
	}
	if !idRangeOK(p.r.IDBase) {
		return refuse("id range", "base %d is not a multiple of %d from %d to %d", p.r.IDBase, IDCount, idBaseMin, idBaseMax)
	}
	if p.r.Contract == 0 || p.r.Contract > contractMax {
		return refuse("contract", "%d is no number of a contract, which are 1 to %d", p.r.Contract, contractMax)
	}
	if p.b, err = brandOf(p.z.Brand); err != nil {
		return err
	}
	if p.m, err = machineOf(p.f.Arch); err != nil {
		return err
	}
	if err = p.checkHidden(); err != nil {
		return err
	}
	if p.attrs, err = readAttributes(p.z, p.b); err != nil {
		return err
	}
	if p.caps, err = p.z.Capabilities(); err != nil {
		return refuse("limitpriv", "%v", err)
	}
	return nil
}

// checkHidden: a zone that sees the host's /usr must not find itself, its neighbours or
// the doors of supervisors there.
func (p *plan) checkHidden() error {
	if p.z.Path == "/" {
		return refuse("zonepath /", "it holds the whole host; choose a directory of its own")
	}
	if !p.b.HostSoftware {
		return nil
	}
	for _, name := range append([]string{"usr"}, usrLinks...) {
		for _, own := range []string{p.z.Path, p.r.StateDir} {
			if below(own, "/"+name) {
				return refuse("directory "+own, "a sparse zone shows the host's /%s, and would show this; choose a place outside of it, or brand whole", name)
			}
		}
	}
	return nil
}

// stage makes room for a tree that reaches the zone by a bind mount: the target of the
// root step, and the source of the Spec's mount.
func (p *plan) stage(name string) (target, source string) {
	return path.Join(StageDir, name), StagePrefix + name
}

func (p *plan) mount(m specs.Mount, owner string) {
	p.targets[m.Destination] = owner
	p.out.Spec.Mounts = append(p.out.Spec.Mounts, m)
}
