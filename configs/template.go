package configs

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// The templates of `create` without -t and of `create -b`.
const (
	TemplateDefault = "SUNWdefault"
	TemplateBlank   = "SUNWblank"
)

// detachedName is the file in a zone path that describes a detached zone.
const detachedName = "SUNWdetached.xml"

//go:embed templates/*.xml
var builtinTemplates embed.FS

// Template makes the configuration of a new zone from a template: a file SUNW*.xml of
// the directory of configurations, else the built-in one of that name, else the
// configuration of another zone. ErrNoTemplate when there is none.
//
// In a template's zonepath %{zonename} stands for the new zone's name and %{zones} for
// the directory of zone paths. A zonepath that was copied from another zone is replaced
// by the usual one, because it could never be committed.
func (s *Store) Template(template, name string) (*Zone, error) {
	if !strings.HasPrefix(template, "SUNW") {
		z, _, err := s.Load(template)
		if errors.Is(err, ErrNoZone) {
			return nil, fmt.Errorf("%s: %w, there are %s and the zones", template, ErrNoTemplate, strings.Join(s.Templates(), ", "))
		}
		if err != nil {
			return nil, err
		}
		z.Name, z.Path, z.UUID = name, s.layout.ZonePath(name), ""
		return z, nil
	}
	if !slices.Contains(s.Templates(), template) {
		return nil, fmt.Errorf("%s: %w, there are %s and the zones", template, ErrNoTemplate, strings.Join(s.Templates(), ", "))
	}
	file := s.path(template + xmlSuffix)
	data, err := readFile(file, xmlBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		file = "built-in " + template + xmlSuffix
		data, err = builtinTemplates.ReadFile("templates/" + template + xmlSuffix)
	}
	if err != nil {
		return nil, err
	}
	z, err := decodeXML(file, data)
	if err != nil {
		return nil, err
	}
	z.Name = name
	z.Path = strings.NewReplacer("%{zonename}", name, "%{zones}", s.layout.Lib).Replace(z.Path)
	return z, nil
}

// Templates lists the templates there are, in alphabetical order.
func (s *Store) Templates() []string {
	found := map[string]bool{}
	builtin, _ := builtinTemplates.ReadDir("templates")
	for _, e := range builtin {
		found[strings.TrimSuffix(e.Name(), xmlSuffix)] = true
	}
	own, _ := filepath.Glob(s.path("SUNW*" + xmlSuffix))
	for _, p := range own {
		if n := strings.TrimSuffix(filepath.Base(p), xmlSuffix); wellNamed(n, nameBytes) {
			found[n] = true
		}
	}
	var names []string
	for n := range found {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Detached makes the configuration of a zone that was detached and lies at path.
func (s *Store) Detached(path, name string) (*Zone, error) {
	if err := CheckProperty("", "zonepath", path); err != nil {
		return nil, err
	}
	z, err := s.detached(path)
	if err != nil {
		return nil, fmt.Errorf("invalid path to detached zone: %w", err)
	}
	z.Name, z.Path = name, filepath.Clean(path)
	return z, nil
}

func (s *Store) detached(path string) (*Zone, error) {
	file := filepath.Join(path, detachedName)
	data, err := readFile(file, xmlBytesMax)
	if err != nil {
		return nil, err
	}
	return decodeXML(file, data)
}
