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
	b := &importer.Boot{
		Store: importer.At(s), Root: env.Root, Tell: env.tell,
		Backup: func() error { _, _, err := s.Backup(repo.ImportBackup); return err },
	}
	if early {
		n, err := b.Manifests(importer.EarlyDirs...)
		return n[importer.Failed], err
	}
	// Where an administrator puts his own.
	if err := os.MkdirAll(filepath.Join(env.Root, importer.LocalManifests), 0o755); err != nil {
		env.tell(importer.File{Path: importer.LocalManifests, State: importer.Failed, Err: err})
		faults++
	}
	steps := []func() (importer.Counts, error){
		func() (importer.Counts, error) { return b.Manifests(importer.LateDirs...) },
		func() (importer.Counts, error) {
			if err := env.placeProfiles(s); err != nil {
				env.tell(importer.File{Path: importer.Profiles, State: importer.Failed, Err: err})
			}
			return b.Profiles(importer.Profiles)
		},
		func() (importer.Counts, error) { return b.Cleanup(importer.LateDirs...) },
	}
	for _, step := range steps {
		n, err := step()
		faults += n[importer.Failed]
		if err != nil {
			return faults, err
		}
	}
	return faults, nil
}

// words say what became of a file.
var words = map[importer.State]string{importer.Done: "imported", importer.Gone: "gone, and what it alone described"}

// tell says what became of a file, if anything.
func (env *Env) tell(f importer.File) {
	if f.State == importer.Failed {
		fmt.Fprintf(env.Err, "%s: %v\n", f.Path, f.Err)
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
func (env *Env) placeProfiles(s door.Store) error {
	to := filepath.Join(env.Root, importer.Profiles)
	generic := filepath.Join(to, "generic.xml")
	if _, err := os.Lstat(generic); err == nil {
		return nil
	}
	if known, err := importer.Tracked(importer.At(s), filepath.Join(importer.Profiles, "generic.xml")); err != nil || known {
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
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".xml") {
			if err := place(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
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
