package configs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	nameBytesMax     = 63
	pathBytesMax     = 1024
	bootargsBytesMax = 255 // BOOTARGS_MAX of the original less its final zero
	textBytesMax     = 64 << 10
	shortBytesMax    = 255
	ifnameBytesMax   = 15 // IFNAMSIZ less the final zero

	nameBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
)

// CheckName checks the name of a zone other than the host.
func CheckName(name string) error {
	switch {
	case !wellNamed(name, nameBytes):
		return fmt.Errorf("Bogus zone name %.80q: a name has 1 to %d of the characters A-Z a-z 0-9 _ . - and starts with a letter or digit",
			name, nameBytesMax)
	case name == GlobalName:
		return fmt.Errorf("Bogus zone name %q: it is the host's own", name)
	case strings.HasPrefix(name, "SUNW"):
		return fmt.Errorf("Bogus zone name %.80q: names that start with SUNW are reserved for templates", name)
	}
	return nil
}

// wellNamed: of the given characters only, the first a letter or digit.
func wellNamed(s, of string) bool {
	return s != "" && len(s) <= nameBytesMax && alphanumeric(s[0]) && consistsOf(s, of)
}

// consistsOf: no character but the given ones.
func consistsOf(s, of string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(of, r) })
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// SchedClasses are the scheduling classes; those of the original, FSS being the one
// that knows shares.
var SchedClasses = []string{"FSS", "FX", "IA", "RT", "TS"}

// AttrTypes are the types of an attr.
var AttrTypes = []string{"boolean", "int", "string", "uint"}

// Auths are the authorisations that an admin resource can delegate.
var Auths = []string{"clonefrom", "login", "manage"}

// IPTypes are the values of ip-type.
var IPTypes = []string{string(IPExclusive), string(IPShared)}

// forbiddenFS are file systems that would show a zone the host, or that only we mount.
var forbiddenFS = []string{"autofs", "bpf", "cachefs", "cgroup", "cgroup2", "configfs", "ctfs", "debugfs", "devpts", "devtmpfs", "fusectl",
	"mntfs", "nfs", "nfs3", "nfs4", "objfs", "proc", "pstore", "securityfs", "selinuxfs", "sysfs", "tracefs"}

// check is a check of one value, which is not empty.
type check func(value string) error

// checks holds the check of each simple property. The key is the resource, a dot and
// the property; a property of the zone itself has no resource.
var checks = map[string]check{
	".zonename":         CheckName,
	".zonepath":         checkZonepath,
	".brand":            func(v string) error { _, err := LookupBrand(v); return err },
	".autoboot":         oneOf("autoboot", []string{"true", "false"}),
	".bootargs":         limited(bootargsBytesMax),
	".pool":             checkPool,
	".limitpriv":        limited(textBytesMax),
	".scheduling-class": oneOf("scheduling-class", SchedClasses),
	".ip-type":          oneOf("ip-type", IPTypes),
	".hostid":           checkHostID,
	".fs-allowed":       checkFSAllowed,

	"fs.dir":     checkMountPoint,
	"fs.special": limited(pathBytesMax),
	"fs.raw":     checkAbsolute,
	"fs.type":    checkFSType,
	"fs.options": checkOption,

	"net.physical":        checkIfname,
	"net.address":         checkNetAddress,
	"net.allowed-address": checkNetAddresses,
	"net.defrouter":       checkRouter,
	"net.global-nic":      checkIfname,
	"net.mac-addr":        checkMAC,
	"net.vlan-id":         inRange("vlan-id", 1, 4094),

	"device.match": checkDevice,

	"rctl.name": checkRctlName,

	"attr.name": checkAttrName,
	"attr.type": oneOf("type", AttrTypes),

	"dataset.name": checkDataset,

	"admin.user":  checkUser,
	"admin.auths": checkAuths,

	"dedicated-cpu.ncpus":      func(v string) error { _, _, err := ParseCPURange(v); return err },
	"dedicated-cpu.importance": inRange("importance", 1, 1<<31-1),
	"capped-cpu.ncpus":         func(v string) error { _, err := ParseCPUCap(v); return err },
	"capped-memory.physical":   memoryAtLeast("physical", 1<<20),
	"capped-memory.swap":       memoryAtLeast("swap", AliasSwap.Min),
	"capped-memory.locked":     memoryAtLeast("locked", 0),
	"security-flags.lower":     func(v string) error { _, err := parseSecFlags(v); return err },
	"security-flags.default":   func(v string) error { _, err := parseSecFlags(v); return err },
	"security-flags.upper":     func(v string) error { _, err := parseSecFlags(v); return err },
}

// CheckProperty checks one value alone, as it is written in zonecfg. resource is empty
// for a property of the zone itself. The error says what is allowed.
func CheckProperty(resource, property, value string) error {
	if err := checkText(value); err != nil {
		return err
	}
	if a, ok := LookupAlias(property); ok && resource == "" {
		return checkAlias(a, value)
	}
	if c := checks[resource+"."+property]; c != nil {
		return c(value)
	}
	return nil
}

// checkText: what every value is, so that it can stand in a file and on a terminal.
func checkText(s string) error {
	switch {
	case len(s) > textBytesMax:
		return fmt.Errorf("value is longer than %d bytes", textBytesMax)
	case !utf8.ValidString(s):
		return fmt.Errorf("%.40q is not UTF-8 text", s)
	case strings.ContainsFunc(s, unprintable):
		return fmt.Errorf("%.40q holds control characters, which are not allowed", s)
	}
	return nil
}

// unprintable: control characters, line separators, what XML cannot hold, and the mark
// of text that was spoiled before it came here.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 || r >= 0xfffd && r <= 0xffff
}

func limited(max int) check {
	return func(v string) error {
		if len(v) > max {
			return fmt.Errorf("value is longer than %d bytes", max)
		}
		return nil
	}
}

func oneOf(property string, values []string) check {
	return func(v string) error {
		if !slices.Contains(values, v) {
			if len(values) == 2 {
				return fmt.Errorf("%s value must be '%s' or '%s', not %.40q", property, values[0], values[1], v)
			}
			return fmt.Errorf("%s value must be one of %s, not %.40q", property, strings.Join(values, ", "), v)
		}
		return nil
	}
}

func inRange(property string, lo, hi uint64) check {
	return func(v string) error {
		if n, err := strconv.ParseUint(v, 10, 64); err != nil || n < lo || n > hi || v[0] == '0' && len(v) > 1 {
			return fmt.Errorf("%s property is out of range: %.40q, allowed are whole numbers from %d to %d", property, v, lo, hi)
		}
		return nil
	}
}

func memoryAtLeast(property string, least uint64) check {
	return func(v string) error {
		n, err := ParseMemory(v)
		if err != nil {
			return err
		}
		if n < least {
			return fmt.Errorf("%s value is too small.  It must be at least %s.", property, FormatMemory(least))
		}
		return nil
	}
}

func checkAlias(a RctlAlias, v string) error {
	if a.Memory {
		_, err := ParseMemory(v)
		return err
	}
	return inRange(a.Name, a.Min, 1<<63-1)(v)
}

func checkAbsolute(v string) error {
	if v[0] != '/' {
		return fmt.Errorf("%.80s is not an absolute path", v)
	}
	if len(v) >= pathBytesMax {
		return fmt.Errorf("path is longer than %d bytes", pathBytesMax-1)
	}
	if slices.Contains(strings.Split(v, "/"), "..") {
		return fmt.Errorf("%.80s holds '..', which is not allowed", v)
	}
	return nil
}

func checkZonepath(v string) error {
	if err := checkAbsolute(v); err != nil {
		return err
	}
	if strings.Trim(v, "/.") == "" {
		return fmt.Errorf("/ is not allowed as a zonepath")
	}
	if strings.ContainsAny(v, `"`) {
		return fmt.Errorf("a zonepath cannot hold a quote")
	}
	return nil
}

func checkMountPoint(v string) error {
	if err := checkAbsolute(v); err != nil {
		return err
	}
	if strings.Trim(v, "/.") == "" {
		return fmt.Errorf("/ is not allowed as a dir: the root is the zone's own")
	}
	return nil
}

func checkPool(v string) error {
	if strings.HasPrefix(v, "SUNW") {
		return fmt.Errorf("pool names starting with SUNW are reserved")
	}
	if !wellNamed(v, nameBytes) {
		return fmt.Errorf("invalid pool name %.80q: allowed are 1 to %d of A-Z a-z 0-9 _ . -", v, nameBytesMax)
	}
	return nil
}

func checkHostID(v string) error {
	if n, err := strconv.ParseUint(v, 16, 64); err != nil || n > 0xfffffffe || len(v) > 8 {
		return fmt.Errorf("invalid hostid: %.40q, allowed are hexadecimal numbers from 0 to fffffffe without prefix", v)
	}
	return nil
}

func checkFSType(v string) error {
	if slices.Contains(forbiddenFS, v) {
		return fmt.Errorf("file systems of type %s cannot be mounted into a zone; not allowed are %s", v, strings.Join(forbiddenFS, ", "))
	}
	if !wellNamed(v, nameBytes) {
		return fmt.Errorf("%.40q is not a valid type: allowed are lofs, tmpfs and names of block file systems", v)
	}
	return nil
}

func checkFSAllowed(v string) error {
	for _, t := range strings.Split(strings.TrimPrefix(v, "-,"), ",") {
		if !wellNamed(strings.TrimPrefix(t, "-"), nameBytes) && t != "-" {
			return fmt.Errorf("invalid fs-allowed: %.40q, want names of file systems with commas, a leading '-' drops the default ones", v)
		}
	}
	return nil
}

func checkOption(v string) error {
	if v == "" || len(v) > shortBytesMax || strings.ContainsAny(v, ", ") {
		return fmt.Errorf("invalid mount option %.40q: one option an element, up to %d bytes without comma or space; a list is written [a,b]",
			v, shortBytesMax)
	}
	return nil
}

func checkIfname(v string) error {
	if v == "." || v == ".." || len(v) > ifnameBytesMax || strings.ContainsAny(v, "/: \"%") || strings.ContainsFunc(v, func(r rune) bool { return r > 0x7e }) {
		return fmt.Errorf("%.40s: invalid physical interface name: allowed are up to %d characters without '/', ':', '%%' or space", v, ifnameBytesMax)
	}
	return nil
}

// checkNetAddress: host names, which the original takes, are refused: what they mean
// could change between two boots without anybody touching the configuration.
func checkNetAddress(v string) error {
	if p, err := netip.ParsePrefix(v); err == nil && p.Addr().Zone() == "" {
		return nil
	}
	a, err := netip.ParseAddr(v)
	if err != nil || a.Zone() != "" {
		return fmt.Errorf("%.60s: bogus network address: want IPv4[/0-32] or IPv6/0-128", v)
	}
	if a.Is6() {
		return fmt.Errorf("%s: IPv6 addresses require /prefix-length suffix", v)
	}
	return nil
}

func checkNetAddresses(v string) error {
	for _, a := range strings.Split(v, ",") {
		if err := checkNetAddress(a); err != nil {
			return err
		}
	}
	return nil
}

func checkRouter(v string) error {
	if a, err := netip.ParseAddr(v); err != nil || a.Zone() != "" {
		return fmt.Errorf("%.60s: bogus network address: want an IPv4 or IPv6 address without prefix length", v)
	}
	return nil
}

func checkMAC(v string) error {
	octets := strings.Split(v, ":")
	for _, o := range octets {
		if len(o) < 1 || len(o) > 2 || !isHex(o[0]) || !isHex(o[len(o)-1]) || len(octets) != 6 {
			return fmt.Errorf("invalid mac-addr %.40q: want six hexadecimal bytes with colons", v)
		}
	}
	if first, _ := strconv.ParseUint(octets[0], 16, 8); first&1 != 0 {
		return fmt.Errorf("invalid mac-addr %s: the first byte makes it a group address", v)
	}
	return nil
}
