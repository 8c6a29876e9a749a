package restarter

import "github.com/linuxzones/zones/svc/instance"

// endless are the instances whose methods have no timeout, whatever their manifests say: a zone that
// is upgraded runs what manifest-import needs, and manifest-import itself, with the timeouts that were
// there before the import, and if those are wrong nobody can mend them. The names are the original's,
// and what its manifest here needs beside them.
var endless = map[string]bool{
	"svc:/system/manifest-import:default":       true,
	"svc:/system/early-manifest-import:default": true,
	"svc:/network/initial:default":              true,
	"svc:/network/service:default":              true,
	"svc:/network/loopback:default":             true,
	"svc:/network/physical:default":             true,
	"svc:/system/rmtmpfiles:default":            true,
	"svc:/system/device/local:default":          true,
	"svc:/system/filesystem/root:default":       true,
	"svc:/system/filesystem/usr:default":        true,
	"svc:/system/filesystem/minimal:default":    true,
	"svc:/system/filesystem/local:default":      true,
}

// extend takes the timeout of a method away that is to have none, which is told.
func (u *unit) extend(s *instance.Spec) (notices []string) {
	if s.Kind != instance.Exec || s.Timeout <= 0 || !endless[u.fmri] {
		return nil
	}
	s.Timeout = 0
	return []string{"Timeout override by svc.startd.  Using infinite timeout."}
}
