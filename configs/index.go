package configs

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// indexBytesMax and indexLinesMax bound what is read: 8191 is the original's limit
	// of zones on a host, a line holds a path of at most 4096 bytes.
	indexBytesMax = 8 << 20
	indexLinesMax = 16384
	// xmlBytesMax bounds one configuration.
	xmlBytesMax = 1 << 20
)

const indexHead = "# Zones of this host, one line each: name:state:zonepath:uuid\n" +
	"# Written by zonecfg and zoneadm. Comments are kept.\n"

// indexLine is a zone, or text that is kept as it is.
type indexLine struct {
	text  string // for comments and empty lines
	entry Entry  // entry.Name is empty for text
}

// index is the decoded index file.
type index struct{ lines []indexLine }

// find gives the place of a zone, or -1.
func (x *index) find(name string) int {
	for i := range x.lines {
		if name != "" && x.lines[i].entry.Name == name {
			return i
		}
	}
	return -1
}

// entries lists the zones in the file's order, the host not among them.
func (x *index) entries() []Entry {
	out := make([]Entry, 0, len(x.lines))
	for i := range x.lines {
		if e := x.lines[i].entry; e.Name != "" && e.Name != GlobalName {
			out = append(out, e)
		}
	}
	return out
}

// put replaces the entry of that name or adds it at the end.
func (x *index) put(name string, e Entry) {
	if i := x.find(name); i >= 0 {
		x.lines[i].entry = e
		return
	}
	x.lines = append(x.lines, indexLine{entry: e})
}

// drop removes a zone's line.
func (x *index) drop(name string) {
	if i := x.find(name); i >= 0 {
		x.lines = append(x.lines[:i], x.lines[i+1:]...)
	}
}

// newIndex is the index of a host without zones.
func newIndex() *index {
	x := &index{}
	for l := range strings.Lines(indexHead) {
		x.lines = append(x.lines, indexLine{text: strings.TrimSuffix(l, "\n")})
	}
	x.put(GlobalName, Entry{Name: GlobalName, State: Installed, Path: "/"})
	return x
}

// decodeIndex reads an index. It refuses what it does not understand, with the line: a
// line that were skipped would be lost at the next write.
func decodeIndex(file string, data []byte) (*index, error) {
	if len(data) > indexBytesMax {
		return nil, &FormatError{file, 0, fmt.Sprintf("larger than %d bytes", indexBytesMax)}
	}
	x := &index{}
	seen := make(map[string]bool)
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if n > indexLinesMax {
			return nil, &FormatError{file, n, fmt.Sprintf("more than %d lines", indexLinesMax)}
		}
		text := strings.TrimSuffix(string(line), "\n")
		if t := strings.TrimSpace(text); t == "" || t[0] == '#' {
			x.lines = append(x.lines, indexLine{text: text})
			continue
		}
		e, err := parseIndexLine(text)
		if err != nil {
			return nil, &FormatError{file, n, err.Error()}
		}
		if seen[e.Name] {
			return nil, &FormatError{file, n, fmt.Sprintf("zone %q is listed twice", e.Name)}
		}
		seen[e.Name] = true
		x.lines = append(x.lines, indexLine{entry: e})
	}
	return x, nil
}

// parseIndexLine splits name:state:zonepath[:uuid]. A path with a colon is in double
// quotes, as in the original's getzoneent.
func parseIndexLine(text string) (Entry, error) {
	var e Entry
	name, rest, ok := strings.Cut(text, ":")
	if !ok {
		return e, fmt.Errorf("want name:state:zonepath:uuid")
	}
	if name != GlobalName {
		if err := CheckName(name); err != nil {
			return e, err
		}
	}
	state, rest, ok := strings.Cut(rest, ":")
	if !ok {
		return e, fmt.Errorf("zonepath missing, want name:state:zonepath:uuid")
	}
	st, err := ParseState(state)
	if err != nil || st > Installed {
		return e, fmt.Errorf("state %q, allowed are configured, incomplete, installed", state)
	}
	path, uuid := rest, ""
	if strings.HasPrefix(rest, `"`) {
		path, rest, ok = strings.Cut(rest[1:], `"`)
		if !ok {
			return e, fmt.Errorf("zonepath lacks its closing quote")
		}
		if rest != "" {
			if uuid, ok = strings.CutPrefix(rest, ":"); !ok {
				return e, fmt.Errorf("text after the quoted zonepath")
			}
		}
	} else {
		path, uuid, _ = strings.Cut(rest, ":")
	}
	if uuid != "" && !validUUID(uuid) {
		return e, fmt.Errorf("%q is not a uuid", uuid)
	}
	if !indexable(path) {
		return e, fmt.Errorf("zonepath %q is not an absolute path of printable text", path)
	}
	return Entry{Name: name, State: st, Path: path, UUID: uuid}, nil
}

// indexable says whether a path can stand in the index: empty (a zone whose template
// has none), or absolute, without quotes and control characters.
func indexable(path string) bool {
	if path == "" {
		return true
	}
	return path[0] == '/' && len(path) < pathBytesMax && utf8.ValidString(path) &&
		!strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' })
}

// encode is the inverse of decodeIndex.
func (x *index) encode() []byte {
	var b bytes.Buffer
	for _, l := range x.lines {
		if l.entry.Name == "" {
			b.WriteString(l.text)
			b.WriteByte('\n')
			continue
		}
		path := l.entry.Path
		if strings.Contains(path, ":") {
			path = `"` + path + `"`
		}
		fmt.Fprintf(&b, "%s:%s:%s:%s\n", l.entry.Name, l.entry.State, path, l.entry.UUID)
	}
	return b.Bytes()
}

// validUUID accepts the 36 characters of RFC 9562's text form.
func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
