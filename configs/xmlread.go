package configs

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// dtdName is the document type; its number is the version of the format. Files without
// a document type are taken as version 1, since people write such files.
const (
	dtdPublic  = "-//Sun Microsystems Inc//DTD Zones//EN"
	dtdName    = "zonecfg.dtd."
	dtdVersion = "1"
)

// node is an element with what it holds.
type node struct {
	name  string
	line  int
	attrs map[string]string
	kids  []*node
}

// elementRule says what may stand in an element.
type elementRule struct {
	attrs []string
	kids  []string
	// obsolete elements come from detached zones of old releases: they are read over,
	// and gone at the next commit.
	obsolete bool
}

// grammar is zonecfg.dtd.1, with the attributes that the SmartOS family added to
// network and device.
var grammar = map[string]elementRule{
	"zone": {
		attrs: []string{"name", "zonepath", "autoboot", "ip-type", "hostid", "pool", "limitpriv", "bootargs", "brand",
			"scheduling-class", "fs-allowed", "debugid"},
		kids: []string{"filesystem", "network", "device", "rctl", "attr", "dataset", "tmp_pool", "pset", "mcap", "admin",
			"security-flags", "inherited-pkg-dir", "deleted-device", "package", "patch", "dev-perm"},
	},
	"filesystem":        {attrs: []string{"directory", "special", "raw", "type"}, kids: []string{"fsoption"}},
	"fsoption":          {attrs: []string{"name"}},
	"network":           {attrs: []string{"address", "allowed-address", "physical", "defrouter", "global-nic", "mac-addr", "vlan-id"}, kids: []string{"net-attr"}},
	"net-attr":          {attrs: []string{"name", "value"}},
	"device":            {attrs: []string{"match"}, kids: []string{"net-attr"}},
	"rctl":              {attrs: []string{"name"}, kids: []string{"rctl-value"}},
	"rctl-value":        {attrs: []string{"priv", "limit", "action"}},
	"attr":              {attrs: []string{"name", "type", "value"}},
	"dataset":           {attrs: []string{"name"}},
	"tmp_pool":          {attrs: []string{"importance"}},
	"pset":              {attrs: []string{"ncpu_min", "ncpu_max"}},
	"mcap":              {attrs: []string{"physcap"}},
	"admin":             {attrs: []string{"user", "auths"}},
	"security-flags":    {attrs: []string{"lower", "default", "upper"}},
	"inherited-pkg-dir": {obsolete: true},
	"deleted-device":    {obsolete: true},
	"package":           {obsolete: true},
	"patch":             {obsolete: true},
	"dev-perm":          {obsolete: true},
}

// treeReader builds the tree of a document and holds it against the grammar.
type treeReader struct {
	file  string
	dec   *xml.Decoder
	stack []*node
	root  *node
}

func (r *treeReader) fail(format string, args ...any) error {
	line, _ := r.dec.InputPos()
	return &FormatError{r.file, line, fmt.Sprintf(format, args...)}
}

// readTree reads a whole document. encoding/xml expands no entities but the five of the
// standard, and fetches nothing, so a document cannot grow beyond its size.
func readTree(file string, data []byte) (*node, error) {
	if len(data) > xmlBytesMax {
		return nil, &FormatError{file, 0, fmt.Sprintf("larger than %d bytes", xmlBytesMax)}
	}
	r := &treeReader{file: file, dec: xml.NewDecoder(bytes.NewReader(data))}
	for {
		tok, err := r.dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, r.fail("%s", strings.TrimPrefix(err.Error(), "XML syntax error on "))
		}
		if err := r.token(tok); err != nil {
			return nil, err
		}
	}
	if r.root == nil {
		return nil, &FormatError{file, 0, "no <zone> element"}
	}
	return r.root, nil
}

func (r *treeReader) token(tok xml.Token) error {
	switch t := tok.(type) {
	case xml.StartElement:
		return r.open(t)
	case xml.EndElement:
		r.stack = r.stack[:len(r.stack)-1]
	case xml.CharData:
		if text := strings.TrimSpace(string(t)); text != "" {
			return r.fail("text %.40q outside of an element's attributes", text)
		}
	case xml.Directive:
		return r.directive(string(t))
	}
	return nil
}

// directive accepts the document type of the known version, and no other.
func (r *treeReader) directive(d string) error {
	if !strings.HasPrefix(d, "DOCTYPE") || strings.Contains(d, "[") {
		return r.fail("declarations are not allowed, only the document type")
	}
	_, version, ok := strings.Cut(d, dtdName)
	if !ok {
		return r.fail("unknown document type, want %s%s", dtdName, dtdVersion)
	}
	version, _, _ = strings.Cut(version, `"`)
	if version != dtdVersion {
		return r.fail("version %.20q of the format, this program knows version %s", version, dtdVersion)
	}
	return nil
}

func (r *treeReader) open(t xml.StartElement) error {
	line, _ := r.dec.InputPos()
	n := &node{name: t.Name.Local, line: line, attrs: make(map[string]string, len(t.Attr))}
	if t.Name.Space != "" {
		return r.fail("name space in element <%s>", n.name)
	}
	rule, known := grammar[n.name]
	var parent *node
	if len(r.stack) > 0 {
		parent = r.stack[len(r.stack)-1]
	}
	switch {
	case parent == nil && r.root != nil:
		return r.fail("second top element <%s>", n.name)
	case parent == nil && n.name != "zone":
		return r.fail("top element is <%s>, want <zone>", n.name)
	case parent != nil && grammar[parent.name].obsolete:
		known, rule = true, grammar[parent.name]
		n.name = parent.name
	case parent != nil && (!known || !slices.Contains(grammar[parent.name].kids, n.name)):
		return r.fail("element <%s> is not allowed in <%s>", n.name, parent.name)
	}
	for _, a := range t.Attr {
		if rule.obsolete {
			break
		}
		if a.Name.Space != "" || !slices.Contains(rule.attrs, a.Name.Local) {
			return r.fail("attribute %s is not allowed in <%s>, allowed are %s", a.Name.Local, n.name, strings.Join(rule.attrs, ", "))
		}
		if _, twice := n.attrs[a.Name.Local]; twice {
			return r.fail("attribute %s stands twice in <%s>", a.Name.Local, n.name)
		}
		n.attrs[a.Name.Local] = a.Value
	}
	if parent == nil {
		r.root = n
	} else {
		parent.kids = append(parent.kids, n)
	}
	r.stack = append(r.stack, n)
	return nil
}

// decodeXML reads a configuration. What is wrong with single values is left to
// Validate, except where the type cannot hold them.
func decodeXML(file string, data []byte) (*Zone, error) {
	root, err := readTree(file, data)
	if err != nil {
		return nil, err
	}
	a := root.attrs
	z := &Zone{
		Name: a["name"], Path: a["zonepath"], Brand: a["brand"], Bootargs: a["bootargs"], Pool: a["pool"],
		LimitPriv: a["limitpriv"], IPType: IPType(a["ip-type"]), HostID: a["hostid"],
		SchedClass: a["scheduling-class"], FSAllowed: a["fs-allowed"],
	}
	if z.IPType == "" {
		z.IPType = IPShared // the original's default for a file that says nothing
	}
	switch a["autoboot"] {
	case "true":
		z.Autoboot = true
	case "false", "":
	default:
		return nil, &FormatError{file, root.line, fmt.Sprintf("autoboot is %q, allowed are true, false", a["autoboot"])}
	}
	for _, n := range root.kids {
		if err := decodeChild(z, n); err != nil {
			return nil, &FormatError{file, n.line, fmt.Sprintf("<%s>: %v", n.name, err)}
		}
	}
	if z.DedicatedCPU != nil && z.DedicatedCPU.MaxCPUs == 0 {
		return nil, &FormatError{file, root.line, "<tmp_pool> without <pset>"}
	}
	return z, nil
}

func decodeChild(z *Zone, n *node) (err error) {
	a := n.attrs
	switch n.name {
	case "filesystem":
		f := FS{Dir: a["directory"], Special: a["special"], Raw: a["raw"], Type: a["type"]}
		for _, k := range n.kids {
			f.Options = append(f.Options, k.attrs["name"])
		}
		z.FS = append(z.FS, f)
	case "network":
		w := Net{Physical: a["physical"], Address: a["address"], AllowedAddress: a["allowed-address"], DefRouter: a["defrouter"],
			GlobalNIC: a["global-nic"], MACAddr: a["mac-addr"], Properties: decodeProperties(n)}
		if v := a["vlan-id"]; v != "" {
			id, err := strconv.ParseUint(v, 10, 16)
			if err != nil {
				return fmt.Errorf("vlan-id is %q, want a number from 1 to 4094", v)
			}
			w.VLANID = uint16(id)
		}
		z.Nets = append(z.Nets, w)
	case "device":
		z.Devices = append(z.Devices, Device{Match: a["match"], Properties: decodeProperties(n)})
	case "rctl":
		r := Rctl{Name: a["name"]}
		for _, k := range n.kids {
			v := RctlValue{Priv: k.attrs["priv"], Action: k.attrs["action"]}
			if v.Limit, err = number(k.attrs, "limit"); err != nil {
				return err
			}
			r.Values = append(r.Values, v)
		}
		z.Rctls = append(z.Rctls, r)
	case "attr":
		z.Attrs = append(z.Attrs, Attr{a["name"], a["type"], a["value"]})
	case "dataset":
		z.Datasets = append(z.Datasets, Dataset{a["name"]})
	case "admin":
		z.Admins = append(z.Admins, Admin{a["user"], splitList(a["auths"])})
	default:
		return decodeSingle(z, n)
	}
	return nil
}

// decodeSingle reads the elements that stand at most once.
func decodeSingle(z *Zone, n *node) (err error) {
	a := n.attrs
	switch n.name {
	case "tmp_pool", "pset":
		if z.DedicatedCPU == nil {
			z.DedicatedCPU = &DedicatedCPU{}
		}
		c := z.DedicatedCPU
		if n.name == "tmp_pool" {
			if a["importance"] != "" {
				c.Importance, err = number(a, "importance")
			}
			return err
		}
		if c.MaxCPUs != 0 {
			return fmt.Errorf("stands twice")
		}
		if c.MinCPUs, err = number(a, "ncpu_min"); err != nil {
			return err
		}
		if c.MaxCPUs, err = number(a, "ncpu_max"); err == nil && c.MaxCPUs == 0 {
			err = fmt.Errorf("ncpu_max is 0, want at least 1")
		}
		return err
	case "mcap":
		if z.PhysicalMemory != 0 {
			return fmt.Errorf("stands twice")
		}
		z.PhysicalMemory, err = number(a, "physcap")
		return err
	case "security-flags":
		if z.SecurityFlags != nil {
			return fmt.Errorf("stands twice")
		}
		z.SecurityFlags = &SecurityFlags{Lower: a["lower"], Default: a["default"], Upper: a["upper"]}
	}
	return nil
}

func decodeProperties(n *node) []Property {
	var out []Property
	for _, k := range n.kids {
		out = append(out, Property{k.attrs["name"], k.attrs["value"]})
	}
	return out
}

func number(attrs map[string]string, name string) (uint64, error) {
	v, err := strconv.ParseUint(attrs[name], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is %.40q, want a whole number below 2^64", name, attrs[name])
	}
	return v, nil
}

// splitList splits at commas; nothing gives no elements.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
