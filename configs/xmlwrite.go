package configs

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// xmlWriter writes elements with attributes; it cannot fail.
type xmlWriter struct{ b strings.Builder }

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
	`<!DOCTYPE zone PUBLIC "` + dtdPublic + `" "file:///usr/share/lib/xml/dtd/` + dtdName + dtdVersion + `">` + "\n" +
	"<!-- Written by zonecfg: edit with zonecfg, not by hand. -->\n"

// tag opens an element. pairs are names and values; an empty value is left out.
func (w *xmlWriter) tag(indent int, name, end string, pairs ...string) {
	w.b.WriteString(strings.Repeat("  ", indent))
	w.b.WriteString("<" + name)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		w.b.WriteString(" " + pairs[i] + `="`)
		_ = xml.EscapeText(&w.b, []byte(pairs[i+1]))
		w.b.WriteString(`"`)
	}
	w.b.WriteString(end + ">\n")
}

// element writes an element and, through kids, what it holds.
func (w *xmlWriter) element(indent int, name string, kids func(), pairs ...string) {
	if kids == nil {
		w.tag(indent, name, "/", pairs...)
		return
	}
	w.tag(indent, name, "", pairs...)
	kids()
	w.b.WriteString(strings.Repeat("  ", indent) + "</" + name + ">\n")
}

// encodeXML is the inverse of decodeXML for configurations that pass Validate. The same
// configuration always gives the same bytes: the Etag rests on that.
func encodeXML(z *Zone) string {
	w := &xmlWriter{}
	w.b.WriteString(xmlHead)
	w.element(0, "zone", func() { w.children(z) },
		"name", z.Name, "zonepath", z.Path, "autoboot", strconv.FormatBool(z.Autoboot), "brand", z.Brand,
		"ip-type", string(z.IPType), "hostid", z.HostID, "pool", z.Pool, "limitpriv", z.LimitPriv,
		"bootargs", z.Bootargs, "scheduling-class", z.SchedClass, "fs-allowed", z.FSAllowed)
	return w.b.String()
}

func (w *xmlWriter) children(z *Zone) {
	for _, f := range z.FS {
		var kids func()
		if len(f.Options) > 0 {
			kids = func() {
				for _, o := range f.Options {
					w.element(2, "fsoption", nil, "name", o)
				}
			}
		}
		w.element(1, "filesystem", kids, "directory", f.Dir, "special", f.Special, "raw", f.Raw, "type", f.Type)
	}
	for _, n := range z.Nets {
		vlan := ""
		if n.VLANID != 0 {
			vlan = strconv.Itoa(int(n.VLANID))
		}
		w.element(1, "network", w.properties(n.Properties), "address", n.Address, "allowed-address", n.AllowedAddress,
			"physical", n.Physical, "defrouter", n.DefRouter, "global-nic", n.GlobalNIC, "mac-addr", n.MACAddr, "vlan-id", vlan)
	}
	for _, d := range z.Devices {
		w.element(1, "device", w.properties(d.Properties), "match", d.Match)
	}
	for _, r := range z.Rctls {
		w.element(1, "rctl", func() {
			for _, v := range r.Values {
				w.element(2, "rctl-value", nil, "priv", v.Priv, "limit", decimal(v.Limit), "action", v.Action)
			}
		}, "name", r.Name)
	}
	for _, a := range z.Attrs {
		w.element(1, "attr", nil, "name", a.Name, "type", a.Type, "value", a.Value)
	}
	for _, d := range z.Datasets {
		w.element(1, "dataset", nil, "name", d.Name)
	}
	if c := z.DedicatedCPU; c != nil {
		if c.Importance != 0 {
			w.element(1, "tmp_pool", nil, "importance", decimal(c.Importance))
		}
		w.element(1, "pset", nil, "ncpu_min", decimal(c.MinCPUs), "ncpu_max", decimal(c.MaxCPUs))
	}
	if z.PhysicalMemory != 0 {
		w.element(1, "mcap", nil, "physcap", decimal(z.PhysicalMemory))
	}
	for _, a := range z.Admins {
		w.element(1, "admin", nil, "user", a.User, "auths", strings.Join(a.Auths, ","))
	}
	if f := z.SecurityFlags; f != nil {
		w.element(1, "security-flags", nil, "lower", f.Lower, "default", f.Default, "upper", f.Upper)
	}
}

func (w *xmlWriter) properties(props []Property) func() {
	if len(props) == 0 {
		return nil
	}
	return func() {
		for _, p := range props {
			w.element(2, "net-attr", nil, "name", p.Name, "value", p.Value)
		}
	}
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
