package auth

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/zonefile"
)

// Limits. A full system has some hundred profiles in 50 kB.
const (
	// fileBytesMax is for one file.
	fileBytesMax = 1 << 20
	// fragmentsMax is for one directory.
	fragmentsMax = 256
	// wordsMax is how many authorizations one user can have.
	wordsMax = 1024
	// profilesMax is how many profiles one user can have, those of profiles among them.
	profilesMax = 256
)

// ErrLimit: a file, a directory, or what one user has is beyond its limit.
var ErrLimit = errors.New("too much in the files of authorizations")

// Files says where authorizations are. Of a directory every file counts but those whose name
// begins with a dot. An empty path, and a file that is not there, hold nothing.
type Files struct {
	Accounts              account.Files
	Users, UsersDir       string
	Profiles, ProfilesDir string
	Policy                string
}

// Zone are the files of the zone that this process is in.
var Zone = Files{
	Accounts: account.Zone,
	Users:    "/etc/user_attr", UsersDir: "/etc/user_attr.d",
	Profiles: "/etc/security/prof_attr", ProfilesDir: "/etc/security/prof_attr.d",
	Policy: "/etc/security/policy.conf",
}

// OfUID gives the authorizations of a user. A uid that has no name has those of everybody. An
// error comes with none.
func (f Files) OfUID(uid uint32) (Set, error) {
	name, err := f.Accounts.NameOf(uid)
	if err != nil && !errors.Is(err, account.ErrUnknown) && !errors.Is(err, fs.ErrNotExist) {
		return Set{}, err
	}
	users, err := readAll(f.Users, f.UsersDir)
	if err != nil {
		return Set{}, err
	}
	profiles, err := readAll(f.Profiles, f.ProfilesDir)
	if err != nil {
		return Set{}, err
	}
	policy, err := read(f.Policy)
	if err != nil {
		return Set{}, err
	}
	return resolve(name, users, profiles, policy)
}

// read gives a file's text; of one that is not there, nothing.
func read(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := zonefile.Read(path, fileBytesMax)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, zonefile.ErrTooLarge):
		return "", errors.Join(ErrLimit, err)
	}
	return string(b), err
}

// readAll gives the texts of a file and of a directory's.
func readAll(path, dir string) ([]string, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	names, err := fragments(dir)
	if err != nil {
		return nil, err
	}
	texts := []string{text}
	for _, name := range names {
		text, err := read(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// fragments gives the names of a directory's files, in their order.
func fragments(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	// Something else than a directory is refused without being waited for.
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(fragmentsMax + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(entries) > fragmentsMax {
		return nil, errors.Join(ErrLimit, errors.New(dir))
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
