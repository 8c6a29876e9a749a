package vplat

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mnttabMissing stands for a field that a mount has not.
const mnttabMissing = "-"

// Device numbers are printed as the original's 32-bit ones: 14 bits of major, 18 of minor.
// One that does not fit is printed as devTooLarge (mnttab(5)).
const (
	devMinorBits = 18
	devMajorMax  = 1<<14 - 1
	devMinorMax  = 1<<devMinorBits - 1
	devTooLarge  = 0x7fffffff
)

// RenderMnttab is MnttabAt for a table of mounts whose age is not known.
func RenderMnttab(mountinfo []byte, zone string) ([]byte, error) {
	return MnttabAt(mountinfo, zone, time.Unix(0, 0))
}

// MnttabAt renders the text of /etc/mnttab, as mnttab(5) describes it, from that of
// /proc/PID/mountinfo: a line a mount with special, mount point, type, options and time,
// separated by tabs, in the order of mountinfo. All mounts are dated mounted. An empty zone
// is the host.
//
// As in the original, a zone is not told what its file systems lie on outside: a special
// that is a path is replaced by the mount point, and the layers of an overlay are left out.
func MnttabAt(mountinfo []byte, zone string, mounted time.Time) ([]byte, error) {
	// A rendered line is about as long as the one it came from.
	out := make([]byte, 0, len(mountinfo)+len(mountinfo)/4)
	seconds := strconv.FormatInt(mounted.Unix(), 10)
	number := 0
	for line := range bytes.Lines(mountinfo) {
		number++
		m, err := parseMountinfo(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			return nil, fmt.Errorf("mountinfo line %d: %w", number, err)
		}
		if zone != "" {
			m.hideHost()
		}
		out = m.appendLine(out, zone, seconds)
	}
	return out, nil
}

// mountLine is what mnttab shows of a mount; fields are not escaped.
type mountLine struct {
	special, point, fstype string
	options                []string
	major, minor           uint64
}

// parseMountinfo reads one line: id, parent, major:minor, root, mount point, options,
// any number of tags, a hyphen, type, source, options of the file system (proc(5)).
func parseMountinfo(line string) (mountLine, error) {
	var m mountLine
	fields := strings.Split(line, " ")
	const tags = 6 // the index of the first optional field
	hyphen := -1
	for i := tags; i < len(fields); i++ {
		if fields[i] == "-" {
			hyphen = i
			break
		}
	}
	if hyphen < 0 || len(fields) < hyphen+4 {
		return m, fmt.Errorf("%.80q is not id, parent, device, root, mount point, options, tags, -, type, source, options", line)
	}
	major, minor, ok := strings.Cut(fields[2], ":")
	if !ok {
		return m, fmt.Errorf("device %.80q is not major:minor", fields[2])
	}
	var err error
	if m.major, err = strconv.ParseUint(major, 10, 32); err != nil {
		return m, fmt.Errorf("device %.80q is not major:minor", fields[2])
	}
	if m.minor, err = strconv.ParseUint(minor, 10, 32); err != nil {
		return m, fmt.Errorf("device %.80q is not major:minor", fields[2])
	}
	m.point, m.fstype = unescape(fields[4]), unescape(fields[hyphen+1])
	// A source may hold spaces that its file system does not escape (9p, fuse): the last
	// field is the options.
	m.special = unescape(strings.Join(fields[hyphen+2:len(fields)-1], " "))
	m.options = mergeOptions(unescape(fields[5]), unescape(fields[len(fields)-1]))
	return m, nil
}

// mergeOptions joins the options of a mount and of its file system. The file system is
// read-only when either is.
func mergeOptions(mount, super string) []string {
	access := "rw"
	var rest []string
	seen := map[string]bool{"": true, "rw": true, "ro": true}
	for _, o := range strings.Split(mount+","+super, ",") {
		if o == "ro" {
			access = "ro"
		}
		if !seen[o] {
			seen[o] = true
			rest = append(rest, o)
		}
	}
	return append([]string{access}, rest...)
}

// layerOptions are options of overlayfs that name paths of the host.
var layerOptions = []string{"lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir"}

func (m *mountLine) hideHost() {
	if strings.HasPrefix(m.special, "/") {
		m.special = m.point
	}
	if m.fstype != "overlay" {
		return
	}
	kept := m.options[:0]
	for _, o := range m.options {
		name, _, _ := strings.Cut(o, "=")
		if !slices.Contains(layerOptions, name) {
			kept = append(kept, o)
		}
	}
	m.options = kept
}

func (m *mountLine) appendLine(out []byte, zone, seconds string) []byte {
	for i, field := range []string{m.special, m.point, m.fstype} {
		if field == "" {
			field = mnttabMissing
		}
		// Readers of this format take a line that begins with # for a comment.
		if i == 0 && field[0] == '#' {
			out, field = append(out, `\043`...), field[1:]
		}
		out = append(appendEscaped(out, field), '\t')
	}
	out = appendEscaped(out, strings.Join(m.options, ","))
	if zone != "" {
		out = append(append(out, ",zone="...), zone...)
	}
	out = append(out, ",dev="...)
	out = strconv.AppendUint(out, m.device(), 16)
	out = append(append(out, '\t'), seconds...)
	return append(out, '\n')
}

func (m *mountLine) device() uint64 {
	if m.major > devMajorMax || m.minor > devMinorMax {
		return devTooLarge
	}
	return m.major<<devMinorBits | m.minor
}

// appendEscaped writes the four bytes that would end a field or a line as octal.
func appendEscaped(out []byte, field string) []byte {
	for i := range len(field) {
		switch c := field[i]; c {
		case ' ', '\t', '\n', '\\':
			out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			out = append(out, c)
		}
	}
	return out
}

// unescape turns the kernel's three-digit octal escapes into bytes.
func unescape(field string) string {
	if !strings.Contains(field, `\`) {
		return field
	}
	out := make([]byte, 0, len(field))
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+3 < len(field) {
			if c, err := strconv.ParseUint(field[i+1:i+4], 8, 8); err == nil {
				out = append(out, byte(c))
				i += 3
				continue
			}
		}
		out = append(out, field[i])
	}
	return string(out)
}
