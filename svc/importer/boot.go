package importer

import (
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
// paths. What is wrong with a file or a directory is told; an error is of the repository.
func (b *Boot) Manifests(dirs ...string) (Counts, error) {
	counts := Counts{}
	known, err := sums(b.Store)
	if err != nil {
		return counts, err
	}
	b.seen = known
	for _, path := range dirs {
		b.directory(path, counts)
	}
	return counts, nil
}

// open opens a directory. One that is not there is nil; of what else is wrong is told.
func (b *Boot) open(path string, counts Counts) *Dir {
	d, err := OpenDir(b.Root, path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.told(File{Path: path, State: Failed, Err: err}, counts)
	}
	return d
}

func (b *Boot) told(f File, counts Counts) {
	counts[f.State]++
	if b.Tell != nil {
		b.Tell(f)
	}
}

// directory imports one directory of manifests.
func (b *Boot) directory(path string, counts Counts) {
	d := b.open(path, counts)
	if d == nil {
		return
	}
	defer d.Close()
	files, strange, err := d.Walk()
	if err != nil {
		b.told(File{Path: path, State: Failed, Err: err}, counts)
		return
	}
	for _, f := range strange {
		b.told(f, counts)
	}
	for _, name := range files {
		b.told(b.file(d, name, manifest.Manifest), counts)
	}
}

// file imports or applies one file, if it is to be.
func (b *Boot) file(d *Dir, name string, want manifest.Type) File {
	f := File{Path: d.full(name)}
	sum, known := b.seen[f.Path]
	if known && want == manifest.Profile {
		return f // a profile is for the first boot
	}
	data, err := d.read(name)
	if err != nil {
		f.State, f.Err = Failed, err
		return f
	}
	if known && !includes(data) && NewSource(f.Path, data).Sum == sum {
		return f
	}
	bundle, source, err := parse(f.Path, data, want, d.include)
	if err != nil {
		f.State, f.Err = Failed, err
		return f
	}
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
	d := b.open(path, counts)
	if d == nil {
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
