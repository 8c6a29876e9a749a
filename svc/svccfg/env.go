package svccfg

import (
	"io"

	"github.com/linuxzones/zones/svc/repo/door"
)

// Env is what the program gives svccfg.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	// Open finds the repository that is served.
	Open func() (door.Store, error)
	// Zone finds that of a zone: -z. nil within zones.
	Zone func(name string) (door.Store, error)
	// OpenFile opens a repository that nobody serves: svccfg repository.
	OpenFile func(path string) (door.Store, error)
	// File is a repository to open from the start: SVCCFG_REPOSITORY. Empty: the one that is
	// served.
	File string
	// Terminal takes over the terminal that a person sits at, and completes words there; nil when In
	// is none.
	Terminal func(complete func(line string) (keep string, words []string)) Terminal
	// Edit has a person edit a file, with $EDITOR or vi; nil when there is nobody.
	Edit func(path string) error
	// Bundles does what manifests, profiles and archives say.
	Bundles Bundles
}

// Bundles is what commands need of the importer.
type Bundles interface {
	// Import imports a manifest, or all manifests below a directory.
	Import(s door.Store, path string, o ImportOptions) ([]Note, error)
	// Apply applies a profile, or tells with look what it would do.
	Apply(s door.Store, path string, look bool) ([]Note, error)
	// Restore takes over an archive.
	Restore(s door.Store, path string) ([]Note, error)
	// Forget makes the next import take a manifest for a new one. gone: there need be no such file.
	Forget(s door.Store, path string, gone bool) ([]Note, error)
	// Cleanup takes away what only files describe that are gone. all: whatever is tracked.
	Cleanup(s door.Store, all bool) ([]Note, error)
}

// ImportOptions are those of svccfg import.
type ImportOptions struct {
	Strict bool   // -V: what breaks a template is an error
	Out    string // -p: the file for what is wrong; empty: none
}

// Note is a line that a person should read, or with Verbose one for -v alone. Without Verbose it is
// about something that was not done.
type Note struct {
	Text    string
	Verbose bool
}
