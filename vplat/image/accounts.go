package image

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// systemIDMax ends the accounts of the system; people's begin after it.
const systemIDMax = 999

// nobodyID is kept although it is above: it is the owner that is nobody's.
const nobodyID = 65534

// accounts are the users and groups of a sparse zone: those of the host's that software
// runs as, all locked. No person of the host is in them, by name or by group.
type accounts struct {
	users  []user
	groups []group
}

type user struct {
	name                 string
	uid, gid             int
	comment, home, shell string
}

type group struct {
	name    string
	gid     int
	members []string
}

// A zone has these in any case.
var (
	rootUser   = user{"root", 0, 0, "root", "/root", "/bin/sh"}
	nobodyUser = user{"nobody", nobodyID, nobodyID, "nobody", "/nonexistent", "/usr/sbin/nologin"}
)

// newAccounts takes what a zone needs from the host's passwd and group files.
func newAccounts(passwd, groupFile []byte) accounts {
	var a accounts
	names := map[string]bool{}
	for f := range fieldsOf(passwd, 7) {
		u, ok := parseUser(f)
		if !ok || names[u.name] || (u.uid == 0) != (u.name == rootUser.name) {
			continue
		}
		names[u.name] = true
		a.users = append(a.users, u)
	}
	if !names[rootUser.name] {
		a.users = slices.Insert(a.users, 0, rootUser)
		names[rootUser.name] = true
	}
	if !slices.ContainsFunc(a.users, func(u user) bool { return u.uid == nobodyID }) && !names[nobodyUser.name] {
		a.users = append(a.users, nobodyUser)
		names[nobodyUser.name] = true
	}
	a.addGroups(groupFile, names)
	return a
}

func (a *accounts) addGroups(groupFile []byte, users map[string]bool) {
	names := map[string]bool{}
	for f := range fieldsOf(groupFile, 4) {
		gid, ok := systemID(f[2])
		if !ok || !accountName(f[0]) || names[f[0]] {
			continue
		}
		names[f[0]] = true
		members := slices.DeleteFunc(strings.Split(f[3], ","), func(m string) bool { return !users[m] })
		a.groups = append(a.groups, group{f[0], gid, members})
	}
	for _, g := range []group{{"root", 0, nil}, {"nogroup", nobodyID, nil}} {
		if !slices.ContainsFunc(a.groups, func(h group) bool { return h.gid == g.gid }) && !names[g.name] {
			a.groups = append(a.groups, g)
		}
	}
}

// fieldsOf gives the lines of an account file that have the right number of fields.
func fieldsOf(file []byte, n int) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range bytes.Lines(file) {
			f := strings.Split(strings.TrimSuffix(string(line), "\n"), ":")
			if len(f) == n && !yield(f) {
				return
			}
		}
	}
}

func parseUser(f []string) (user, bool) {
	uid, ok := systemID(f[2])
	gid, err := strconv.Atoi(f[3])
	if !ok || err != nil || gid < 0 || gid > idMax || !accountName(f[0]) {
		return user{}, false
	}
	return user{f[0], uid, gid, f[4], f[5], f[6]}, true
}

func systemID(s string) (int, bool) {
	id, err := strconv.Atoi(s)
	return id, err == nil && (id >= 0 && id <= systemIDMax || id == nobodyID)
}

// accountName keeps out the "+" and "-" lines of NIS and whatever else is no name.
func accountName(s string) bool {
	if s == "" || s[0] == '-' || s[0] == '+' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$") == ""
}

// gid of a group, or 0 if the zone has none of that name.
func (a accounts) gid(name string) int {
	for _, g := range a.groups {
		if g.name == name {
			return g.gid
		}
	}
	return 0
}

func (a accounts) passwd() []byte {
	var b bytes.Buffer
	for _, u := range a.users {
		fmt.Fprintf(&b, "%s:x:%d:%d:%s:%s:%s\n", u.name, u.uid, u.gid, u.comment, u.home, u.shell)
	}
	return b.Bytes()
}

// shadow locks every account and leaves password ageing off.
func (a accounts) shadow() []byte {
	var b bytes.Buffer
	for _, u := range a.users {
		fmt.Fprintf(&b, "%s:*:::::::\n", u.name)
	}
	return b.Bytes()
}

func (a accounts) group() []byte {
	var b bytes.Buffer
	for _, g := range a.groups {
		fmt.Fprintf(&b, "%s:x:%d:%s\n", g.name, g.gid, strings.Join(g.members, ","))
	}
	return b.Bytes()
}

func (a accounts) gshadow() []byte {
	var b bytes.Buffer
	for _, g := range a.groups {
		fmt.Fprintf(&b, "%s:*::%s\n", g.name, strings.Join(g.members, ","))
	}
	return b.Bytes()
}
