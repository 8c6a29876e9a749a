package bundles

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/linuxzones/zones/svc/importer"
	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg"
)

// Bundles are svccfg's. The zero Bundles is ready.
type Bundles struct{}

var _ svccfg.Bundles = Bundles{}

// ErrTemplates: a manifest breaks templates, and -V was given.
var ErrTemplates = errors.New("Validation failed.")

// notes are what events tell.
func notes(events []importer.Event) (list []svccfg.Note) {
	for _, e := range events {
		list = append(list, svccfg.Note{Text: e.Text, Verbose: e.Verbose()})
	}
	return list
}

// Import implements svccfg.Bundles.
func (Bundles) Import(s door.Store, file string, o svccfg.ImportOptions) ([]svccfg.Note, error) {
	files, list, err := below(file)
	var known map[string]string
	if os.Getenv(checkHash) != "" {
		var failed error
		if known, failed = importer.Known(importer.At(s)); failed != nil {
			return nil, failed
		}
	}
	var errs []error
	for _, f := range files {
		told, failed := one(s, f, o.Strict, known)
		list, errs = append(list, told...), append(errs, failed)
	}
	err = errors.Join(append(errs, err)...)
	if o.Out == "" || err == nil {
		return list, err
	}
	if out := os.WriteFile(o.Out, []byte(err.Error()+"\n"), 0o666); out != nil {
		err = errors.Join(err, out)
	}
	return list, err
}

// below are the file itself, or all manifests below a directory.
func below(file string) (files []string, list []svccfg.Note, err error) {
	info, err := os.Stat(file)
	if err != nil || !info.IsDir() {
		return []string{file}, nil, err
	}
	full, err := filepath.Abs(file)
	if err != nil {
		return nil, nil, err
	}
	d, err := importer.OpenDir("", full)
	if err != nil {
		return nil, nil, err
	}
	names, strange, err := d.Walk()
	for _, name := range names {
		files = append(files, path.Join(full, name))
	}
	for _, f := range strange {
		list = append(list, svccfg.Note{Text: f.Err.Error()})
	}
	return files, list, errors.Join(err, d.Close())
}

// checkHash is the variable that has only files imported that have changed: what boots sets it.
const checkHash = "SVCCFG_CHECKHASH"

func one(s door.Store, file string, strict bool, known map[string]string) (list []svccfg.Note, err error) {
	b, source, err := importer.Load(file, manifest.Manifest)
	if err != nil || source != nil && known[source.Path] == source.Sum {
		return nil, err
	}
	faults, err := svccfg.CheckTemplates(s, b)
	if err != nil {
		return nil, err
	}
	if strict && len(faults) > 0 {
		return nil, errors.New(strings.Join(append(faults, ErrTemplates.Error()), "\n"))
	}
	for _, f := range faults {
		list = append(list, svccfg.Note{Text: "Warning: " + f, Verbose: true})
	}
	events, err := importer.Import(importer.At(s), b, source)
	return append(list, notes(events)...), err
}

// Apply implements svccfg.Bundles.
func (Bundles) Apply(s door.Store, file string, look bool) ([]svccfg.Note, error) {
	b, source, err := importer.Load(file, manifest.Profile)
	if err != nil {
		return nil, err
	}
	mode := importer.Do
	if look {
		mode = importer.Look
	}
	events, err := importer.Apply(importer.At(s), b, source, mode)
	return notes(events), err
}

// Restore implements svccfg.Bundles.
func (Bundles) Restore(s door.Store, file string) ([]svccfg.Note, error) {
	b, _, err := importer.Load(file, manifest.Archive)
	if err != nil {
		return nil, err
	}
	events, err := importer.Restore(importer.At(s), b)
	return notes(events), err
}

// ErrNotTracked: there is no such manifest among those that were imported.
var ErrNotTracked = errors.New("no such manifest was imported")

// Forget implements svccfg.Bundles. A file that is there is known by its path without links.
func (Bundles) Forget(s door.Store, file string, gone bool) ([]svccfg.Note, error) {
	full, err := filepath.Abs(file)
	if err == nil && !gone {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return nil, err
	}
	files, err := importer.Forget(importer.At(s), full)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: %w", full, ErrNotTracked)
	}
	return nil, err
}

// Cleanup implements svccfg.Bundles. all makes no difference: only files in the directories that are
// imported at boot are tracked.
func (Bundles) Cleanup(s door.Store, all bool) ([]svccfg.Note, error) {
	return cleanup(s, importer.LateDirs)
}

func cleanup(s door.Store, dirs []string) (list []svccfg.Note, err error) {
	var errs []error
	b := importer.Boot{Store: importer.At(s), Tell: func(f importer.File) {
		list = append(list, notes(f.Events)...)
		errs = append(errs, f.Err)
	}}
	_, err = b.Cleanup(dirs...)
	return list, errors.Join(append(errs, err)...)
}
