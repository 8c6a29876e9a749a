package contract

import (
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Project is a project of the zone's (project(4)) as far as it bounds what its processes take
// together, whatever contracts they are in. 0 stands for no bound.
type Project struct {
	ID   uint32 // at most ProjectMax; it is what makes projects the same
	Name string // to be shown, at most ProjectNameMax bytes; see ValidProjectName
	// Processes is how many there may be at once, each thread counted.
	Processes uint64
	// Memory is bytes, of pages and of what the kernel keeps for them.
	Memory uint64
	// Weight is the share of busy processors, from 1 to WeightMax, beside 100 of others.
	Weight uint32
	// Percent is the most processor time, 100 for one processor; at most PercentMax.
	Percent uint64
}

// Bounds of what a project says.
const (
	ProjectMax     = math.MaxInt32
	ProjectNameMax = 64      // the original's
	PoolNameMax    = 63      // a name of the zone's configuration
	ProcessesMax   = 4 << 20 // the kernel's pids
	WeightMax      = 10000
	PercentMax     = math.MaxUint32
	MemoryMin      = 64 << 10 // with less not even a shell would come to be
	MemoryMax      = 1 << 60
)

// Within is what a contract counts in besides itself. What is not said is as with the contract that
// its maker lives in.
type Within struct {
	Project *Project
	// Pool names a set of processors that the zone's configuration has.
	Pool string
}

// Empty says whether nothing is said.
func (w Within) Empty() bool { return w.Project == nil && w.Pool == "" }

// withinWord is one word of its text.
type withinWord struct {
	key      string
	min, max uint64
	number   func(*Project) *uint64
}

var withinWords = []withinWord{
	{"processes", 1, ProcessesMax, func(p *Project) *uint64 { return &p.Processes }},
	{"memory", MemoryMin, MemoryMax, func(p *Project) *uint64 { return &p.Memory }},
	{"percent", 1, PercentMax, func(p *Project) *uint64 { return &p.Percent }},
}

// AppendWithin adds the words, each with a space before it, that a line which activates a template
// ends with: project=ID name=NAME processes=N memory=BYTES percent=N weight=N pool=NAME. Those that
// say nothing are not there.
func AppendWithin(b []byte, w Within) []byte {
	number := func(key string, n uint64) { b = strconv.AppendUint(append(append(append(b, ' '), key...), '='), n, 10) }
	if p := w.Project; p != nil {
		number("project", uint64(p.ID))
		b = append(append(b, " name="...), p.Name...)
		for _, f := range withinWords {
			if n := *f.number(p); n != 0 {
				number(f.key, n)
			}
		}
		if p.Weight != 0 {
			number("weight", uint64(p.Weight))
		}
	}
	if w.Pool != "" {
		b = append(append(b, " pool="...), w.Pool...)
	}
	return b
}

// ParseWithin understands these words in any order, each at most once; what is a project's wants its
// number and its name.
func ParseWithin(words []string) (Within, error) {
	var w Within
	var p Project
	seen := map[string]bool{}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if seen[key] || !w.take(&p, key, value) {
			return Within{}, ErrText
		}
		seen[key] = true
	}
	isProject := len(seen) > 1 || len(seen) == 1 && w.Pool == ""
	if isProject && (!seen["project"] || !seen["name"]) {
		return Within{}, ErrText
	}
	if isProject {
		w.Project = &p
	}
	return w, nil
}

// take takes one word.
func (w *Within) take(p *Project, key, value string) bool {
	switch key {
	case "project":
		n, ok := withinNumber(value, 0, ProjectMax)
		p.ID = uint32(n)
		return ok
	case "name":
		p.Name = value
		return ValidProjectName(value)
	case "weight":
		n, ok := withinNumber(value, 1, WeightMax)
		p.Weight = uint32(n)
		return ok
	case "pool":
		w.Pool = value
		return ValidPoolName(value)
	}
	for _, f := range withinWords {
		if f.key == key {
			n, ok := withinNumber(value, f.min, f.max)
			*f.number(p) = n
			return ok
		}
	}
	return false
}

// withinNumber reads a decimal number without zeros before it.
func withinNumber(text string, least, most uint64) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && least <= n && n <= most && strconv.FormatUint(n, 10) == text
}

// ValidProjectName says whether a project can be called so, as project(4) has it: a letter, then
// letters, digits, '_', '-' and '.'.
func ValidProjectName(name string) bool {
	return len(name) <= ProjectNameMax && validName(name) && !isDigit(name[0])
}

// ValidPoolName says whether a pool can be called so: the same, and a digit may be first.
func ValidPoolName(name string) bool { return len(name) <= PoolNameMax && validName(name) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func validName(name string) bool {
	for n := range len(name) {
		c := name[n]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
		if !letter && (n == 0 || c != '_' && c != '-' && c != '.') {
			return false
		}
	}
	return name != ""
}

// withinError is why a contract cannot count in what was asked for: ErrWithin and the errno.
type withinError struct {
	w     Within
	errno unix.Errno
}

func (e *withinError) Unwrap() []error { return []error{ErrWithin, e.errno} }

// Error is a line for a person: what is meant, and why not.
func (e *withinError) Error() string {
	project, pool := "", "pool "+e.w.Pool
	if e.w.Project != nil {
		project = "project " + e.w.Project.Name
	}
	switch e.errno {
	case unix.ENOENT:
		return pool + ": the zone's configuration has no such pool; the host's administrator can add it"
	case unix.ERANGE:
		return pool + ": its processors are not there"
	case unix.EDQUOT:
		return project + ": too many projects with limits have processes now"
	case unix.EOVERFLOW:
		return project + ": its processes have more memory already than it may have"
	case unix.EOPNOTSUPP:
		return strings.TrimPrefix(e.both(project), ", ") + ": the host has not all of the cgroup controllers that are needed, or keeps them from zones: " + e.controllers()
	}
	return strings.TrimPrefix(e.both(project), ", ") + ": only the zone's root can have it"
}

func (e *withinError) both(project string) string {
	if e.w.Pool != "" {
		return project + ", pool " + e.w.Pool
	}
	return project
}

// controllers are those that what was asked for needs.
func (e *withinError) controllers() string {
	var list []string
	add := func(needed bool, name string) {
		if needed {
			list = append(list, name)
		}
	}
	if p := e.w.Project; p != nil {
		add(p.Processes != 0, "pids")
		add(p.Memory != 0, "memory")
		add(p.Weight != 0 || p.Percent != 0, "cpu")
	}
	add(e.w.Pool != "", "cpuset")
	return strings.Join(list, ", ")
}

// refused says whether an errno is one of those.
func (w Within) refused(errno unix.Errno) bool {
	switch errno {
	case unix.ENOENT, unix.ERANGE, unix.EDQUOT, unix.EOVERFLOW, unix.EOPNOTSUPP, unix.EPERM:
		return !w.Empty()
	}
	return false
}
