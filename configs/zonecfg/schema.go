package zonecfg

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/configs/zonecfg/lang"
)

// shape is what a property's value looks like.
type shape uint8

const (
	simple shape = iota
	// list is simple values.
	list
	// complexes is complex values; property.fields says which names they have.
	complexes
)

// property is a property of a resource.
type property struct {
	name   string
	shape  shape
	fields []string
	need   need
	// aliased properties are shown in brackets: they are resource controls.
	aliased bool
	// missed properties are shown as not specified although they are optional.
	missed bool
}

type need bool

const (
	optional need = false
	required need = true
)

// resource is a kind of resource.
type resource struct {
	name string
	// single: a zone has at most one, and select needs no conditions.
	single bool
	// local: the host cannot have it.
	local bool
	props []property
	// load takes the resources out of a configuration; store puts them in place of
	// those that are there.
	load  func(z *configs.Zone) []record
	store func(z *configs.Zone, records []record) error
}

func (k *resource) property(name string) *property {
	for i := range k.props {
		if k.props[i].name == name {
			return &k.props[i]
		}
	}
	return nil
}

func (k *resource) propertyNames() []string {
	var names []string
	for _, p := range k.props {
		names = append(names, p.name)
	}
	return names
}

// schema is all resources, in the order in which info shows them.
var schema = []*resource{
	{name: "fs", local: true, load: loadFS, store: storeFS, props: []property{
		{name: "dir", need: required}, {name: "special", need: required}, {name: "raw", missed: true}, {name: "type", need: required},
		{name: "options", shape: list}}},
	{name: "net", local: true, load: loadNet, store: storeNet, props: []property{
		{name: "address", missed: true}, {name: "allowed-address", missed: true}, {name: "physical", need: required}, {name: "defrouter", missed: true},
		{name: "global-nic"}, {name: "mac-addr"}, {name: "vlan-id"},
		{name: "property", shape: complexes, fields: []string{"name", "value"}}}},
	{name: "device", local: true, load: loadDevice, store: storeDevice, props: []property{
		{name: "match", need: required}, {name: "property", shape: complexes, fields: []string{"name", "value"}}}},
	{name: "dedicated-cpu", single: true, load: loadDedicatedCPU, store: storeDedicatedCPU, props: []property{
		{name: "ncpus", need: required}, {name: "importance"}}},
	{name: "capped-cpu", single: true, load: loadCappedCPU, store: storeCappedCPU, props: []property{
		{name: "ncpus", need: required, aliased: true}}},
	{name: "capped-memory", single: true, load: loadCappedMemory, store: storeCappedMemory, props: []property{
		{name: "physical"}, {name: "swap", aliased: true}, {name: "locked", aliased: true}}},
	{name: "security-flags", single: true, load: loadSecurityFlags, store: storeSecurityFlags, props: []property{
		{name: "lower"}, {name: "default"}, {name: "upper"}}},
	{name: "attr", local: true, load: loadAttr, store: storeAttr, props: []property{
		{name: "name", need: required}, {name: "type", need: required}, {name: "value", need: required}}},
	{name: "dataset", local: true, load: loadDataset, store: storeDataset, props: []property{{name: "name", need: required}}},
	{name: "admin", load: loadAdmin, store: storeAdmin, props: []property{
		{name: "user", need: required}, {name: "auths", need: required}}},
	{name: "rctl", load: loadRctl, store: storeRctl, props: []property{
		{name: "name", need: required},
		{name: "value", shape: complexes, fields: []string{"priv", "limit", "action"}, need: required}}},
}

func findResource(name string) *resource {
	for _, k := range schema {
		if k.name == name {
			return k
		}
	}
	return nil
}

func resourceNames() []string {
	var names []string
	for _, k := range schema {
		names = append(names, k.name)
	}
	return names
}

func loadFS(z *configs.Zone) (out []record) {
	for _, f := range z.FS {
		r := fixed("dir", f.Dir, "special", f.Special, "raw", f.Raw, "type", f.Type)
		r.setTexts("options", f.Options)
		out = append(out, r)
	}
	return out
}

func storeFS(z *configs.Zone, rs []record) error {
	z.FS = nil
	for _, r := range rs {
		z.FS = append(z.FS, configs.FS{Dir: r.text("dir"), Special: r.text("special"), Raw: r.text("raw"), Type: r.text("type"),
			Options: r.texts("options")})
	}
	return nil
}

func loadNet(z *configs.Zone) (out []record) {
	for _, n := range z.Nets {
		r := fixed("address", n.Address, "allowed-address", n.AllowedAddress, "physical", n.Physical, "defrouter", n.DefRouter,
			"global-nic", n.GlobalNIC, "mac-addr", n.MACAddr)
		if n.VLANID != 0 {
			r.setText("vlan-id", strconv.Itoa(int(n.VLANID)))
		}
		setProperties(r, n.Properties)
		out = append(out, r)
	}
	return out
}

func storeNet(z *configs.Zone, rs []record) error {
	z.Nets = nil
	for _, r := range rs {
		n := configs.Net{Physical: r.text("physical"), Address: r.text("address"), AllowedAddress: r.text("allowed-address"),
			DefRouter: r.text("defrouter"), GlobalNIC: r.text("global-nic"), MACAddr: r.text("mac-addr"), Properties: getProperties(r)}
		if v := r.text("vlan-id"); v != "" {
			id, err := strconv.ParseUint(v, 10, 16)
			if err != nil {
				return fmt.Errorf("vlan-id property is out of range: %s", v)
			}
			n.VLANID = uint16(id)
		}
		z.Nets = append(z.Nets, n)
	}
	return nil
}

func loadDevice(z *configs.Zone) (out []record) {
	for _, d := range z.Devices {
		r := fixed("match", d.Match)
		setProperties(r, d.Properties)
		out = append(out, r)
	}
	return out
}

func storeDevice(z *configs.Zone, rs []record) error {
	z.Devices = nil
	for _, r := range rs {
		z.Devices = append(z.Devices, configs.Device{Match: r.text("match"), Properties: getProperties(r)})
	}
	return nil
}

func setProperties(r record, props []configs.Property) {
	for _, p := range props {
		r["property"] = append(r["property"], lang.Value{Kind: lang.Complex, Pairs: []lang.Pair{{Name: "name", Value: p.Name}, {Name: "value", Value: p.Value}}})
	}
}

func getProperties(r record) (out []configs.Property) {
	for _, v := range r["property"] {
		out = append(out, configs.Property{Name: pair(v, "name"), Value: pair(v, "value")})
	}
	return out
}

func loadDedicatedCPU(z *configs.Zone) []record {
	c := z.DedicatedCPU
	if c == nil {
		return nil
	}
	ncpus := strconv.FormatUint(c.MinCPUs, 10)
	if c.MinCPUs != c.MaxCPUs {
		ncpus += "-" + strconv.FormatUint(c.MaxCPUs, 10)
	}
	r := fixed("ncpus", ncpus)
	if c.Importance != 0 {
		r.setText("importance", strconv.FormatUint(c.Importance, 10))
	}
	return []record{r}
}

func storeDedicatedCPU(z *configs.Zone, rs []record) error {
	z.DedicatedCPU = nil
	for _, r := range rs {
		lo, hi, err := configs.ParseCPURange(r.text("ncpus"))
		if err != nil {
			return err
		}
		c := &configs.DedicatedCPU{MinCPUs: lo, MaxCPUs: hi}
		if v := r.text("importance"); v != "" {
			if c.Importance, err = strconv.ParseUint(v, 10, 64); err != nil {
				return fmt.Errorf("importance property is out of range: %s", v)
			}
		}
		z.DedicatedCPU = c
	}
	return nil
}

func loadCappedCPU(z *configs.Zone) []record {
	n, ok, err := z.Alias(configs.AliasCPUCap)
	if !ok || err != nil {
		return nil
	}
	return []record{fixed("ncpus", fmt.Sprintf("%d.%02d", n/100, n%100))}
}

func storeCappedCPU(z *configs.Zone, rs []record) error {
	if _, _, err := z.Alias(configs.AliasCPUCap); err != nil {
		return err
	}
	if len(rs) == 0 {
		z.ClearAlias(configs.AliasCPUCap)
	}
	for _, r := range rs {
		n, err := configs.ParseCPUCap(r.text("ncpus"))
		if err != nil {
			return err
		}
		if err := z.SetAlias(configs.AliasCPUCap, n); err != nil {
			return err
		}
	}
	return nil
}

func loadCappedMemory(z *configs.Zone) []record {
	r := record{}
	if z.PhysicalMemory != 0 {
		r.setText("physical", configs.FormatMemory(z.PhysicalMemory))
	}
	for _, a := range []configs.RctlAlias{configs.AliasSwap, configs.AliasLocked} {
		if n, ok, err := z.Alias(a); ok && err == nil {
			r.setText(a.Name, configs.FormatMemory(n))
		}
	}
	if len(r) == 0 {
		return nil
	}
	return []record{r}
}

func storeCappedMemory(z *configs.Zone, rs []record) error {
	r := record{}
	if len(rs) > 0 {
		r = rs[0]
	}
	z.PhysicalMemory = 0
	if v := r.text("physical"); v != "" {
		n, err := configs.ParseMemory(v)
		if err != nil {
			return err
		}
		z.PhysicalMemory = n
	}
	for _, a := range []configs.RctlAlias{configs.AliasSwap, configs.AliasLocked} {
		v := r.text(a.Name)
		if _, _, err := z.Alias(a); err != nil {
			if v == "" {
				continue // what the alias cannot express is left to the resource rctl
			}
			return fmt.Errorf("%s: %w", a.Name, err)
		}
		if v == "" {
			z.ClearAlias(a)
			continue
		}
		n, err := configs.ParseMemory(v)
		if err != nil {
			return err
		}
		if err := z.SetAlias(a, n); err != nil {
			return err
		}
	}
	return nil
}

func loadSecurityFlags(z *configs.Zone) []record {
	if f := z.SecurityFlags; f != nil {
		return []record{fixed("lower", f.Lower, "default", f.Default, "upper", f.Upper)}
	}
	return nil
}

func storeSecurityFlags(z *configs.Zone, rs []record) error {
	z.SecurityFlags = nil
	for _, r := range rs {
		z.SecurityFlags = &configs.SecurityFlags{Lower: r.text("lower"), Default: r.text("default"), Upper: r.text("upper")}
	}
	return nil
}

func loadAttr(z *configs.Zone) (out []record) {
	for _, a := range z.Attrs {
		out = append(out, fixed("name", a.Name, "type", a.Type, "value", a.Value))
	}
	return out
}

func storeAttr(z *configs.Zone, rs []record) error {
	z.Attrs = nil
	for _, r := range rs {
		z.Attrs = append(z.Attrs, configs.Attr{Name: r.text("name"), Type: r.text("type"), Value: r.text("value")})
	}
	return nil
}

func loadDataset(z *configs.Zone) (out []record) {
	for _, d := range z.Datasets {
		out = append(out, fixed("name", d.Name))
	}
	return out
}

func storeDataset(z *configs.Zone, rs []record) error {
	z.Datasets = nil
	for _, r := range rs {
		z.Datasets = append(z.Datasets, configs.Dataset{Name: r.text("name")})
	}
	return nil
}

func loadAdmin(z *configs.Zone) (out []record) {
	for _, a := range z.Admins {
		out = append(out, fixed("user", a.User, "auths", strings.Join(a.Auths, ",")))
	}
	return out
}

func storeAdmin(z *configs.Zone, rs []record) error {
	z.Admins = nil
	for _, r := range rs {
		a := configs.Admin{User: r.text("user")}
		if v := r.text("auths"); v != "" {
			a.Auths = strings.Split(v, ",")
		}
		z.Admins = append(z.Admins, a)
	}
	return nil
}

func loadRctl(z *configs.Zone) (out []record) {
	for _, c := range z.Rctls {
		r := fixed("name", c.Name)
		for _, v := range c.Values {
			r["value"] = append(r["value"], lang.Value{Kind: lang.Complex, Pairs: []lang.Pair{
				{Name: "priv", Value: v.Priv}, {Name: "limit", Value: strconv.FormatUint(v.Limit, 10)}, {Name: "action", Value: v.Action}}})
		}
		out = append(out, r)
	}
	return out
}

func storeRctl(z *configs.Zone, rs []record) error {
	z.Rctls = nil
	for _, r := range rs {
		c := configs.Rctl{Name: r.text("name")}
		for _, v := range r["value"] {
			limit, err := strconv.ParseUint(pair(v, "limit"), 10, 64)
			if err != nil {
				return fmt.Errorf("Invalid rctl value specification: limit is %.40q, want a whole number", pair(v, "limit"))
			}
			c.Values = append(c.Values, configs.RctlValue{Priv: pair(v, "priv"), Limit: limit, Action: pair(v, "action")})
		}
		z.Rctls = append(z.Rctls, c)
	}
	return nil
}
