package bootimport

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/atomicfile"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/svc/importer"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Exit codes.
const (
	exitOK     = 0
	exitError  = 1
	exitUsage  = 2
	exitFaults = 95 // SMF_EXIT_ERR_FATAL
)

// ours is where the system's own profiles stand.
const ours = "/lib/svc/profile"

// profileBytesMax bounds one of them.
const profileBytesMax = 1 << 20

// Env is what the program works with.
type Env struct {
	Out, Err io.Writer
	// Open finds the repository.
	Open func() (door.Store, error)
	// Root is where the system's files are; empty: this system's.
	Root string
}

// Main is manifest-import; args are without its name. The result is the exit code.
func Main(env *Env, args []string) int {
	early := slices.Equal(args, []string{"-e"})
	if !early && len(args) > 0 {
		fmt.Fprintln(env.Err, "usage: manifest-import [-e]")
		return exitUsage
	}
	s, err := env.Open()
	if err == nil {
		defer s.Close()
		var faults int
		if faults, err = env.run(s, early); err == nil && faults > 0 {
			return exitFaults
		}
	}
	if err != nil {
		fmt.Fprintf(env.Err, "manifest-import: %v\n", err)
		return exitError
	}
	return exitOK
}

// run imports, and counts the files that have faults.
func (env *Env) run(s door.Store, early bool) (faults int, err error) {
	store := &answering{Store: importer.At(s)}
	tell := func(f importer.File) {
		if store.lost == nil { // else it is no fault of the file's
			env.tell(f)
		}
	}
	b := &importer.Boot{
		Store: store, Root: env.Root, Tell: tell,
		Backup: func() error { _, _, err := s.Backup(repo.ImportBackup); return err },
	}
	failed := func(path string, err error) {
		if err != nil {
			tell(importer.File{Path: path, State: importer.Failed, Err: err})
			faults++
		}
	}
	steps := []func() (importer.Counts, error){
		func() (importer.Counts, error) {
			// Where an administrator puts his own.
			failed(importer.LocalManifests, os.MkdirAll(filepath.Join(env.Root, importer.LocalManifests), 0o755))
			return b.Manifests(importer.LateDirs...)
		},
		func() (importer.Counts, error) {
			failed(importer.Profiles, env.placeProfiles(store))
			return b.Profiles(importer.Profiles)
		},
		func() (importer.Counts, error) { return b.Cleanup(importer.LateDirs...) },
	}
	if early {
		steps = []func() (importer.Counts, error){
			func() (importer.Counts, error) { return b.Manifests(importer.EarlyDirs...) },
		}
	}
	for _, step := range steps {
		n, err := step()
		faults += n[importer.Failed]
		if err == nil {
			err = store.lost
		}
		if err != nil {
			return faults, err
		}
	}
	return faults, nil
}

// answering is a repository that is given up when it has not answered once: each file after that
// would wait as long.
type answering struct {
	importer.Store
	lost error
}

func (a *answering) View(f func(importer.Reader) error) error {
	if a.lost != nil {
		return a.lost
	}
	return a.note(a.Store.View(f))
}

func (a *answering) Apply(b *repo.Batch) (uint64, error) {
	if a.lost != nil {
		return 0, a.lost
	}
	generation, err := a.Store.Apply(b)
	return generation, a.note(err)
}

func (a *answering) note(err error) error {
	if errors.Is(err, door.ErrUnavailable) || errors.Is(err, door.ErrNoServer) {
		a.lost = err
	}
	return err
}

// words say what became of a file.
var words = map[importer.State]string{importer.Done: "imported", importer.Gone: "gone, and what it alone described"}

// tell says what became of a file, if anything.
func (env *Env) tell(f importer.File) {
	if f.State == importer.Failed {
		text := f.Err.Error()
		if !strings.HasPrefix(text, f.Path) { // most say it themselves
			text = f.Path + ": " + text
		}
		fmt.Fprintln(env.Err, text)
	} else if word := words[f.State]; word != "" {
		fmt.Fprintf(env.Out, "%s: %s\n", f.Path, word)
	}
	for _, e := range f.Events {
		if !e.Verbose() {
			fmt.Fprintf(env.Out, "%s: %s\n", f.Path, e.Text)
		}
	}
}

// placeProfiles copies the system's own profiles to where an administrator looks for them, before
// any was applied.
func (env *Env) placeProfiles(s importer.Store) error {
	to := filepath.Join(env.Root, importer.Profiles)
	generic := filepath.Join(to, "generic.xml")
	if _, err := os.Lstat(generic); err == nil {
		return nil
	}
	if known, err := importer.Tracked(s, filepath.Join(importer.Profiles, "generic.xml")); err != nil || known {
		return err
	}
	from := filepath.Join(env.Root, ours)
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	// generic.xml is the last: with it the others are there.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return strings.Compare(order(a.Name()), order(b.Name()))
	})
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".xml") || err != nil && e.Name() == "generic.xml" {
			continue
		}
		err = errors.Join(err, place(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())))
	}
	return err
}

func order(name string) string {
	if name == "generic.xml" {
		return "\xff"
	}
	return name
}

// place copies one, unless there is something of its name.
func place(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	b, err := sys.ReadFile(from, profileBytesMax)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(to, b, 0o644); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}
