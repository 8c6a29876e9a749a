package method

import (
	"bytes"
	"errors"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/zonefile"
)

// Projects are lines of /etc/project (project(4)): NAME:ID:COMMENT:USERS:GROUPS:ATTRIBUTES. Of what one
// controls, the limits of each process are resource limits here (below), and what the project may take
// as a whole is the kernel's to hold: whole.go. Whether the user is a member is not asked: it is
// svc.startd, root, who enters it.

// projectsBytesMax bounds /etc/project, limitsMax what one project controls.
const (
	projectsBytesMax = 1 << 20
	limitsMax        = 64
)

// Limit is a limit of setrlimit(2). What is not set stays, as far as the other leaves it.
type Limit struct {
	Resource         uint8
	SetSoft, SetHard bool
	Soft, Hard       uint64
}

// limitOf is the resource of a control of processes.
var limitOf = map[string]uint8{
	"process.max-address-space":   unix.RLIMIT_AS,
	"process.max-core-size":       unix.RLIMIT_CORE,
	"process.max-cpu-time":        unix.RLIMIT_CPU,
	"process.max-data-size":       unix.RLIMIT_DATA,
	"process.max-file-descriptor": unix.RLIMIT_NOFILE,
	"process.max-file-size":       unix.RLIMIT_FSIZE,
	"process.max-stack-size":      unix.RLIMIT_STACK,
}

// project reads the project, and the limits that it has.
func (r *reading) project() error {
	v, err := r.word("project", byDefault, "project")
	if err != nil {
		return err
	}
	id := uint64(math.MaxUint64) // of none
	if v != byDefault {
		switch n, err := strconv.ParseUint(strings.TrimRight(v, " \t"), 10, 64); {
		case v == "":
			return invalid("Project ID is invalid", "it is empty")
		case v[0] < '0' || v[0] > '9':
		case err != nil && !errors.Is(err, strconv.ErrRange):
			return invalid("Project ID is invalid", quoted(v))
		case err != nil || n > math.MaxInt32:
			return invalid("Project ID too big", quoted(v))
		default:
			id = n
		}
	}
	text, err := zonefile.Read(r.host.Projects, projectsBytesMax)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return invalid("Could not read "+r.host.Projects, err.Error())
	}
	if v == byDefault {
		return r.projectOf(text)
	}
	p, ok := findProject(text, func(f []string) bool { return f[0] == v || id <= math.MaxInt32 && f[1] == strconv.FormatUint(id, 10) })
	if !ok && everywhere[v] {
		return nil
	}
	if !ok {
		return invalid("Project "+quoted(v)+" not found", "it is none of "+r.host.Projects)
	}
	return r.enter(p)
}

// everywhere are the projects that every system of the original has, by name and number, and that bound
// nothing unless /etc/project says so. A zone need not have that file.
var everywhere = map[string]bool{
	"system": true, "user.root": true, "noproject": true, "default": true, "group.staff": true,
	"0": true, "1": true, "2": true, "3": true, "10": true,
}

// projectOf enters the user's own project: user.NAME, or else default.
func (r *reading) projectOf(text []byte) error {
	names := []string{"default"}
	if r.user != nil {
		names = []string{"user." + r.user.Name, "default"}
	}
	for _, name := range names {
		if p, ok := findProject(text, func(f []string) bool { return f[0] == name }); ok {
			return r.enter(p)
		}
	}
	return nil
}

// findProject is the first project that is meant. A line that is none is not looked at.
func findProject(text []byte, meant func(fields []string) bool) ([]string, bool) {
	for line := range bytes.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(string(line), "\n"), ":", 6)
		if len(f) == 6 && f[0] != "" && f[0][0] != '#' && meant(f) {
			return f, true
		}
	}
	return nil, false
}

// enter takes the limits of a project.
func (r *reading) enter(p []string) error {
	name := "project " + quoted(p[0])
	n := 0
	w := whole{name: name}
	for attr := range strings.SplitSeq(p[5], ";") {
		key, value, _ := strings.Cut(strings.Trim(attr, " \t"), "=")
		if key == "" {
			continue
		}
		if n++; n > limitsMax {
			return invalid(name, "it has more than "+strconv.Itoa(limitsMax)+" attributes")
		}
		resource, known := limitOf[key]
		if !known {
			if err := w.take(r, key, value); err != nil {
				return invalid(name, key+" is "+quoted(value)+": "+err.Error())
			}
			continue
		}
		l, signals, err := parseLimit(value)
		if err != nil {
			return invalid(name, key+" is "+quoted(value)+": "+err.Error())
		}
		if signals {
			r.notice(name + ": " + key + " sends the signals of setrlimit(2), and no others.")
		}
		l.Resource = resource
		r.c.Limits = append(r.c.Limits, l)
	}
	return w.enter(r, p)
}

// parseLimit reads the values of a control: (PRIVILEGE,THRESHOLD,ACTION), and more after commas.
// Whoever has the least counts. signals: one of the actions sends one.
func parseLimit(text string) (l Limit, signals bool, err error) {
	for rest := text; ; {
		inner, after, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		if !ok || !strings.HasPrefix(rest, "(") {
			return l, false, errors.New("a value is (privilege,threshold,action)")
		}
		f := strings.Split(inner, ",")
		if len(f) < 2 || len(f) > 3 {
			return l, false, errors.New("a value is (privilege,threshold,action)")
		}
		n, err := parseThreshold(f[1])
		if err != nil {
			return l, false, err
		}
		switch f[0] {
		case "basic":
			if !l.SetSoft || n < l.Soft {
				l.SetSoft, l.Soft = true, n
			}
		case "priv", "privileged", "system":
			if !l.SetHard || n < l.Hard {
				l.SetHard, l.Hard = true, n
			}
		default:
			return l, false, errors.New(quoted(f[0]) + " is neither basic nor privileged")
		}
		if len(f) == 3 {
			switch action, _, _ := strings.Cut(f[2], "="); action {
			case "none", "deny":
			case "signal", "sig":
				signals = true
			default:
				return l, false, errors.New(quoted(f[2]) + " is no action")
			}
		}
		if after == "" {
			return l, signals, nil
		}
		if rest, ok = strings.CutPrefix(after, ","); !ok {
			return l, false, errors.New("values have a comma between them")
		}
	}
}

// parseThreshold reads a number with a scale (K, M, G, T, P, E: of 1,024) and a unit (B, s).
func parseThreshold(text string) (uint64, error) {
	digits := strings.TrimRight(text, "KMGTPEkmgtpeBbs")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, errors.New(quoted(text) + " is no number")
	}
	unit := strings.ToUpper(text[len(digits):])
	scale := strings.IndexByte("KMGTPE", append([]byte(unit), 0)[0]) + 1
	if scale > 0 {
		unit = unit[1:]
	}
	if unit != "" && unit != "B" && unit != "S" {
		return 0, errors.New(quoted(text) + " has no unit that is known")
	}
	for range scale {
		if n > math.MaxUint64>>10 {
			return math.MaxUint64, nil // unlimited
		}
		n <<= 10
	}
	return n, nil
}
