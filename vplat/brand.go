package vplat

// brand is what the platform differs in between brands.
type brand struct {
	name string
	// hostUsr: the host's software lies under the zone.
	hostUsr bool
	// ours: our init and services run in the zone, and what they need is mounted. Else the
	// image's own init finds what it would find in any container.
	ours bool
	init string
}

var brands = []brand{
	{name: "sparse", hostUsr: true, ours: true, init: "/sbin/init"},
	{name: "whole", ours: true, init: svcBin + "/init"},
	{name: "linux", init: "/sbin/init"},
}

func brandOf(name string) (brand, error) {
	known := ""
	for _, b := range brands {
		if b.name == name {
			return b, nil
		}
		known += ", " + b.name
	}
	return brand{}, refuse("brand "+quote(name), "no platform for it; allowed are %s", known[2:])
}

// Directories of the first contract of a zone: see Cgroup.
const (
	cgroupInit  = "ct/1/d"
	cgroupAdmin = "admin"
)

func (b brand) cgroup() Cgroup {
	c := Cgroup{Root: ".", Init: cgroupInit, Admin: cgroupAdmin, Delegated: []string{cgroupInit}}
	if !b.ours {
		c.Root = cgroupInit
	}
	return c
}
