package vplat

import (
	"strconv"

	"github.com/linuxzones/zones/configs"
)

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

// cgroupAdmin is beside the contracts: see Cgroup.
const cgroupAdmin = "admin"

func cgroupOf(b configs.Brand, contract uint32) Cgroup {
	init := "ct/" + strconv.FormatUint(uint64(contract), 10) + "/d"
	c := Cgroup{Root: ".", Init: init, Admin: cgroupAdmin, Delegated: []string{init}}
	if !b.SMF {
		c.Root = init
	}
	return c
}
