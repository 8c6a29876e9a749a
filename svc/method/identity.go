package method

import (
	"bytes"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/zonefile"
)

const (
	// idMax leaves out -1, which is "unchanged" to setresuid(2).
	idMax = 1<<32 - 2
	// groupsMax is NGROUPS_MAX, less the user's own group.
	groupsMax = 1<<16 - 1
	// groupFileBytesMax is what package account reads of a file of groups.
	groupFileBytesMax = 16 << 20
)

// unknown is the error of a look-up: who is not there is a mistake of the configuration, a file
// that cannot be read may be readable the next time.
func unknown(text string, err error) error {
	if errors.Is(err, account.ErrUnknown) || errors.Is(err, fs.ErrNotExist) {
		return invalid(text, printable.Cut(err.Error(), textBytesMax))
	}
	return failed(text, err)
}

// identity reads who the method is: by profile, by user, or root.
func (r *reading) identity() error {
	p := r.property("use_profile")
	if p == nil {
		// The original runs the method as root then, whatever user is written there.
		if r.property("user") == nil {
			return nil
		}
		return r.ids()
	}
	switch {
	case p.Type != prop.Boolean:
		return invalid(`"use profile" property is not boolean`, "")
	case len(p.Values) > 1:
		return invalid(`"use profile" property has multiple values`, "")
	case len(p.Values) == 0:
		return invalid(`"use profile" property has no values`, "")
	case p.Values[0] == "true":
		return r.profile()
	}
	return r.ids()
}

// ids reads user, groups and privileges.
func (r *reading) ids() error {
	who, err := r.word("user", "", "user")
	if err != nil {
		return err
	}
	if who == "" {
		return invalid("Could not get user property", "there is none, and use_profile is false")
	}
	if r.c.UID, err = r.uid(who, "Could not interpret user property"); err != nil {
		return err
	}
	which, err := r.word("group", byDefault, "group")
	if err != nil {
		return err
	}
	if which == byDefault {
		u, err := r.entry()
		if err != nil {
			return err
		}
		r.c.GID = u.GID
	} else if r.c.GID, err = r.gid(which, "Could not interpret group property"); err != nil {
		return err
	}
	if err := r.supplementary(); err != nil {
		return err
	}
	return r.privileges()
}

// uid reads a user: a name, or a number, which need not be anybody's.
func (r *reading) uid(who, text string) (uint32, error) {
	if id, is, ok := number32(who); is {
		if !ok {
			return 0, invalid(text, quoted(who)+" is no uid")
		}
		return id, nil
	}
	u, err := r.host.Accounts.Lookup(who)
	if err != nil {
		return 0, unknown(text, err)
	}
	r.user = u
	return u.UID, nil
}

// gid reads a group, likewise.
func (r *reading) gid(which, text string) (uint32, error) {
	if id, is, ok := number32(which); is {
		if !ok {
			return 0, invalid(text, quoted(which)+" is no gid")
		}
		return id, nil
	}
	id, ok := r.host.Accounts.GroupID(which)
	if !ok {
		return 0, invalid(text, "unknown group "+quoted(which))
	}
	return id, nil
}

// number32 reads a user or group that begins with a digit. Blanks may follow.
func number32(text string) (id uint32, is, ok bool) {
	if text == "" || text[0] < '0' || text[0] > '9' {
		return 0, false, false
	}
	n, err := strconv.ParseUint(strings.TrimRight(text, " \t"), 10, 32)
	return uint32(n), true, err == nil && n <= idMax
}

// supplementary reads supp_groups: a list, or those of the user's that /etc/group says.
func (r *reading) supplementary() error {
	list, err := r.word("supp_groups", byDefault, "supplemental groups")
	if err != nil {
		return err
	}
	r.c.SetGroups, r.c.Groups = true, nil
	if list == byDefault {
		u, err := r.entry()
		if err != nil {
			return err
		}
		r.c.Groups = r.host.initgroups(u, r.c.GID)
		return nil
	}
	for _, word := range groupWords(list) {
		id, err := r.gid(word, "Could not interpret supplemental groups property")
		if err != nil {
			return err
		}
		if r.c.Groups = append(r.c.Groups, id); len(r.c.Groups) > groupsMax {
			return invalid("Too many supplemental groups", "")
		}
	}
	return nil
}

// groupWords takes a list apart: between two words are blanks, one comma, or both.
func groupWords(list string) (words []string) {
	for rest := strings.TrimLeft(list, " \t"); rest != ""; {
		n := strings.IndexAny(rest, ", \t")
		if n < 0 {
			n = len(rest)
		}
		words = append(words, rest[:n]) // empty between two commas: it is no group
		rest = strings.TrimLeft(rest[n:], " \t")
		rest = strings.TrimLeft(strings.TrimPrefix(rest, ","), " \t")
	}
	return words
}

// initgroups are the groups of a user that has gid as its own, as initgroups(3C) sets them.
func (h *Host) initgroups(u *account.User, gid uint32) []uint32 {
	groups := []uint32{gid}
	add := func(id uint32) {
		for _, g := range groups {
			if g == id {
				return
			}
		}
		groups = append(groups, id)
	}
	if gid != u.GID && h.member(u.Name, u.GID) {
		add(u.GID)
	}
	for _, id := range u.Groups {
		if len(groups) == groupsMax {
			break
		}
		add(id)
	}
	return groups
}

// member says whether the file of groups names a user as a member of a group; package account
// leaves that out for the user's own group.
func (h *Host) member(user string, gid uint32) bool {
	data, err := zonefile.Read(h.Accounts.Group, groupFileBytesMax)
	if err != nil {
		return false
	}
	id := strconv.FormatUint(uint64(gid), 10)
	for line := range bytes.Lines(data) {
		f := strings.Split(strings.TrimSuffix(string(line), "\n"), ":")
		if len(f) != 4 || f[2] != id {
			continue
		}
		for name := range strings.SplitSeq(f[3], ",") {
			if name == user {
				return true
			}
		}
	}
	return false
}
