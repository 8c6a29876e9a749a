package method

import (
	"strings"

	"github.com/linuxzones/zones/svc/prop"
)

// EnvironmentBytesMax is the most bytes of an environment, with those of pointers to its entries.
// execve(2) takes a quarter of the stack's limit, 2 MiB by default.
const EnvironmentBytesMax = 1 << 20

// pathByDefault is a method's PATH, where init's environment has none.
const pathByDefault = "PATH=/usr/sbin:/usr/bin"

// reserved begins the names that svc.startd gives a method itself.
const reserved = "SMF_"

// environment reads method_environment. What cannot be taken is a notice.
func (r *reading) environment() error {
	p := r.property("environment")
	if p == nil {
		return nil
	}
	if !p.Type.Is(prop.AString) {
		return invalid("Invalid method environment", "it is of type "+p.Type.String())
	}
	for _, v := range p.Values {
		switch name, _, is := strings.Cut(v, "="); {
		case !is || name == "" || strings.IndexByte(v, 0) >= 0:
			r.notice("Invalid environment variable " + quoted(v) + ".")
		case strings.HasPrefix(name, reserved):
			r.notice("Invalid environment variable " + quoted(v) + `; "` + reserved + `" prefix is reserved.`)
		default:
			r.c.Environment = append(r.c.Environment, v)
		}
	}
	return nil
}

// Run is what a method is told of itself.
type Run struct {
	// Init is init's environment: it goes to all methods. Entries that have no name, and those
	// whose names are reserved, are not taken.
	Init []string
	// FMRI is the instance, Method the method's name, Restarter who runs it, Zone the zone.
	FMRI, Method, Restarter, Zone string
	// More is beside the method's own, for what is ours (NOTIFY_SOCKET); it cannot be changed.
	More []string
}

// Env is a method's environment: PATH, init's, SMF_..., the context's. Of two entries of one name
// the later one counts, in the place of the first. *Error (ErrContext): it is too large.
func (c *Context) Env(run Run) ([]string, error) {
	e := environ{at: map[string]int{}}
	e.set(pathByDefault)
	for _, v := range run.Init {
		if name, _, is := strings.Cut(v, "="); is && name != "" && !strings.HasPrefix(name, reserved) {
			e.set(v)
		}
	}
	e.set("SMF_FMRI=" + run.FMRI)
	e.set("SMF_METHOD=" + run.Method)
	e.set("SMF_RESTARTER=" + run.Restarter)
	e.set("SMF_ZONENAME=" + run.Zone)
	for _, list := range [][]string{c.Environment, run.More} {
		for _, v := range list {
			e.set(v)
		}
	}
	bytes := 0
	for _, v := range e.list {
		bytes += len(v) + 1 + 8
	}
	if bytes > EnvironmentBytesMax {
		return nil, invalid("Invalid method environment", "it has more than 1 MiB")
	}
	return e.list, nil
}

// environ is an environment in the making.
type environ struct {
	list []string
	at   map[string]int // where a name is
}

func (e *environ) set(v string) {
	name, _, _ := strings.Cut(v, "=")
	if n, has := e.at[name]; has {
		e.list[n] = v
		return
	}
	e.at[name] = len(e.list)
	e.list = append(e.list, v)
}
