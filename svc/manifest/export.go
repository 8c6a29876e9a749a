package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// Values says whose values an export has.
type Values int

const (
	// Unprotected leaves the values of groups with read_authorization out, but those of
	// their authorizations: what is read back is protected as it was.
	Unprotected Values = iota
	// All has them: svccfg export -a.
	All
)

// ExportOptions are how to export.
type ExportOptions struct {
	Values Values
	// Dependency finds the group that a dependent is: the dependency of that name of the
	// service or instance that target names; nil if there is none. Without it, and where it
	// finds none, the entry of group dependents is exported as it is.
	Dependency func(target, name string) *tree.Group
	// About gives a service's kind and version; without it, service and 0.
	About func(service string) (kind, version string)
}

// Export writes a manifest of one service. Groups that end with the boot, those that other
// services own, and the note of manifests are not in it, as with the original. Everything in the
// service is in the order of names.
func Export(s *tree.Service, o ExportOptions) ([]byte, error) {
	return bundleOf([]tree.Service{*s}, Manifest, "export", o)
}

// ExportArchive writes an archive of services.
func ExportArchive(services []tree.Service, o ExportOptions) ([]byte, error) {
	return bundleOf(services, Archive, "none", o)
}

// ExtractProfile writes a profile of which instances are enabled; of what has no general/enabled
// it says nothing.
func ExtractProfile(services []tree.Service) ([]byte, error) {
	top := bundleNode(Profile, "extract")
	for _, s := range services {
		n := serviceNode(s.Name, "service", "0")
		for i := range s.Instances {
			if enabled, ok := enabledOf(&s.Instances[i]); ok {
				n.add(newNode("instance", "name", s.Instances[i].Name, propEnabled, enabled))
			}
		}
		if len(n.kids) > 0 {
			top.add(n)
		}
	}
	return write(top)
}

func bundleOf(services []tree.Service, t Type, name string, o ExportOptions) ([]byte, error) {
	top := bundleNode(t, name)
	for i := range services {
		x := &exporter{options: o, service: services[i].Name}
		n, err := x.export(&services[i])
		if err != nil {
			return nil, err
		}
		top.add(n)
	}
	return write(top)
}

func newNode(name string, attrs ...string) *node {
	n := &node{name: name}
	for i := 0; i < len(attrs); i += 2 {
		n.attrs = append(n.attrs, attr{attrs[i], attrs[i+1]})
	}
	return n
}

func (n *node) add(kids ...*node) { n.kids = append(n.kids, kids...) }

func bundleNode(t Type, name string) *node { return newNode(root, "type", t.String(), "name", name) }

func serviceNode(name, kind, version string) *node {
	return newNode("service", "name", name, "type", kind, "version", version)
}

// exporter makes elements of one service's configuration.
type exporter struct {
	options ExportOptions
	service string
	kind    string
	inst    string // the instance that is being exported; empty for the service
	groups  []tree.Group
	names   map[string]bool    // of the groups
	done    map[string]bool    // of those that the template says
	parts   map[string][]*node // children of the service or the instance, by name
}

func (x *exporter) export(s *tree.Service) (*node, error) {
	if err := fmri.CheckService(s.Name); err != nil {
		return nil, fmt.Errorf("export: %w: %w", ErrUnexportable, err)
	}
	version := "0"
	x.kind = "service"
	if x.options.About != nil {
		x.kind, version = x.options.About(s.Name)
	}
	n := serviceNode(s.Name, x.kind, version)
	parts, err := x.entity("", s.Groups)
	if err != nil {
		return nil, err
	}
	for i := range s.Instances {
		kid, err := x.instance(&s.Instances[i])
		if err != nil {
			return nil, err
		}
		parts[kid.name] = append(parts[kid.name], kid)
	}
	n.assemble(parts)
	return n, nil
}

// assemble adds children in the order of the DTD.
func (n *node) assemble(parts map[string][]*node) {
	for _, p := range elements()[n.name].kids {
		for _, name := range p.names {
			n.add(parts[name]...)
		}
	}
}

// enabledOf is the value of an instance's general/enabled.
func enabledOf(i *tree.Instance) (value string, ok bool) {
	g := i.Group(groupGeneral)
	if g == nil || g.Type != typeFramework {
		return "false", false
	}
	p := g.Prop(propEnabled)
	if p == nil || p.Type != prop.Boolean || len(p.Values) != 1 {
		return "false", false
	}
	return p.Values[0], true
}

func (x *exporter) instance(i *tree.Instance) (*node, error) {
	if err := fmri.CheckName(i.Name); err != nil {
		return nil, fmt.Errorf("export svc:/%s: %w: %w", x.service, ErrUnexportable, err)
	}
	enabled, _ := enabledOf(i)
	parts, err := x.entity(i.Name, i.Groups)
	if err != nil {
		return nil, err
	}
	if i.Name == "default" && len(parts) == 0 {
		return newNode("create_default_instance", propEnabled, enabled), nil
	}
	n := newNode("instance", "name", i.Name, propEnabled, enabled)
	n.assemble(parts)
	return n, nil
}

// entity makes the children of a service or an instance.
func (x *exporter) entity(inst string, groups []tree.Group) (map[string][]*node, error) {
	x.inst, x.parts, x.groups = inst, map[string][]*node{}, nil
	x.names, x.done = map[string]bool{}, map[string]bool{}
	for _, g := range groups {
		if g.Flags&tree.NonPersistent != 0 || external(&g) {
			continue
		}
		if inst == "" && g.Type == typeFramework && g.Name == groupManifestFiles {
			continue
		}
		x.groups, x.names[g.Name] = append(x.groups, g), true
	}
	x.templates()
	for i := range x.groups {
		if x.done[x.groups[i].Name] {
			continue
		}
		if err := x.group(&x.groups[i]); err != nil {
			return nil, err
		}
	}
	return x.parts, nil
}

// external says whether a group is another service's dependent.
func external(g *tree.Group) bool {
	if g.Type != typeDependency {
		return false
	}
	p := g.Prop(propExternal)
	return p != nil && p.Type == prop.Boolean && len(p.Values) == 1 && p.Values[0] == "true"
}

func (x *exporter) put(nodes ...*node) {
	for _, n := range nodes {
		x.parts[n.name] = append(x.parts[n.name], n)
	}
}

// group exports one group: by the element that there is for it, if that says all of it, and
// else as a property group.
func (x *exporter) group(g *tree.Group) error {
	switch {
	case g.Type == typeDependency:
		if n := dependencyNode(g); x.faithful(g, n) {
			x.put(n)
			return nil
		}
	case g.Type == typeMethod:
		if n := methodNode(g); x.faithful(g, n) {
			x.put(n)
			return nil
		}
	case g.Type == typeNotify:
		if n := notifyNode(g); x.faithful(g, n) {
			x.put(n)
			return nil
		}
	case g.Type == typeFramework && g.Name == groupMethodContext:
		if n, rest := contextNode(g); len(rest) == 0 && x.faithful(g, n) {
			x.put(n)
			return nil
		}
	case g.Type == typeFramework && g.Name == groupGeneral:
		return x.general(g)
	case g.Type == typeFramework && g.Name == groupDependents:
		return x.dependents(g)
	}
	return x.generic(g)
}

// generic exports a group as a property_group.
func (x *exporter) generic(g *tree.Group) error {
	n := newNode("property_group", "name", g.Name, "type", g.Type)
	if x.options.Values != All && g.Prop("read_authorization") != nil && !standardType(g.Type) {
		g = withoutValues(g)
	}
	n.add(propertyNodes(g.Props)...)
	if err := x.unlike(n, *g); err != nil {
		return fmt.Errorf("export %s: property group %s: %w", x.self(), quote(g.Name), err)
	}
	x.put(n)
	return nil
}

// standardType says whether groups of a type are read by restarters and may be read by all.
func standardType(kind string) bool {
	return kind == typeMethod || kind == typeDependency || kind == typeTemplate || kind == typeNotify
}

func withoutValues(g *tree.Group) *tree.Group {
	c := g.Clone()
	for i := range c.Props {
		if !strings.HasSuffix(c.Props[i].Name, "_authorization") {
			c.Props[i].Values = nil
		}
	}
	return &c
}

func (x *exporter) self() string { return fmri.Of(x.service, x.inst) }

// faithful says whether reading a node gives the group.
func (x *exporter) faithful(g *tree.Group, n *node) bool {
	return n != nil && x.unlike(n, *g) == nil
}

// unlike says in what reading a child of the service or the instance would not give the groups.
func (x *exporter) unlike(n *node, groups ...tree.Group) error {
	h, err := x.read(n)
	if err != nil {
		return err
	}
	got := h.finish()
	want := slices.Clone(groups)
	tree.SortGroups(want)
	if !slices.EqualFunc(got, want, func(a, b tree.Group) bool { return a.Equal(&b) }) {
		return fmt.Errorf("%w: it would be read back as another", ErrUnexportable)
	}
	return nil
}

// read reads children of the service or the instance as a document would be.
func (x *exporter) read(nodes ...*node) (*holder, error) {
	h := &holder{mapper: &mapper{faults: &faults{}}, service: x.service, inst: x.inst, kind: x.kind}
	c := &checker{faults: h.faults}
	for _, n := range nodes {
		if name, ok := n.unwritable(); !ok {
			return nil, fmt.Errorf("%w: characters of %s", ErrUnexportable, name)
		}
		copied := n.clone()
		// Parts of a template are tried without the rest.
		if n.name == "template" {
			for _, kid := range copied.kids {
				c.check(kid, bound)
			}
		} else {
			c.check(copied, bound)
		}
		if len(h.faults.errors.List) == 0 {
			h.part(copied)
		}
	}
	if len(h.faults.errors.List) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrUnexportable, h.faults.errors.List[0].What)
	}
	return h, nil
}

func (n *node) clone() *node {
	c := *n
	c.attrs = slices.Clone(n.attrs)
	c.kids = make([]*node, len(n.kids))
	for i, kid := range n.kids {
		c.kids[i] = kid.clone()
	}
	return &c
}

// dependents exports the entries of group dependents.
func (x *exporter) dependents(g *tree.Group) error {
	rest := g.Clone()
	rest.Props = nil
	for _, p := range g.Props {
		if n := x.dependentNode(&p); n != nil {
			x.put(n)
		} else {
			rest.Props = append(rest.Props, p)
		}
	}
	if len(rest.Props) == 0 && len(g.Props) > 0 {
		return nil
	}
	return x.generic(&rest)
}

var errNoDependent = errors.New("not a dependent")

func (x *exporter) dependentNode(p *tree.Property) *node {
	if x.options.Dependency == nil || p.Type != prop.FMRI || len(p.Values) != 1 {
		return nil
	}
	if x.names[p.Name] {
		return nil
	}
	found := x.options.Dependency(p.Values[0], p.Name)
	if found == nil || found.Type != typeDependency || !external(found) {
		return nil
	}
	n, err := x.dependentOf(p, found)
	if err != nil {
		return nil
	}
	return n
}

// dependentOf is the element of a dependent. Whom it depends on is not compared: it is this
// service or instance.
func (x *exporter) dependentOf(p *tree.Property, found *tree.Group) (*node, error) {
	g := found.Clone()
	g.Name = p.Name
	if e := g.Prop("entities"); e != nil {
		e.Values = []string{x.self()}
	}
	n := newNode("dependent", "name", p.Name)
	rest := take(&g, n, "grouping", "restart_on")
	n.add(newNode("service_fmri", "value", p.Values[0]))
	rest = slices.DeleteFunc(rest, func(q tree.Property) bool {
		standard := q.Name == "type" && q.Type == prop.AString && slices.Equal(q.Values, []string{"service"})
		return standard || q.Name == "entities" || q.Name == propExternal
	})
	if i := slices.IndexFunc(rest, func(q tree.Property) bool { return q.Name == propEntityStability }); i >= 0 && isStability(&rest[i]) {
		n.add(newNode(propStability, "value", rest[i].Values[0]))
		rest = slices.Delete(rest, i, i+1)
	}
	for i := range rest {
		n.add(propertyNode(&rest[i]))
	}
	h, err := x.read(n)
	if err != nil {
		return nil, err
	}
	if len(h.Dependents) != 1 || !h.Dependents[0].Group.Equal(&g) {
		return nil, errNoDependent
	}
	return n, nil
}
