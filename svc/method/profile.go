package method

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/zonefile"
)

// Limits of the files of profiles. A full system has some hundred lines in 50 kB.
const (
	profileBytesMax = 1 << 20
	fragmentsMax    = 256
)

// Profiles says where the execution profiles of exec_attr(5) are: a file, and a directory of which
// every file counts but those whose name begins with a dot. What is not there holds nothing.
type Profiles struct{ File, Dir string }

// ZoneProfiles are those of the zone that this process is in.
var ZoneProfiles = Profiles{File: "/etc/security/exec_attr", Dir: "/etc/security/exec_attr.d"}

var errFragments = errors.New("too many files")

// texts reads all files.
func (p Profiles) texts() ([][]byte, error) {
	paths := []string{p.File}
	d, err := os.Open(p.Dir)
	if err == nil {
		defer d.Close()
		names, err := d.Readdirnames(fragmentsMax + 1)
		switch {
		case err != nil && err != io.EOF:
			return nil, err
		case len(names) > fragmentsMax:
			return nil, &fs.PathError{Op: "read", Path: p.Dir, Err: errFragments}
		}
		slices.Sort(names)
		for _, name := range names {
			if name[0] != '.' {
				paths = append(paths, p.Dir+"/"+name)
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var texts [][]byte
	for _, path := range paths {
		text, err := zonefile.Read(path, profileBytesMax)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// attributes are those of a command in a profile.
type attributes map[string]string

// attributesOf looks for a command: the line that names it exactly, or else the nearest directory with a
// '*', or "*". Of several lines the first one counts.
func attributesOf(texts [][]byte, profile, command string) (attributes, bool) {
	for _, id := range ids(command) {
		for _, text := range texts {
			for line := range logicalLines(string(text)) {
				f := fields(line, ':')
				if len(f) == 7 && f[0] == profile && f[2] == "cmd" && f[5] == id {
					return parseAttributes(f[6]), true
				}
			}
		}
	}
	return nil, false
}

// ids are the words that stand for a command, the nearest first.
func ids(command string) []string {
	list := []string{command}
	for dir := command; ; {
		n := strings.LastIndexByte(dir, '/')
		if n < 0 {
			break
		}
		dir = dir[:n]
		list = append(list, dir+"/*")
	}
	return append(list, "*")
}

// logicalLines gives the lines; one that ends with a '\' goes on in the next, and one that begins
// with a '#' is a comment.
func logicalLines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		joined := ""
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if more, is := strings.CutSuffix(line, `\`); is {
				joined += more
				continue
			}
			line, joined = joined+line, ""
			if line == "" || line[0] == '#' {
				continue
			}
			if !yield(line) {
				return
			}
		}
	}
}

// fields takes text apart at each separator that has no '\' before it, and leaves the '\' of others
// where they are.
func fields(text string, separator byte) []string {
	var list []string
	begin := 0
	for n := 0; n < len(text); n++ {
		switch text[n] {
		case '\\':
			n++
		case separator:
			list = append(list, text[begin:n])
			begin = n + 1
		}
	}
	return append(list, text[begin:])
}

// unescaped is text without the '\' before other characters.
func unescaped(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	b := make([]byte, 0, len(text))
	for n := 0; n < len(text); n++ {
		if text[n] == '\\' && n+1 < len(text) {
			n++
		}
		b = append(b, text[n])
	}
	return string(b)
}

func parseAttributes(text string) attributes {
	a := attributes{}
	for _, pair := range fields(text, ';') {
		key, value, is := strings.Cut(pair, "=")
		if _, has := a[key]; is && !has {
			a[key] = unescaped(value)
		}
	}
	return a
}

// profile takes user, group and both sets of privileges from an execution profile.
func (r *reading) profile() error {
	which, err := r.word("profile", "", "profile")
	if err != nil {
		return err
	}
	if which == "" {
		return invalid("Could not get profile property", "there is none, and use_profile is true")
	}
	command := r.command
	if n := strings.IndexAny(command, " \t"); n >= 0 {
		command = command[:n]
	}
	texts, err := r.host.Profiles.texts()
	if err != nil {
		return failed("Could not find profile", err)
	}
	a, found := attributesOf(texts, which, command)
	if !found {
		return invalid("Could not find profile", r.host.Profiles.File+" has no line of "+quoted(which)+" for "+quoted(command))
	}
	if err := r.profileUser(a); err != nil {
		return err
	}
	if err := r.profileGroup(a); err != nil {
		return err
	}
	r.c.SetGroups = true
	for _, v := range []struct {
		key string
		to  **Privileges
	}{{"limitprivs", &r.c.Limit}, {"privs", &r.c.Privileges}} {
		list, has := a[v.key]
		if !has {
			continue
		}
		if *v.to, err = r.privilegeSet(v.key, list, "Could not interpret profile "+v.key); err != nil {
			return err
		}
	}
	return nil
}

// profileUser takes the user. A shell gives up an effective user that is not the real one, so that
// euid is both, as uid is; uid counts where both are given, as in the original.
func (r *reading) profileUser(a attributes) (err error) {
	for _, key := range []string{"euid", "uid"} {
		v, has := a[key]
		if !has {
			continue
		}
		r.user = nil // the entry is that of the last one
		if r.c.UID, err = r.uid(v, "Could not interpret profile "+key); err != nil {
			return err
		}
	}
	return nil
}

// profileGroup takes the group, egid before gid; without any it is the user's.
func (r *reading) profileGroup(a attributes) (err error) {
	given := false
	for _, key := range []string{"gid", "egid"} {
		v, has := a[key]
		if !has {
			continue
		}
		given = true
		if r.c.GID, err = r.gid(v, "Could not interpret profile "+key); err != nil {
			return err
		}
	}
	if given || r.c.UID == 0 {
		return nil
	}
	u, err := r.entry()
	if err != nil {
		return err
	}
	r.c.GID = u.GID
	return nil
}
