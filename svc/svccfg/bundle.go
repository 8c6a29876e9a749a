package svccfg

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/importer"
	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/operand"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// legacyService holds what was started by scripts: it is no configuration.
const legacyService = "smf/legacy_run"

// notes tells what was done. With an error, what was is told first.
func (s *Session) notes(list []Note, err error) error {
	for _, n := range list {
		if s.verbose || !n.Verbose {
			s.say(n.Text)
		}
	}
	return err
}

// importFiles imports manifests.
func (s *Session) importFiles(a *args) error {
	var o ImportOptions
	words := a.words
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		switch {
		case words[0] == "-V":
			o.Strict = true
		case words[0] == "-p" && len(words) > 1:
			o.Out, words = words[1], words[1:]
		default:
			return errSyntax
		}
		words = words[1:]
	}
	if len(words) == 0 {
		return errSyntax
	}
	for _, p := range words {
		if err := s.bundle(p, func(store door.Store) ([]Note, error) { return s.env.Bundles.Import(store, p, o) }); err != nil {
			return err
		}
	}
	return nil
}

// bundle does what a file says.
func (s *Session) bundle(file string, do func(door.Store) ([]Note, error)) error {
	if _, err := os.Stat(file); err != nil {
		return problem("Could not stat \"" + file + "\": " + reason(err) + ".")
	}
	store, err := s.open()
	if err != nil {
		return err
	}
	list, err := do(store)
	return s.notes(list, err)
}

func (s *Session) apply(a *args) error {
	return s.bundle(a.word(0), func(store door.Store) ([]Note, error) {
		list, err := s.env.Bundles.Apply(store, a.word(0), a.option)
		if a.option { // -n shows what it would do
			for i := range list {
				list[i].Verbose = false
			}
		}
		return list, err
	})
}

func (s *Session) restore(a *args) error {
	return s.bundle(a.word(0), func(store door.Store) ([]Note, error) { return s.env.Bundles.Restore(store, a.word(0)) })
}

func (s *Session) cleanup(a *args) error {
	store, err := s.open()
	if err != nil {
		return err
	}
	list, err := s.env.Bundles.Cleanup(store, a.option)
	return s.notes(list, err)
}

// delhash forgets that a manifest was imported. Its path may be relative, and a link.
func (s *Session) delhash(a *args) error {
	if s.at.Service != "" {
		return problem("error, an entity is selected")
	}
	name := a.word(0)
	if a.option && !path.IsAbs(name) {
		return problem("cannot resolve pathname for " + name)
	}
	store, err := s.open()
	if err != nil {
		return err
	}
	list, err := s.env.Bundles.Forget(store, name, a.option)
	if errors.Is(err, os.ErrNotExist) {
		return problem("cannot resolve pathname for " + name)
	}
	return s.notes(list, err)
}

// document reads a file that a person names.
func document(name string) (*manifest.Bundle, error) {
	b, _, err := importer.Load(name, manifest.Any)
	var p *os.PathError
	if errors.As(err, &p) {
		return nil, problem("Could not open \"" + name + "\": " + reason(err) + ".")
	}
	return b, err
}

// inventory shows what a manifest has, each service after its instances.
func (s *Session) inventory(a *args) error {
	b, err := document(a.word(0))
	if err != nil {
		return err
	}
	if b.Type != manifest.Manifest {
		return manifest.ErrNotManifest
	}
	for i := range b.Services {
		c := &b.Services[i].Config
		for j := range c.Instances {
			s.print(fmri.Of(c.Name, c.Instances[j].Name) + "\n")
		}
		s.print(fmri.Of(c.Name, "") + "\n")
	}
	return nil
}

// validate checks a manifest, or an instance, which may be the selected one.
func (s *Session) validate(a *args) error {
	text := a.word(0)
	if len(a.words) == 0 {
		if _, err := s.open(); err != nil {
			return err
		}
		if s.at.Instance == "" {
			return problem("No instance selected")
		}
		view := door.Composed
		if s.snapshot != "" {
			view = door.Snapshot(s.snapshot)
		}
		return s.validateInstance(s.at, view)
	}
	file, isFile := strings.CutPrefix(text, "file://")
	if !isFile && !strings.HasPrefix(text, "svc:") {
		_, err := os.Stat(text)
		isFile = err == nil
	}
	if isFile {
		return s.validateFile(file)
	}
	store, err := s.open()
	if err != nil {
		return err
	}
	m, err := operand.One(store, text, operand.Instances)
	if err != nil {
		return err
	}
	return s.validateInstance(m.On, door.Composed)
}

func (s *Session) validateFile(file string) error {
	b, err := document(file)
	if err != nil {
		return err
	}
	if b.Type != manifest.Manifest {
		return manifest.ErrNotManifest
	}
	for _, w := range b.Warnings {
		s.say("Warning: " + w.Error())
	}
	store, err := s.open()
	if err != nil {
		return err
	}
	faults, err := CheckTemplates(store, b)
	if err != nil {
		return err
	}
	return s.invalid(faults)
}

// export writes a manifest of a service.
func (s *Session) export(a *args) error {
	store, err := s.open()
	if err != nil {
		return err
	}
	text := a.word(0)
	if f, err := fmri.Parse(text); err == nil && f.Instance != "" {
		s.say("Only services may be exported; ignoring instance portion of argument.")
		text = fmri.Of(f.Service, "")
	}
	m, err := operand.One(store, text, operand.Services)
	if err != nil {
		return err
	}
	whole, err := store.Service(m.On.Service)
	if err != nil {
		return err
	}
	if err := s.readable(a.option, whole.Withheld); err != nil {
		return err
	}
	data, err := manifest.Export(&whole.Service, s.exportOptions(a.option))
	if err != nil {
		return err
	}
	return s.write(a.to, data)
}

// readable refuses an export with all values, of which some may not be read. Of another one it says
// what is lost: a group whose authorizations may not be read will be anybody's where it is imported.
func (s *Session) readable(all bool, withheld []string) error {
	if all && len(withheld) > 0 {
		return problem("No permission to read property group " + withheld[0] + ".")
	}
	for _, g := range withheld {
		s.say("Warning: no permission to read property group " + g + ": it is exported without values and without what protects it.")
	}
	return nil
}

func (s *Session) exportOptions(all bool) manifest.ExportOptions {
	o := manifest.ExportOptions{Dependency: s.dependency}
	if all {
		o.Values = manifest.All
	}
	return o
}

// dependency finds the group that a dependent is. What cannot be read is as if it were not there:
// the entry is exported as it is.
func (s *Session) dependency(target, name string) *tree.Group {
	f, err := fmri.Parse(target)
	if err != nil || f.Scheme != fmri.Service || fmri.CheckName(name) != nil {
		return nil
	}
	g, err := s.store.Group(repo.Entity{Service: f.Service, Instance: f.Instance}, door.Direct, name)
	if err != nil || g.Type != typeDependency {
		return nil
	}
	return &g.Group
}

// all are all services that are configuration, of one generation.
func (s *Session) all() (services []tree.Service, withheld []string, err error) {
	store, err := s.open()
	if err != nil {
		return nil, nil, err
	}
	r, err := store.Scan(door.Query{Levels: door.Services | door.Instances, View: door.Direct})
	if err != nil {
		return nil, nil, err
	}
	for i := range r.Entries {
		x := &r.Entries[i]
		var groups []tree.Group
		for j := range x.Groups {
			groups = append(groups, x.Groups[j].Group)
			if x.Groups[j].Withheld {
				withheld = append(withheld, x.On.String()+"/:properties/"+x.Groups[j].Name)
			}
		}
		if x.On.Instance == "" {
			services = append(services, tree.Service{Name: x.On.Service, Groups: groups})
			continue
		}
		last := &services[len(services)-1]
		last.Instances = append(last.Instances, tree.Instance{Name: x.On.Instance, Groups: groups})
	}
	return slices.DeleteFunc(services, func(x tree.Service) bool { return x.Name == legacyService }), withheld, nil
}

func (s *Session) archive(a *args) error {
	services, withheld, err := s.all()
	if err == nil {
		err = s.readable(a.option, withheld)
	}
	if err != nil {
		return err
	}
	data, err := manifest.ExportArchive(services, s.exportOptions(a.option))
	if err != nil {
		return err
	}
	return s.write(a.to, data)
}

func (s *Session) extract(a *args) error {
	services, _, err := s.all()
	if err != nil {
		return err
	}
	data, err := manifest.ExtractProfile(services)
	if err != nil {
		return err
	}
	return s.write(a.to, data)
}

// write puts a document where it is wanted; it may be a pipe or a terminal.
func (s *Session) write(file string, data []byte) error {
	if file == "" {
		s.print(string(data))
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return problem("Could not open \"" + file + "\": " + reason(err) + ".")
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return problem("Could not write \"" + file + "\": " + reason(err) + ".")
	}
	return nil
}
