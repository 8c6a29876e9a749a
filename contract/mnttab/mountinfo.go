package mnttab

import "bytes"

// mount is one line of /proc/PID/mountinfo, its fields as the kernel escaped them.
type mount struct {
	id, device, root, point []byte
	options                 []byte
	fstype, special, super  []byte
}

// parseMountinfo reads one line without its end: id, parent, major:minor, root, mount point,
// options, any number of tags, a hyphen, type, source, options of the file system (proc(5)).
func parseMountinfo(line []byte) (m mount, err error) {
	var parent, field []byte
	for _, f := range []*[]byte{&m.id, &parent, &m.device, &m.root, &m.point, &m.options} {
		if *f, line, err = nextField(line); err != nil {
			return m, err
		}
	}
	for !bytes.Equal(field, hyphen) {
		if field, line, err = nextField(line); err != nil {
			return m, err
		}
	}
	if m.fstype, line, err = nextField(line); err != nil {
		return m, err
	}
	// A source may hold blanks that its file system does not escape: the last field is the
	// options.
	last := bytes.LastIndexByte(line, ' ')
	if last < 0 {
		return m, ErrMountinfo
	}
	m.special, m.super = line[:last], line[last+1:]
	return m, nil
}

var hyphen = []byte{'-'}

func nextField(line []byte) (field, rest []byte, err error) {
	i := bytes.IndexByte(line, ' ')
	if i < 0 {
		return nil, nil, ErrMountinfo
	}
	return line[:i], line[i+1:], nil
}

// number reads a decimal number.
func number(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(b) > 0
}

// key names a mount for as long as it lasts, wherever in its namespace it is moved: its id,
// which may be used again, and what it is of.
func (m *mount) key(ns uint64) uint64 {
	h := uint64(fnvOffset) ^ ns
	for _, f := range [][]byte{m.id, m.device, m.root, m.fstype, m.special} {
		h = hash(h, f)
		h = (h ^ 0xff) * fnvPrime // no byte of a field that is text
	}
	if h == 0 {
		return 1 // 0 stands for nothing
	}
	return h
}

// FNV-1a. It is kept in memory over a restart, so it must be the same in every process.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hash(h uint64, p []byte) uint64 {
	for _, c := range p {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}
