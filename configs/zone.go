package configs

import (
	"slices"
	"strings"
)

// New gives the configuration that `create` starts from, by the built-in template
// SUNWdefault; its Path is empty.
func New(name string) *Zone {
	return &Zone{Name: name, Brand: DefaultBrand, IPType: IPExclusive}
}

// NewGlobal gives the host's configuration where none was committed.
func NewGlobal() *Zone {
	return &Zone{Name: GlobalName, Path: "/", Brand: DefaultBrand, IPType: IPShared}
}

// Clone gives a copy that shares nothing with z.
func (z *Zone) Clone() *Zone {
	c := *z
	c.FS = slices.Clone(z.FS)
	for i := range c.FS {
		c.FS[i].Options = slices.Clone(c.FS[i].Options)
	}
	c.Nets = slices.Clone(z.Nets)
	for i := range c.Nets {
		c.Nets[i].Properties = slices.Clone(c.Nets[i].Properties)
	}
	c.Devices = slices.Clone(z.Devices)
	for i := range c.Devices {
		c.Devices[i].Properties = slices.Clone(c.Devices[i].Properties)
	}
	c.Rctls = slices.Clone(z.Rctls)
	for i := range c.Rctls {
		c.Rctls[i].Values = slices.Clone(c.Rctls[i].Values)
	}
	c.Attrs = slices.Clone(z.Attrs)
	c.Datasets = slices.Clone(z.Datasets)
	c.Admins = slices.Clone(z.Admins)
	for i := range c.Admins {
		c.Admins[i].Auths = slices.Clone(c.Admins[i].Auths)
	}
	if z.DedicatedCPU != nil {
		d := *z.DedicatedCPU
		c.DedicatedCPU = &d
	}
	if z.SecurityFlags != nil {
		f := *z.SecurityFlags
		c.SecurityFlags = &f
	}
	return &c
}

// Equal says whether two configurations are committed as the same file.
func (z *Zone) Equal(other *Zone) bool { return encodeXML(z) == encodeXML(other) }

// defaultAllowedFS are what a zone may mount that holds the privilege to mount: removable
// media and network file systems.
var defaultAllowedFS = []string{"cifs", "hsfs", "iso9660", "nfs", "nfs3", "nfs4", "smbfs"}

// AllowedFS lists the file system types that processes in the zone may mount: the
// default ones and those of FSAllowed; a leading - in it drops the default ones.
func (z *Zone) AllowedFS() []string {
	own := splitList(z.FSAllowed)
	out := slices.Clone(defaultAllowedFS)
	if len(own) > 0 && strings.HasPrefix(own[0], "-") {
		out = nil
		own[0] = own[0][1:]
	}
	for _, t := range own {
		if t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}
