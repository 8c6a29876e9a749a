package configs

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// problems collects what a validation finds.
type problems struct{ list Problems }

func (p *problems) add(resource, property, format string, args ...any) {
	p.list = append(p.list, Problem{resource, property, fmt.Sprintf(format, args...)})
}

// value checks one simple property. required says that it may not be empty.
func (p *problems) value(kind, id, property, value string, need presence) {
	if value == "" {
		if need == required {
			p.add(id, property, "%s not specified", property)
		}
		return
	}
	if err := CheckProperty(kind, property, value); err != nil {
		p.add(id, property, "%v", err)
	}
}

type presence bool

const (
	optional presence = false
	required presence = true
)

// Validate checks everything that can be checked without looking at the host: each
// property, and what the properties say together. The error is a Problems.
func (z *Zone) Validate() error {
	p := &problems{}
	p.zone(z)
	p.resources(z)
	p.together(z)
	if n := len(encodeXML(z)); n > xmlBytesMax {
		p.add("", "", "configuration takes %d bytes, the most is %d", n, xmlBytesMax)
	}
	return p.list.err()
}

// CheckResources is the part of Validate that is about each resource by itself, and
// about resources that exist twice. The error is a Problems.
func (z *Zone) CheckResources() error {
	p := &problems{}
	p.resources(z)
	return p.list.err()
}

// zone checks the properties of the zone itself.
func (p *problems) zone(z *Zone) {
	if z.Name == GlobalName {
		p.global(z)
		return
	}
	p.value("", "", "zonename", z.Name, required)
	if z.Path == "" {
		p.add("", "zonepath", "zonepath cannot be empty.")
	} else {
		p.value("", "", "zonepath", z.Path, required)
	}
	p.value("", "", "brand", z.Brand, required)
	p.value("", "", "ip-type", string(z.IPType), required)
	p.value("", "", "bootargs", z.Bootargs, optional)
	p.value("", "", "pool", z.Pool, optional)
	p.value("", "", "scheduling-class", z.SchedClass, optional)
	p.value("", "", "hostid", z.HostID, optional)
	p.value("", "", "fs-allowed", z.FSAllowed, optional)
	p.value("", "", "limitpriv", z.LimitPriv, optional)
	if _, err := LookupBrand(z.Brand); err == nil {
		if _, err := z.Privileges(); err != nil {
			p.add("", "limitpriv", "%v", err)
		}
	}
}

// global checks that only what the host can have is set.
func (p *problems) global(z *Zone) {
	p.value("", "", "pool", z.Pool, optional)
	set := map[string]bool{
		"autoboot": z.Autoboot, "bootargs": z.Bootargs != "", "limitpriv": z.LimitPriv != "", "hostid": z.HostID != "",
		"scheduling-class": z.SchedClass != "", "fs-allowed": z.FSAllowed != "",
	}
	for _, property := range slices.Sorted(maps.Keys(set)) {
		if set[property] {
			p.add("", property, "%s is not a valid property for the global zone.", property)
		}
	}
	has := map[string]int{
		"fs": len(z.FS), "net": len(z.Nets), "device": len(z.Devices), "attr": len(z.Attrs), "dataset": len(z.Datasets),
	}
	for _, resource := range slices.Sorted(maps.Keys(has)) {
		if has[resource] > 0 {
			p.add(resource, "", "Cannot add a %s resource to the global zone.", resource)
		}
	}
}

// twice reports resources of one identity.
func (p *problems) twice(seen map[string]bool, kind, property, key, shown string) {
	if seen[kind+"\x00"+key] {
		p.add(kind+" "+shown, "", "A %s resource with the %s '%s' already exists.", kind, property, shown)
	}
	seen[kind+"\x00"+key] = true
}

func (p *problems) resources(z *Zone) {
	seen := map[string]bool{}
	for _, f := range z.FS {
		p.fs(f)
		p.twice(seen, "fs", "dir", path.Clean(f.Dir), f.Dir)
	}
	for _, n := range z.Nets {
		p.net(n)
		if key := n.Physical + "\x00" + n.Address + "\x00" + n.AllowedAddress; seen["net\x00"+key] {
			p.add("net "+n.Physical, "", "A net resource with the physical '%s', and address '%s' already exists.", n.Physical, n.Address+n.AllowedAddress)
		} else {
			seen["net\x00"+key] = true
		}
	}
	for _, d := range z.Devices {
		p.value("device", "device "+d.Match, "match", d.Match, required)
		p.properties("device "+d.Match, d.Properties)
		p.twice(seen, "device", "match", d.Match, d.Match)
	}
	for _, r := range z.Rctls {
		p.rctl(r)
		p.twice(seen, "rctl", "name", r.Name, r.Name)
	}
	for _, a := range z.Attrs {
		p.attr(a)
		p.twice(seen, "attr", "name", a.Name, a.Name)
	}
	for _, d := range z.Datasets {
		p.value("dataset", "dataset "+d.Name, "name", d.Name, required)
		p.twice(seen, "dataset", "name", d.Name, d.Name)
	}
	for _, a := range z.Admins {
		p.value("admin", "admin "+a.User, "user", a.User, required)
		p.value("admin", "admin "+a.User, "auths", strings.Join(a.Auths, ","), required)
		p.twice(seen, "admin", "user", a.User, a.User)
	}
	p.limits(z)
	p.flags(z.SecurityFlags)
}

func (p *problems) fs(f FS) {
	id := "fs " + f.Dir
	p.value("fs", id, "dir", f.Dir, required)
	p.value("fs", id, "special", f.Special, required)
	p.value("fs", id, "raw", f.Raw, optional)
	p.value("fs", id, "type", f.Type, required)
	if f.Type == "lofs" && f.Special != "" {
		if err := checkAbsolute(f.Special); err != nil {
			p.add(id, "special", "%v, as type lofs wants", err)
		}
	}
	if f.Raw != "" && (f.Type == "lofs" || f.Type == "tmpfs") {
		p.add(id, "raw", "raw is for block file systems, not for %s", f.Type)
	}
	for _, o := range f.Options {
		p.value("fs", id, "options", o, required)
	}
}

func (p *problems) net(n Net) {
	id := "net " + n.Physical
	p.value("net", id, "physical", n.Physical, required)
	p.value("net", id, "address", n.Address, optional)
	p.value("net", id, "allowed-address", n.AllowedAddress, optional)
	p.value("net", id, "defrouter", n.DefRouter, optional)
	p.value("net", id, "global-nic", n.GlobalNIC, optional)
	p.value("net", id, "mac-addr", n.MACAddr, optional)
	if n.VLANID != 0 {
		p.value("net", id, "vlan-id", strconv.Itoa(int(n.VLANID)), optional)
	}
	p.properties(id, n.Properties)
}

func (p *problems) properties(id string, props []Property) {
	seen := map[string]bool{}
	for _, q := range props {
		switch err := checkText(q.Value); {
		case !wellNamed(q.Name, nameBytes):
			p.add(id, "property", "invalid property name %.40q: allowed are 1 to %d of A-Z a-z 0-9 _ . -", q.Name, nameBytesMax)
		case err != nil:
			p.add(id, "property", "%v", err)
		case q.Value == "":
			p.add(id, "property", "property %s has no value", q.Name)
		case seen[q.Name]:
			p.add(id, "property", "property %s stands twice", q.Name)
		}
		seen[q.Name] = true
	}
}

func (p *problems) rctl(r Rctl) {
	id := "rctl " + r.Name
	p.value("rctl", id, "name", r.Name, required)
	if len(r.Values) == 0 {
		p.add(id, "value", "no value specified")
	}
	seen := map[RctlValue]bool{}
	for _, v := range r.Values {
		if err := checkRctlValue(r.Name, v); err != nil {
			p.add(id, "value", "%v", err)
		}
		if seen[v] {
			p.add(id, "value", "value (priv=%s,limit=%d,action=%s) stands twice", v.Priv, v.Limit, v.Action)
		}
		seen[v] = true
	}
}

func (p *problems) attr(a Attr) {
	id := "attr " + a.Name
	p.value("attr", id, "name", a.Name, required)
	p.value("attr", id, "type", a.Type, required)
	p.value("attr", id, "value", a.Value, required)
	if a.Value != "" {
		if err := checkAttrValue(a.Type, a.Value); err != nil {
			p.add(id, "value", "%v", err)
		}
	}
}

// limits checks the resources that stand at most once.
func (p *problems) limits(z *Zone) {
	if c := z.DedicatedCPU; c != nil {
		v := decimal(c.MinCPUs) + "-" + decimal(c.MaxCPUs)
		p.value("dedicated-cpu", "dedicated-cpu", "ncpus", v, required)
		if c.Importance != 0 {
			p.value("dedicated-cpu", "dedicated-cpu", "importance", decimal(c.Importance), optional)
		}
	}
	if z.PhysicalMemory != 0 {
		p.value("capped-memory", "capped-memory", "physical", decimal(z.PhysicalMemory)+"B", optional)
		if locked, ok := z.Limit(RctlLockedMemory); ok && locked > z.PhysicalMemory {
			p.add("capped-memory", "locked", "The locked cap must be less than or equal to the physical cap.")
		}
	}
}

func (p *problems) flags(f *SecurityFlags) {
	if f == nil {
		return
	}
	before := len(p.list)
	p.value("security-flags", "security-flags", "lower", f.Lower, optional)
	p.value("security-flags", "security-flags", "default", f.Default, optional)
	p.value("security-flags", "security-flags", "upper", f.Upper, optional)
	if len(p.list) > before {
		return
	}
	if *f == (SecurityFlags{}) {
		p.add("security-flags", "", "No property was specified.  One of lower, default or upper is required.")
		return
	}
	lower, def, upper := f.Sets()
	for _, flag := range secFlags {
		if lower[flag] && !def[flag] {
			p.add("security-flags", "default", "flag %s is in lower but not in default: want lower within default within upper", flag)
		}
		if def[flag] && !upper[flag] {
			p.add("security-flags", "upper", "flag %s is in default but not in upper: want lower within default within upper", flag)
		}
	}
}

// Sets gives the flags as sets. What is not set means: lower none, default lower, upper
// all. Lists that do not pass Validate count as empty.
func (f SecurityFlags) Sets() (lower, def, upper map[string]bool) {
	read := func(v, otherwise string) map[string]bool {
		if v == "" {
			v = otherwise
		}
		set, _ := parseSecFlags(v)
		return set
	}
	lower = read(f.Lower, "none")
	upper = read(f.Upper, "all")
	if f.Default == "" {
		return lower, lower, upper
	}
	return lower, read(f.Default, "none"), upper
}

// together checks what several properties say at once.
func (p *problems) together(z *Zone) {
	if z.DedicatedCPU != nil {
		if z.Pool != "" {
			p.add("", "pool", "The dedicated-cpu resource already exists.  A persistent pool is incompatible with the dedicated-cpu resource.")
		}
		if z.findRctl(RctlCPUShares) >= 0 {
			p.add("", "", "rctl zone.cpu-shares and dedicated-cpu are incompatible.")
		}
		if z.findRctl(RctlCPUCap) >= 0 {
			p.add("", "", "rctl zone.cpu-cap and the dedicated-cpu are incompatible.")
		}
	}
	if z.SchedClass != "" && z.SchedClass != "FSS" && z.findRctl(RctlCPUShares) >= 0 {
		p.add("", "scheduling-class", "rctl zone.cpu-shares and scheduling-class=%s are incompatible, allowed is FSS", z.SchedClass)
	}
	hasAddress := map[string]bool{}
	for _, n := range z.Nets {
		if n.AllowedAddress != "" {
			hasAddress[n.Physical] = true
		}
	}
	for _, n := range z.Nets {
		p.netType(z.IPType, n, hasAddress[n.Physical])
	}
}

// netType holds a network interface against the zone's ip-type.
func (p *problems) netType(ip IPType, n Net, hasAddress bool) {
	id := "net " + n.Physical
	switch ip {
	case IPShared:
		if n.Address == "" {
			p.add(id, "address", "address not specified, which a shared IP type needs")
		}
		for _, own := range []struct {
			property string
			set      bool
		}{
			{"allowed-address", n.AllowedAddress != ""}, {"global-nic", n.GlobalNIC != ""},
			{"mac-addr", n.MACAddr != ""}, {"vlan-id", n.VLANID != 0},
		} {
			if own.set {
				p.add(id, own.property, "%s cannot be specified for a shared IP type", own.property)
			}
		}
	case IPExclusive:
		if n.Address != "" {
			p.add(id, "address", "address cannot be specified for an exclusive IP type, use allowed-address")
		}
		if n.DefRouter != "" && !hasAddress {
			p.add(id, "defrouter", "defrouter for %s cannot be specified without allowed-address for an exclusive IP type", n.Physical)
		}
	}
}
