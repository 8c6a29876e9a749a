package vplat

import (
	"slices"

	"github.com/linuxzones/zones/configs"
)

// deferred lists what the configuration asks of the platform and this version does not do
// yet, in the order of zonecfg's info.
func deferred(z *configs.Zone) []string {
	var list []string
	add := func(asked bool, what string) {
		if asked && !slices.Contains(list, what) {
			list = append(list, what)
		}
	}
	add(z.Pool != "", "pool "+z.Pool)
	add(z.HostID != "", "hostid")
	add(z.SchedClass != "", "scheduling-class "+z.SchedClass)
	add(z.FSAllowed != "", "fs-allowed")
	for _, n := range z.Nets {
		add(true, "net "+n.Physical)
	}
	for _, d := range z.Devices {
		add(true, "device "+d.Match)
	}
	for _, r := range z.Rctls {
		add(true, "rctl "+r.Name)
	}
	for _, d := range z.Datasets {
		add(true, "dataset "+d.Name)
	}
	add(z.DedicatedCPU != nil, "dedicated-cpu")
	add(z.PhysicalMemory != 0, "capped-memory physical")
	add(z.SecurityFlags != nil, "security-flags")
	return list
}
