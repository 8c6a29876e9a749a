package account

import (
	"errors"
	"os"
	"strconv"

	"github.com/linuxzones/zones/svc/zonefile"
)

// fileBytesMax: some 100,000 users.
const fileBytesMax = 16 << 20

// Files says where the users are; Zone is where a zone has them.
type Files struct{ Passwd, Group string }

// Zone are the files of the zone that this process is in.
var Zone = Files{Passwd: "/etc/passwd", Group: "/etc/group"}

// ErrUnknown means that no line of the file is this user's.
var ErrUnknown = errors.New("unknown user")

// rootless is who logs in where no /etc/passwd exists at all.
var rootless = User{Name: "root", Home: "/", Shell: "/bin/sh"}

// Lookup finds a user by name, or by number where no name matches.
func (f Files) Lookup(who string) (*User, error) {
	id, numeric := parseID(who)
	passwd, err := zonefile.Read(f.Passwd, fileBytesMax)
	if errors.Is(err, os.ErrNotExist) && (who == "root" || numeric && id == 0) {
		u := rootless
		return &u, nil
	}
	if err != nil {
		return nil, err
	}
	u, bad := findUser(passwd, func(u *User) bool { return u.Name == who })
	if u == nil && numeric {
		u, bad = findUser(passwd, func(u *User) bool { return u.UID == id })
	}
	if u == nil {
		return nil, &UnknownError{Who: who, File: f.Passwd, Skipped: bad.skipped, First: bad.first}
	}
	group, err := zonefile.Read(f.Group, fileBytesMax)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	u.Groups = memberships(group, u.Name, u.GID)
	return u, nil
}

// NameOf gives the first name of a uid. ErrUnknown.
func (f Files) NameOf(uid uint32) (string, error) {
	passwd, err := zonefile.Read(f.Passwd, fileBytesMax)
	if err != nil {
		return "", err
	}
	u, bad := findUser(passwd, func(u *User) bool { return u.UID == uid })
	if u == nil {
		who := strconv.FormatUint(uint64(uid), 10)
		return "", &UnknownError{Who: who, File: f.Passwd, Skipped: bad.skipped, First: bad.first}
	}
	return u.Name, nil
}

// UnknownError says who is unknown, and whether the file itself may be to blame.
type UnknownError struct {
	Who     string
	File    string
	Skipped int // lines that make no sense
	First   int // the first of them
}

func (e *UnknownError) Error() string {
	text := "unknown user '" + Printable(e.Who) + "'"
	if e.Skipped > 0 {
		text += " (" + strconv.Itoa(e.Skipped) + " lines of " + e.File +
			" make no sense, the first is line " + strconv.Itoa(e.First) + ")"
	}
	return text
}

// Is makes it an ErrUnknown.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknown }

// GroupID finds a group by name.
func (f Files) GroupID(name string) (uint32, bool) {
	group, err := zonefile.Read(f.Group, fileBytesMax)
	if err != nil {
		return 0, false
	}
	return findGroup(group, name)
}

// printableMax is enough of a name to recognise it.
const printableMax = 64

// Printable is a name as it may be shown on a terminal: what could be an escape sequence is
// not shown.
func Printable(s string) string {
	out := []byte(s[:min(len(s), printableMax)])
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}
