package vplat

import "github.com/linuxzones/zones/configs"

// brandOf finds the brand and makes sure that it has a program to boot.
func brandOf(name string) (configs.Brand, error) {
	b, err := configs.LookupBrand(name)
	if err != nil {
		return b, refuse("brand "+quote(name), "%v", err)
	}
	if b.Init == "" {
		return b, refuse("brand "+quote(name), "what its init is, the installed image says, and this version can not boot one; use brand linux for an image with an init of its own")
	}
	return b, nil
}

// Directories of the first contract of a zone: see Cgroup.
const (
	cgroupInit  = "ct/1/d"
	cgroupAdmin = "admin"
)

func cgroupOf(b configs.Brand) Cgroup {
	c := Cgroup{Root: ".", Init: cgroupInit, Admin: cgroupAdmin, Delegated: []string{cgroupInit}}
	if !b.SMF {
		c.Root = cgroupInit
	}
	return c
}
