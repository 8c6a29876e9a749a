package manifest

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// Type is what kind of document a bundle is.
type Type int

// The types. Any is none: whoever asks for it takes each.
const (
	Any Type = iota
	Manifest
	Profile
	Archive
)

var bundleTypes = []struct {
	word  string
	wrong error // when the document is another
}{
	Any: {"", nil}, Manifest: {"manifest", ErrNotManifest}, Profile: {"profile", ErrNotProfile}, Archive: {"archive", ErrNotArchive},
}

func (t Type) String() string { return bundleTypes[t].word }

// Validation says whether the DTD binds.
type Validation int

const (
	// AsOriginal holds manifests and archives to the DTD.
	AsOriginal Validation = iota
	// Lax holds every document to as little of it as profiles are: SVCCFG_NOVALIDATE.
	Lax
)

// Document is one that another includes.
type Document struct {
	Name string // what messages call it, and what tells whether documents include each other in a circle
	Data []byte
}

// Options of reading.
type Options struct {
	// Want is the type that the document must have.
	Want Type
	// Include finds what href, in the document called from, names. Where it fails a fallback
	// serves, if there is one. Without Include, none is found.
	Include    func(from, href string) (Document, error)
	Validation Validation
}

// Bundle is a document's content.
type Bundle struct {
	File     string
	Type     Type
	Name     string
	Services []Service
	Warnings []*Error // what the DTD forbids and is read all the same
}

// Service is one of a bundle, with its directives. A profile may have groups without a type and
// properties without one (prop.Invalid): what exists gives it, see Value.
type Service struct {
	// Config is without general/enabled of instances and without groups that are to be deleted;
	// with it, the dependents that Directives list.
	Config    tree.Service
	Kind      string // service, restarter or milestone; empty where a profile does not say
	Version   string
	Own       Directives
	Instances map[string]*Directives
}

// Whole is the configuration as a repository has it when all of it is imported: with
// general/enabled of the instances.
func (s *Service) Whole() tree.Service {
	whole := tree.Service{Name: s.Config.Name}
	for _, g := range s.Config.Groups {
		whole.Groups = append(whole.Groups, g.Clone())
	}
	for _, i := range s.Config.Instances {
		copied := tree.Instance{Name: i.Name}
		for _, g := range i.Groups {
			copied.Groups = append(copied.Groups, g.Clone())
		}
		if e := s.Instances[i.Name].Enabled; e != Unset {
			enable(&copied, e)
		}
		whole.Instances = append(whole.Instances, copied)
	}
	whole.Sort()
	return whole
}

func enable(i *tree.Instance, e Enabled) {
	g := i.Group(groupGeneral)
	if g == nil {
		i.Groups = append(i.Groups, tree.Group{Name: groupGeneral, Type: typeFramework})
		tree.SortGroups(i.Groups)
		g = i.Group(groupGeneral)
	}
	g.Props = append(g.Props, tree.Property{Name: propEnabled, Type: prop.Boolean, Values: []string{strconv.FormatBool(e == On)}})
}

// Enabled is whether an instance is to be.
type Enabled int

// Unset leaves it as it is; only profiles may.
const (
	Unset Enabled = iota
	Disabled
	On
)

// Directives is what a document says about a service or an instance that is not its
// configuration.
type Directives struct {
	Position
	Enabled    Enabled // of an instance; applied last
	Dependents []Dependent
	Deletes    []Deletion
	// Overrides are properties that replace what an administrator has set.
	Overrides []Path
	places    map[Path]Position
}

// Path names a property, or a group where Property is empty.
type Path struct{ Group, Property string }

// At says where a group or property stands.
func (d *Directives) At(group, property string) Position { return d.places[Path{group, property}] }

// Marks are the groups (NAME) and properties (NAME/PROPERTY) to take whatever is there, and the
// groups to delete, as package upgrade wants them.
func (d *Directives) Marks() (override, remove map[string]bool) {
	override, remove = map[string]bool{}, map[string]bool{}
	for _, p := range d.Overrides {
		override[p.String()] = true
	}
	for _, x := range d.Deletes {
		remove[x.Group] = true
	}
	return override, remove
}

func (p Path) String() string {
	if p.Property == "" {
		return p.Group
	}
	return p.Group + "/" + p.Property
}

// Dependent is a dependency that another service or instance is to have.
type Dependent struct {
	Position
	Name     string
	Target   string     // FMRI of the other
	Group    tree.Group // what it is to have there
	Delete   bool       // rather than make it
	Override bool
}

// Deletion is a group that is to be deleted.
type Deletion struct {
	Position
	Group string
	Type  string
}

// Read reads a bundle from a stream, of which it takes no more than a document may have.
func Read(file string, in io.Reader, o Options) (*Bundle, error) {
	data, err := io.ReadAll(io.LimitReader(in, documentBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return Parse(file, data, o)
}

// Parse reads a bundle. The error is an *Errors, each of whose errors is an *Error.
func Parse(file string, data []byte, o Options) (*Bundle, error) {
	p := &parser{options: o}
	top, err := p.document(file, data, true)
	if err != nil {
		return nil, err
	}
	b := &Bundle{File: file, Type: p.bundleType, Name: top.attr("name")}
	p.include(top, []string{file})
	if err := p.faults.err(); err != nil {
		return nil, err
	}
	m := &mapper{faults: &p.faults, profile: p.bundleType == Profile, bundle: b, seen: map[string]bool{}}
	m.services(top)
	if err := p.faults.err(); err != nil {
		return nil, err
	}
	b.Warnings = p.faults.warnings
	return b, nil
}

// parser reads a document and what it includes.
type parser struct {
	options    Options
	faults     faults
	bundleType Type
	elements   int // read so far
	bytes      int
	includes   int
}

// document reads one document and holds it against the DTD.
func (p *parser) document(file string, data []byte, top bool) (*node, error) {
	r, err := readTree(file, data, &p.elements)
	if p.bytes += len(data); err == nil && p.bytes > includedBytesMax {
		err = r.fail(ErrLimit, "documents of more than %d bytes in all", includedBytesMax)
	}
	if err == nil {
		err = p.envelope(r, top)
	}
	if err != nil {
		p.faults.add(err.(*Error))
		return nil, p.faults.err()
	}
	b := bound
	if p.bundleType == Profile || p.options.Validation == Lax {
		b = lax
	}
	c := &checker{faults: &p.faults, profile: p.bundleType == Profile}
	c.check(r.root, b)
	return r.root, p.faults.err()
}

// envelope looks at what makes the document a bundle of the type that is wanted.
func (p *parser) envelope(r *reader, top bool) error {
	r.line = r.root.Line
	if !r.doctype && top {
		return r.fail(ErrNoDTD, "")
	}
	if r.root.name != root {
		if !top && r.root.name == "service" {
			return nil
		}
		return r.fail(ErrNotBundle, "it begins with <%s>", printable.Cut(r.root.name, 40))
	}
	word := r.root.attr("type")
	found := Any
	for t := Manifest; t <= Archive; t++ {
		if t.String() == word {
			found = t
		}
	}
	switch {
	case !top && found != p.bundleType:
		return r.fail(ErrInclude, "included bundle of different type")
	case p.options.Want != Any && found != p.options.Want:
		return r.fail(bundleTypes[p.options.Want].wrong, "its type is %s", quote(word))
	case found == Any:
		return r.fail(ErrInvalid, "type cannot be %s, only manifest, profile, archive", quote(word))
	case strings.TrimSpace(r.root.attr("name")) == "":
		return r.fail(ErrInvalid, "service bundle lacks name attribute")
	}
	p.bundleType = found
	return nil
}
