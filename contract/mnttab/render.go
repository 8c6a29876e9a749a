package mnttab

import (
	"bytes"
	"strconv"
)

// Device numbers are printed as the original's 32-bit ones: 14 bits of major, 18 of minor.
// One that does not fit is printed as devTooLarge (mnttab(5)).
const (
	devMinorBits = 18
	devMajorMax  = 1<<14 - 1
	devMinorMax  = 1<<devMinorBits - 1
	devTooLarge  = 0x7fffffff
)

// renderer makes lines of the table.
type renderer struct {
	// zone is whose table it is; empty for a reader on the host, who is told everything.
	zone string
	ns   uint64 // the reader's mount namespace
	// firstSeen dates a mount.
	firstSeen func(key uint64) int64
}

// line appends the line of a mount. Fields stay as the kernel escaped them, which is how the
// table does; only a number sign, which it escapes everywhere, matters at a line's beginning
// alone, where readers of this format take it for a comment.
func (r *renderer) line(out []byte, m *mount) ([]byte, error) {
	device, err := deviceNumber(m.device)
	if err != nil {
		return out, err
	}
	special := m.special
	if r.zone != "" && len(special) > 0 && special[0] == '/' {
		special = m.point
	}
	out = appendField(out, special, true)
	out = append(out, '\t')
	out = appendField(out, m.point, false)
	out = append(out, '\t')
	out = appendField(out, m.fstype, false)
	out = append(out, '\t')
	out = r.appendOptions(out, m)
	if r.zone != "" {
		out = append(append(out, ",zone="...), r.zone...)
	}
	out = append(out, ",dev="...)
	out = strconv.AppendUint(out, device, 16)
	out = append(out, '\t')
	out = strconv.AppendInt(out, r.firstSeen(m.key(r.ns)), 10)
	return append(out, '\n'), nil
}

func deviceNumber(device []byte) (uint64, error) {
	first, second, found := bytes.Cut(device, []byte{':'})
	major, okMajor := number(first)
	minor, okMinor := number(second)
	switch {
	case !found || !okMajor || !okMinor:
		return 0, ErrMountinfo
	case major > devMajorMax || minor > devMinorMax:
		return devTooLarge, nil
	}
	return major<<devMinorBits | minor, nil
}

// appendField appends a field whose escapes are the kernel's. What the table does not escape is
// written as it is; a byte that looks like an escape and is none gets one.
func appendField(out, field []byte, begins bool) []byte {
	if len(field) == 0 {
		return append(out, '-')
	}
	if begins && field[0] == '#' {
		out, field, begins = append(out, `\043`...), field[1:], false
	}
	if bytes.IndexByte(field, '\\') < 0 && bytes.IndexByte(field, ' ') < 0 && bytes.IndexByte(field, '\t') < 0 {
		return append(out, field...)
	}
	for i := 0; i < len(field); i++ {
		c := field[i]
		first := begins && i == 0
		if c == '\\' {
			if value, ok := octal(field[i+1:]); ok {
				c, i = value, i+3
			}
		}
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\\' || c == '#' && first:
			out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			out = append(out, c)
		}
	}
	return out
}

// octal reads the three digits of an escape.
func octal(p []byte) (byte, bool) {
	if len(p) < 3 {
		return 0, false
	}
	n := 0
	for _, c := range p[:3] {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int(c-'0')
	}
	return byte(n), n < 256
}

// appendOptions joins the options of a mount and of its file system, each once. The file
// system is read-only when either is.
func (r *renderer) appendOptions(out []byte, m *mount) []byte {
	access := "rw"
	for _, list := range [][]byte{m.options, m.super} {
		for rest := list; len(rest) > 0; {
			var o []byte
			if o, rest, _ = bytes.Cut(rest, []byte{','}); string(o) == "ro" {
				access = "ro"
			}
		}
	}
	out = append(out, access...)
	hide := r.zone != "" && string(m.fstype) == "overlay"
	begin := len(out)
	for _, list := range [][]byte{m.options, m.super} {
		for rest := list; len(rest) > 0; {
			var o []byte
			o, rest, _ = bytes.Cut(rest, []byte{','})
			if len(o) == 0 || string(o) == "rw" || string(o) == "ro" || hide && isLayer(o) {
				continue
			}
			mark := len(out)
			out = appendField(append(out, ','), o, false)
			if contains(out[begin:mark], out[mark:]) {
				out = out[:mark]
			}
		}
	}
	return out
}

// contains says whether a list of options, each after a comma, has the option.
func contains(list, option []byte) bool {
	for {
		i := bytes.Index(list, option)
		if i < 0 {
			return false
		}
		if end := i + len(option); end == len(list) || list[end] == ',' {
			return true
		}
		list = list[i+1:]
	}
}

// isLayer knows the options of overlayfs that name paths of the host.
func isLayer(option []byte) bool {
	name, _, _ := bytes.Cut(option, []byte{'='})
	switch string(name) {
	case "lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir":
		return true
	}
	return false
}
