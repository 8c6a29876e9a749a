package layout

import (
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
)

// EnvRoot names the environment variable that moves the whole instance below one directory.
const EnvRoot = "ZONES_ROOT"

// Layout is the set of directories of one instance. The zero value is not usable: take
// it from FromEnv or At.
type Layout struct {
	// Root is the value of ZONES_ROOT, empty for the host's own instance.
	Root string
	// Etc holds the configuration: index, one XML file a zone, templates.
	Etc string
	// Run holds run-time state, dead after a reboot of the host.
	Run string
	// Lib holds zone paths, one directory a zone unless its configuration says otherwise.
	Lib string
	// Log holds audit files and what else must outlive a boot of the host.
	Log string
}

// FromEnv gives the layout that ZONES_ROOT asks for.
func FromEnv() Layout { return At(os.Getenv(EnvRoot)) }

// At gives the layout below root; an empty root is the host's own instance. A relative
// root is taken from the working directory, since a daemon that changes its directory
// must keep meaning the same files.
func At(root string) Layout {
	if root != "" {
		if abs, err := filepath.Abs(root); err == nil {
			root = abs
		}
	}
	if root == "/" {
		root = ""
	}
	return Layout{
		Root: root,
		Etc:  filepath.Join(root+"/", "etc/zones"),
		Run:  filepath.Join(root+"/", "run/zones"),
		Lib:  filepath.Join(root+"/", "var/lib/zones"),
		Log:  filepath.Join(root+"/", "var/log/zones"),
	}
}

// Tag is what global names of this instance carry: empty for the host's own instance,
// else a dot and eight hexadecimal digits of the root's hash.
func (l Layout) Tag() string {
	if l.Root == "" {
		return ""
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(l.Root))
	s := strconv.FormatUint(uint64(h.Sum32()), 16)
	for len(s) < 8 {
		s = "0" + s
	}
	return "." + s
}

// State is the 0700 directory of doors, locks, pidfiles, journals and snapshots.
func (l Layout) State() string { return filepath.Join(l.Run, "state") }

// Status is the world-readable directory with one status file a zone.
func (l Layout) Status() string { return filepath.Join(l.Run, "status") }

// ZoneState is the 0700 directory of one zone's run-time state.
func (l Layout) ZoneState(zone string) string { return filepath.Join(l.State(), zone) }

// StatusFile is the world-readable status of one zone.
func (l Layout) StatusFile(zone string) string { return filepath.Join(l.Status(), zone+".json") }

// ZonePath is where a zone lives whose configuration names no zonepath.
func (l Layout) ZonePath(zone string) string { return filepath.Join(l.Lib, zone) }
