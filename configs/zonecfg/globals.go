package zonecfg

import (
	"strconv"
	"strings"

	"github.com/linuxzones/zones/configs"
)

// global is a property of the zone itself.
type global struct {
	name string
	get  func(z *configs.Zone) string
	set  func(z *configs.Zone, v string)
	// fixed properties cannot be cleared.
	fixed bool
	// onHost: the host has it, too.
	onHost bool
	// values are those that completion offers.
	values []string
}

// globals is all of them but the aliases, in the order in which info shows them.
var globals = []global{
	{name: "zonename", fixed: true, get: func(z *configs.Zone) string { return z.Name }},
	{name: "zonepath", fixed: true, get: func(z *configs.Zone) string { return z.Path },
		set: func(z *configs.Zone, v string) { z.Path = v }},
	{name: "brand", fixed: true, values: configs.BrandNames(), get: func(z *configs.Zone) string { return z.Brand },
		set: func(z *configs.Zone, v string) { z.Brand = v }},
	{name: "autoboot", values: []string{"false", "true"}, get: func(z *configs.Zone) string { return strconv.FormatBool(z.Autoboot) },
		set: func(z *configs.Zone, v string) { z.Autoboot = v == "true" }},
	{name: "bootargs", get: func(z *configs.Zone) string { return z.Bootargs },
		set: func(z *configs.Zone, v string) { z.Bootargs = v }},
	{name: "pool", onHost: true, get: func(z *configs.Zone) string { return z.Pool },
		set: func(z *configs.Zone, v string) { z.Pool = v }},
	{name: "limitpriv", get: func(z *configs.Zone) string { return z.LimitPriv },
		set: func(z *configs.Zone, v string) { z.LimitPriv = v }},
	{name: "scheduling-class", values: configs.SchedClasses, get: func(z *configs.Zone) string { return z.SchedClass },
		set: func(z *configs.Zone, v string) { z.SchedClass = v }},
	{name: "ip-type", values: configs.IPTypes, get: func(z *configs.Zone) string { return string(z.IPType) },
		set: setIPType},
	{name: "hostid", get: func(z *configs.Zone) string { return z.HostID },
		set: func(z *configs.Zone, v string) { z.HostID = strings.TrimPrefix(v, "0x") }},
	{name: "fs-allowed", get: func(z *configs.Zone) string { return z.FSAllowed },
		set: func(z *configs.Zone, v string) { z.FSAllowed = v }},
}

// setIPType: clearing gives shared, the original's default.
func setIPType(z *configs.Zone, v string) {
	z.IPType = configs.IPShared
	if v != "" {
		z.IPType = configs.IPType(v)
	}
}

func findGlobal(name string) *global {
	for i := range globals {
		if globals[i].name == name {
			return &globals[i]
		}
	}
	return nil
}

// globalNames lists the properties of the zone itself, aliases included.
func globalNames() []string {
	var names []string
	for _, g := range globals {
		names = append(names, g.name)
	}
	for _, a := range configs.RctlAliases() {
		names = append(names, a.Name)
	}
	return names
}
