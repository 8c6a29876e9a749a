package account

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	// lineBytesMax: a group of some thousand members has a line this long.
	lineBytesMax = 64 << 10
	// groupsMax is what setgroups(2) takes at most, NGROUPS_MAX, less the user's own group.
	groupsMax = 65536 - 1
	// idMax leaves out -1, which means "unchanged" to setuid(2).
	idMax = 1<<32 - 2
)

// User is one line of /etc/passwd and what belongs to it in /etc/group.
type User struct {
	Name   string
	UID    uint32
	GID    uint32
	Home   string
	Shell  string
	Groups []uint32 // supplementary, GID not among them
}

// tally counts the lines that were not understood.
type tally struct {
	skipped int
	first   int // line number
}

func (t *tally) skip(line int) {
	if t.skipped == 0 {
		t.first = line
	}
	t.skipped++
}

// eachLine gives the fields of each line that has n of them, until use wants no more.
func eachLine(data []byte, n int, use func(fields []string) (valid, more bool)) tally {
	var t tally
	for line := 1; len(data) > 0; line++ {
		text, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if len(text) > lineBytesMax || bytes.IndexByte(text, 0) >= 0 {
			t.skip(line)
			continue
		}
		fields := strings.Split(string(text), ":")
		// "+" and "-" lines are NIS's: there is no such user in the file.
		if len(fields) != n || fields[0] == "" || fields[0][0] == '+' || fields[0][0] == '-' {
			t.skip(line)
			continue
		}
		valid, more := use(fields)
		if !valid {
			t.skip(line)
		}
		if !more {
			break
		}
	}
	return t
}

// findUser takes the first line that matches, as getpwnam(3) does.
func findUser(passwd []byte, match func(*User) bool) (*User, tally) {
	var found *User
	t := eachLine(passwd, 7, func(f []string) (valid, more bool) {
		uid, okUID := parseID(f[2])
		gid, okGID := parseID(f[3])
		if !okUID || !okGID {
			return false, true
		}
		u := &User{Name: f[0], UID: uid, GID: gid, Home: f[5], Shell: f[6]}
		if match(u) {
			found = u
		}
		return true, found == nil
	})
	return found, t
}

// memberships lists the groups that name a user, at most groupsMax of them.
func memberships(group []byte, name string, primary uint32) []uint32 {
	var list []uint32
	seen := map[uint32]bool{primary: true}
	eachLine(group, 4, func(f []string) (valid, more bool) {
		gid, ok := parseID(f[2])
		if !ok {
			return false, true
		}
		if seen[gid] || !names(f[3], name) {
			return true, true
		}
		seen[gid] = true
		list = append(list, gid)
		return true, len(list) < groupsMax
	})
	return list
}

func names(members, name string) bool {
	for member := range strings.SplitSeq(members, ",") {
		if member == name {
			return true
		}
	}
	return false
}

// findGroup is the id of a group's name.
func findGroup(group []byte, name string) (gid uint32, ok bool) {
	eachLine(group, 4, func(f []string) (valid, more bool) {
		id, isID := parseID(f[2])
		if !isID {
			return false, true
		}
		if f[0] == name {
			gid, ok = id, true
		}
		return true, !ok
	})
	return gid, ok
}

// parseID takes plain decimal digits: no sign, no spaces.
func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n <= idMax
}
