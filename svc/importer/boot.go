package importer

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"

	"github.com/linuxzones/zones/svc/manifest"
)

// Directories of manifests and of profiles.
const (
	SystemManifests = "/lib/svc/manifest"
	LocalManifests  = "/var/svc/manifest"
	Profiles        = "/etc/svc/profile"
)

// EarlyDirs are imported before anything runs, LateDirs by a service.
var (
	EarlyDirs = []string{SystemManifests}
	LateDirs  = []string{SystemManifests, LocalManifests}
)

// State is what became of a file.
type State uint8

// The states.
const (
	Unchanged State = iota // since it was imported or applied last
	Done
	Gone   // and what it alone described, too
	Failed // Err says why
)

// Boot is the import of directories.
type Boot struct {
	Store Store
	Root  string // where the system's files are; empty: this system's
	// Backup is called once, before the first file that is imported. Its failure is told, and
	// stops nothing. May be nil.
	Backup func() error
	// Tell is called for each file, in the order in which they are looked at. May be nil.
	Tell func(File)
	done bool
	seen map[string]string
}

// Counts are how many files became what.
type Counts map[State]int

// Manifests imports what has changed in the directories, one after the other, in the order of
// paths, and cleans up after files that are gone from them. What is wrong with a file or a
// directory is told; an error is of the repository.
func (b *Boot) Manifests(dirs ...string) (Counts, error) {
	counts := Counts{}
	known, err := sums(b.Store)
	if err != nil {
		return counts, err
	}
	b.seen = known
	for _, path := range dirs {
		if err := b.directory(path, counts); err != nil {
			return counts, err
		}
	}
	return counts, nil
}

func (b *Boot) told(f File, counts Counts) {
	counts[f.State]++
	if b.Tell != nil {
		b.Tell(f)
	}
}

// directory imports one directory of manifests. One that is not there is empty, and nothing is
// cleaned up after it: it may not be mounted.
func (b *Boot) directory(path string, counts Counts) error {
	d, err := OpenDir(b.Root, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		b.told(File{Path: path, State: Failed, Err: err}, counts)
		return nil
	}
	defer d.Close()
	files, strange, err := d.Walk()
	if err != nil {
		b.told(File{Path: path, State: Failed, Err: err}, counts)
		return nil
	}
	for _, f := range strange {
		b.told(f, counts)
	}
	for _, name := range files {
		b.told(b.file(d, name, manifest.Manifest), counts)
	}
	gone, err := b.cleanup(d)
	for _, f := range gone {
		b.told(f, counts)
	}
	return err
}

// file imports or applies one file, if it is to be.
func (b *Boot) file(d *Dir, name string, want manifest.Type) File {
	f := File{Path: d.full(name)}
	data, err := d.read(name)
	if err != nil {
		f.State, f.Err = Failed, err
		return f
	}
	sum, known := b.seen[f.Path]
	if known && want == manifest.Profile {
		return f // a profile is for the first boot
	}
	simple := !bytes.Contains(data, []byte("include"))
	if known && simple && NewSource(f.Path, data).Sum == sum {
		return f
	}
	documents := [][]byte{data}
	bundle, err := manifest.Parse(f.Path, data, manifest.Options{Want: want, Include: func(from, href string) (manifest.Document, error) {
		name, data, err := d.include(from, href)
		documents = append(documents, []byte(name), data)
		return manifest.Document{Name: name, Data: data}, err
	}})
	if err != nil {
		f.State, f.Err = Failed, err
		return f
	}
	source := NewSource(f.Path, documents...)
	if known && source.Sum == sum {
		return f
	}
	f.State = Done
	if event, failed := b.backup(); failed {
		f.Events = append(f.Events, event)
	}
	var events []Event
	if want == manifest.Profile {
		events, f.Err = Apply(b.Store, bundle, source, Do)
	} else {
		events, f.Err = Import(b.Store, bundle, source)
	}
	f.Events = append(f.Events, events...)
	if f.Err != nil {
		f.State = Failed
	}
	return f
}

func (b *Boot) backup() (Event, bool) {
	if b.done || b.Backup == nil {
		return Event{}, false
	}
	b.done = true
	if err := b.Backup(); err != nil {
		return warned("no backup before the import: " + err.Error()), true
	}
	return Event{}, false
}

// Profiles applies the profiles of a directory that were not applied before: generic.xml,
// platform.xml, site.xml, and what is in its directory site. What is wrong with one is told; an
// error is of the repository.
func (b *Boot) Profiles(path string) (Counts, error) {
	counts := Counts{}
	known, err := sums(b.Store)
	if err != nil {
		return counts, err
	}
	b.seen = known
	d, err := OpenDir(b.Root, path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			b.told(File{Path: path, State: Failed, Err: err}, counts)
		}
		return counts, nil
	}
	defer d.Close()
	var names []string
	for _, name := range []string{"generic.xml", "platform.xml", "site.xml"} {
		if !d.missing(name) {
			names = append(names, name)
		}
	}
	site, strange, err := d.site()
	if err != nil {
		b.told(File{Path: d.full("site"), State: Failed, Err: err}, counts)
	}
	for _, f := range strange {
		b.told(f, counts)
	}
	for _, name := range slices.Concat(names, site) {
		b.told(b.file(d, name, manifest.Profile), counts)
	}
	return counts, nil
}

// site are the files in the directory site, without those below it.
func (d *Dir) site() (files []string, strange []File, err error) {
	w := &walk{dir: d, flat: true}
	if err = w.directory("site", 0); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(w.files)
	return w.files, w.strange, nil
}
