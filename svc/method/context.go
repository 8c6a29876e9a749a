package method

import (
	"strconv"
	"strings"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// contextGroup is the context of all methods of an instance.
const contextGroup = "method_context"

// byDefault stands for what a property has when it is not there.
const byDefault = ":default"

// Context is what a method is run in. The zero value is that of init: root, in init's directory,
// with init's environment.
type Context struct {
	UID, GID uint32
	// Groups are the supplementary ones when SetGroups; otherwise they stay.
	SetGroups bool
	Groups    []uint32
	// Dir is the working directory; empty: it stays.
	Dir string
	// Environment are the entries of method_environment, checked.
	Environment []string
	// Privileges are those of the process, Limit those that it and its children can ever have;
	// nil: as the user has them.
	Privileges, Limit *Privileges
	// NoASLR: addresses are not randomised. ASLR: they are, also where svc.startd's are not.
	NoASLR, ASLR bool
	// NoExecStack: memory that can be read cannot be executed for that reason alone.
	NoExecStack bool
	// Core is what becomes of core files.
	Core Core
	// Limits are those of the project for each process, Within what it bounds as a whole and the pool.
	Limits []Limit
	Within contract.Within
	// Notices are for the instance's log at each start.
	Notices []string
}

// Core is what becomes of core files.
type Core uint8

// Core files are made as they would be, are not made, or are made as far as the limit goes.
const (
	CoreKept Core = iota
	CoreNone
	CoreMade
)

// Host is what of the system a context is read with.
type Host struct {
	Accounts account.Files
	Profiles Profiles
	// CorePattern is the path of the kernel's name for core files.
	CorePattern string
	// Projects is the path of the table of projects.
	Projects string
}

// Zone is the host that this process is in.
var Zone = Host{Accounts: account.Zone, Profiles: ZoneProfiles, CorePattern: "/proc/sys/kernel/core_pattern", Projects: "/etc/project"}

// reading is a context that is being read.
type reading struct {
	host     *Host
	own, all *tree.Group // of the method, and of all of them; nil when there is none
	command  string
	c        *Context
	user     *account.User // whose entry was read; see entry
	failed   error         // that there is none of the uid
}

// Context reads the context of a method of kind Exec: method_context with what the method's own
// group says instead, property by property. *Error (ErrContext), and what the Configs say.
func (i *Instance) Context(m Method, h Host) (Context, error) {
	own, err := group(i.Running, m.Name)
	if err != nil {
		return Context{}, err
	}
	all, err := group(i.Running, contextGroup)
	if err != nil {
		return Context{}, err
	}
	var c Context
	r := &reading{host: &h, own: own, all: all, command: m.Command, c: &c}
	if !r.used() {
		return c, nil
	}
	for _, step := range []func() error{
		r.environment, r.identity, r.directory, r.securityFlags, r.coreFiles, r.project, r.pool,
	} {
		if err := step(); err != nil {
			return Context{}, err
		}
	}
	return c, nil
}

// contextProperties are what makes a group of a method a context.
var contextProperties = []string{
	"environment", "use_profile", "profile", "user", "group", "supp_groups", "privileges", "limit_privileges",
	"working_directory", "security_flags", "corefile_pattern", "project", "resource_pool",
}

// used says whether there is a context at all. Without one a method is as init's children are: not
// even the directory changes.
func (r *reading) used() bool {
	if r.all != nil {
		return true
	}
	for _, name := range contextProperties {
		if property(r.own, name) != nil {
			return true
		}
	}
	return false
}

// property is a property of the context; nil when there is none.
func (r *reading) property(name string) *tree.Property {
	if p := property(r.own, name); p != nil {
		return p
	}
	return property(r.all, name)
}

// word is a property that is one string; otherwise is its value when it is not there.
func (r *reading) word(name, otherwise, called string) (string, error) {
	p := r.property(name)
	if p == nil {
		return otherwise, nil
	}
	switch {
	case !p.Type.Is(prop.AString):
		return "", invalid("Could not get "+called+" property", "it is of type "+p.Type.String())
	case len(p.Values) > 1:
		return "", invalid(`"`+called+`" property has multiple values`, "")
	case len(p.Values) == 0:
		return "", invalid(`"`+called+`" property has no values`, "")
	case strings.IndexByte(p.Values[0], 0) >= 0:
		return "", invalid("Could not get "+called+" property", "it has a zero byte in it")
	}
	return p.Values[0], nil
}

func (r *reading) notice(text string) { r.c.Notices = append(r.c.Notices, text) }

// pathBytesMax is PATH_MAX with its final zero.
const pathBytesMax = 4096

// directory reads the working directory; by default it is the user's home.
func (r *reading) directory() error {
	dir, err := r.word("working_directory", byDefault, "working directory")
	if err != nil {
		return err
	}
	if dir == byDefault || dir == ":home" {
		u, err := r.entry()
		if err != nil {
			return err
		}
		dir = u.Home
	}
	switch {
	case dir == "":
		return invalid("Could not get working directory", "it is empty")
	case len(dir) >= pathBytesMax:
		return invalid("Could not get working directory", "it is longer than a path can be")
	}
	r.c.Dir = dir
	return nil
}

// entry is the line of passwd of the context's user.
func (r *reading) entry() (*account.User, error) {
	if r.user == nil && r.failed == nil {
		r.user, r.failed = r.host.entry(r.c.UID)
	}
	return r.user, r.failed
}

// entry finds the line of a uid. A user whose name is another's number is not that other, so that
// the name is looked up first.
func (h *Host) entry(uid uint32) (*account.User, error) {
	name, err := h.Accounts.NameOf(uid)
	if err != nil && uid == 0 {
		// Without any file of users there is root.
		name, err = "root", nil
	}
	if err != nil {
		return nil, unknown("Could not get passwd entry", err)
	}
	u, err := h.Accounts.Lookup(name)
	if err != nil {
		return nil, unknown("Could not get passwd entry", err)
	}
	if u.UID != uid { // the file was replaced between the two looks, or root is called otherwise
		return nil, invalid("Could not get passwd entry", "there is none of uid "+strconv.FormatUint(uint64(uid), 10))
	}
	return u, nil
}
