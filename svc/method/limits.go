package method

import (
	"strconv"
	"strings"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/zonefile"
)

// corePatternBytesMax is the kernel's CORENAME_MAX_SIZE, with a line's end.
const corePatternBytesMax = 129

// coreFiles reads corefile_pattern. The name of core files is the whole system's here: one that
// differs is a notice. An empty one makes none, as the original's.
func (r *reading) coreFiles() error {
	if r.property("corefile_pattern") == nil {
		return nil
	}
	pattern, err := r.word("corefile_pattern", "", "core_pattern")
	switch {
	case err != nil:
		return err
	case len(pattern) >= pathBytesMax:
		return &Error{Code: ExitResources, Text: "Could not set corefile path.", kind: ErrContext}
	case pattern == "":
		r.c.Core = CoreNone
		return nil
	}
	r.c.Core = CoreMade
	system, err := zonefile.Read(r.host.CorePattern, corePatternBytesMax)
	if err == nil && strings.TrimSuffix(string(system), "\n") == pattern {
		return nil
	}
	r.notice("corefile_pattern " + quoted(pattern) + " has no counterpart: the system names core files, see core(5).")
	return nil
}

// pool reads the resource pool; by default it is the project's. Which there are is the host's to say,
// and told when the method is started.
func (r *reading) pool() error {
	v, err := r.word("resource_pool", byDefault, "resource_pool")
	if err != nil || v == byDefault {
		return err
	}
	if !poolName(v) {
		return invalid("pool_set_binding", "pool name "+quoted(v)+" is invalid")
	}
	if !contract.ValidPoolName(v) {
		return invalid("pool_set_binding", "pool name "+quoted(v)+" is longer than "+strconv.Itoa(contract.PoolNameMax)+" bytes")
	}
	if r.c.Within.Pool = v; v == poolDefault {
		r.c.Within.Pool = ""
	}
	return nil
}

// poolDefault is there in any zone of the original, and has all processors that no other has: here it
// has all of the zone's.
const poolDefault = "pool_default"

// poolNameBytesMax is the original's.
const poolNameBytesMax = 1024

// poolName says whether libpool(3LIB) would take a name: letters and digits, and '_', '-', '.' after
// the first of them.
func poolName(name string) bool {
	for n := range len(name) {
		c := name[n]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (n == 0 || c != '_' && c != '-' && c != '.') {
			return false
		}
	}
	return name != "" && len(name) <= poolNameBytesMax
}

// flag is what is wanted of a security flag.
type flag uint8

const (
	left flag = iota
	on
	off
)

// securityFlags reads security_flags: names with '!' or '-' before what is taken away; all, none,
// current and default. Without one of the last two a flag that is not named is off.
func (r *reading) securityFlags() error {
	list, err := r.word("security_flags", byDefault, "security_flags")
	if err != nil || list == byDefault {
		return err
	}
	flags := map[string]flag{"aslr": left, "forbidnullmap": left, "noexecstack": left}
	relative := false
	for word := range strings.SplitSeq(list, ",") {
		word = strings.ToLower(strings.Trim(word, " \t"))
		want := on
		if name := strings.TrimLeft(word, "!-"); len(name)+1 == len(word) {
			word, want = name, off
		}
		_, known := flags[word]
		switch {
		case known:
			if flags[word] != off { // what is taken away stays away, wherever it stands
				flags[word] = want
			}
		case word == "all" && want == on:
			for name := range flags {
				if flags[name] != off {
					flags[name] = on
				}
			}
		case word == "none" && want == on:
		case (word == "current" || word == "default") && want == on:
			relative = true
		default:
			return invalid("Could not interpret security_flags property", quoted(word)+" is no security flag")
		}
	}
	r.flags(flags, relative)
	return nil
}

// flags has the context have what of the flags Linux has.
func (r *reading) flags(flags map[string]flag, relative bool) {
	if !relative {
		for name, f := range flags {
			if f == left {
				flags[name] = off
			}
		}
	}
	r.c.ASLR, r.c.NoASLR = flags["aslr"] == on, flags["aslr"] == off
	r.c.NoExecStack = flags["noexecstack"] == on
	if r.c.NoExecStack {
		r.notice("security_flags: noexecstack holds for programs that do not ask for an executable stack themselves.")
	}
	if flags["forbidnullmap"] == off {
		r.notice("security_flags: forbidnullmap cannot be taken away.")
	}
}
