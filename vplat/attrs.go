package vplat

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/configs"
)

// The attributes that the platform reads; zonecfg keeps all others for whoever set them.
const (
	// AttrHostname is the zone's host name where it is not the zone's name.
	AttrHostname = "hostname"
	// AttrSparseUsr says what /usr of a sparse zone is: the host's, read-only, or with
	// what the zone changes kept in its zone path.
	AttrSparseUsr = "sparse-usr"
	// AttrSparseUsrLocal says what /usr/local of a sparse zone is: nothing, or the host's.
	AttrSparseUsrLocal = "sparse-usr-local"
	// AttrShutdownTimeout is how many seconds a graceful shutdown may take; the supervisor
	// reads it, here it is only checked.
	AttrShutdownTimeout = "shutdown-timeout"
	// AttrMaxContracts is how many process contracts the zone may have at once, the original's
	// project.max-contracts; the supervisor reads it, here it is only checked.
	AttrMaxContracts = "max-contracts"
	// AttrConsoleLogSize is how many bytes a file of the console's log gets, 0 for no log;
	// AttrConsoleLogCount how many older files are kept. The supervisor reads them, here they
	// are only checked.
	AttrConsoleLogSize  = "console-log-size"
	AttrConsoleLogCount = "console-log-count"
)

// Bounds of attributes that are numbers.
const (
	// ShutdownTimeoutMax is the most seconds of AttrShutdownTimeout: a day.
	ShutdownTimeoutMax = 24 * 60 * 60
	// ContractsMin leaves a zone its init, its restarter and a login; ContractsMax is what the
	// original allows at most.
	ContractsMin = 8
	ContractsMax = contractMax
	// ConsoleLogMin and ConsoleLogMax are the least and the most bytes of AttrConsoleLogSize,
	// besides 0: a boot, and what can still be looked through.
	ConsoleLogMin = 64 << 10
	ConsoleLogMax = 1 << 30
	// ConsoleLogFilesMax is the most of AttrConsoleLogCount.
	ConsoleLogFilesMax = 99
)

// numbers are the attributes that the supervisor reads.
var numbers = map[string]struct {
	min, max uint64
	orNone   bool // 0 is allowed too
	what     string
}{
	AttrShutdownTimeout: {1, ShutdownTimeoutMax, false, "a number of seconds"},
	AttrMaxContracts:    {ContractsMin, ContractsMax, false, "a number of contracts"},
	AttrConsoleLogSize:  {ConsoleLogMin, ConsoleLogMax, true, "a number of bytes"},
	AttrConsoleLogCount: {0, ConsoleLogFilesMax, false, "a number of files"},
}

// checkNumber says what is wrong with an attribute of them; empty for nothing.
func checkNumber(name, value string) string {
	n := numbers[name]
	v, err := strconv.ParseUint(value, 10, 32)
	if err == nil && (n.min <= v && v <= n.max || n.orNone && v == 0) {
		return ""
	}
	none := ""
	if n.orNone {
		none = ", or 0 for none"
	}
	return fmt.Sprintf("%s is not %s from %d to %d%s", quote(value), n.what, n.min, n.max, none)
}

// Values of the attributes; the first of each is the default.
const (
	usrReadOnly    = "read-only"
	usrCopyOnWrite = "copy-on-write"
	localEmpty     = "empty"
	localHost      = "host"
)

type attributes struct {
	hostname, usr, local string
}

// hostnamePattern is RFC 1123, with the dots of a full name.
var hostnamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

// hostnameBytesMax is the kernel's __NEW_UTS_LEN.
const hostnameBytesMax = 64

func readAttributes(z *configs.Zone, b configs.Brand) (attributes, error) {
	a := attributes{hostname: z.Name, usr: usrReadOnly, local: localEmpty}
	if _, err := configs.Pools(z); err != nil {
		return a, refuse("pools", "%v", err)
	}
	seen := map[string]bool{}
	for _, attr := range z.Attrs {
		what := "attr " + attr.Name
		var into *string
		var allowed []string
		switch attr.Name {
		case AttrHostname:
			if !hostnamePattern.MatchString(attr.Value) || len(attr.Value) > hostnameBytesMax {
				return a, refuse(what, "%s is not a host name: at most %d letters, digits, hyphens and dots", quote(attr.Value), hostnameBytesMax)
			}
			into, allowed = &a.hostname, []string{attr.Value}
		case AttrSparseUsr:
			into, allowed = &a.usr, []string{usrReadOnly, usrCopyOnWrite}
		case AttrSparseUsrLocal:
			into, allowed = &a.local, []string{localEmpty, localHost}
		case AttrShutdownTimeout, AttrMaxContracts, AttrConsoleLogSize, AttrConsoleLogCount:
			if why := checkNumber(attr.Name, attr.Value); why != "" {
				return a, refuse(what, "%s", why)
			}
			continue
		default:
			continue
		}
		if seen[attr.Name] {
			return a, refuse(what, "it is there twice; remove one")
		}
		seen[attr.Name] = true
		if attr.Type != "string" {
			return a, refuse(what, "its type is %s; string is wanted", quote(attr.Type))
		}
		if attr.Name != AttrHostname && !b.HostSoftware {
			return a, refuse(what, "only a zone of brand sparse has the host's /usr; remove the attribute")
		}
		if !slices.Contains(allowed, attr.Value) {
			return a, refuse(what, "%s is not allowed; allowed are %s", quote(attr.Value), strings.Join(allowed, ", "))
		}
		*into = attr.Value
	}
	return a, nil
}
