package admin

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/build"
	"github.com/linuxzones/zones/zoned/api"
)

// packageFiles are touched by every change of the host's software: a sparse zone that
// became ready before may run programs that are no longer on disk.
var packageFiles = []string{"/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/lib/apk/db/installed"}

// globalBrand is the brand shown for the host itself.
const globalBrand = "native"

// unknown stands for what could not be read.
const unknown = "???"

// Zone is one line of the list.
type Zone struct {
	ID     int // -1 while the zone has none
	Name   string
	State  configs.State
	Path   string
	UUID   string
	Brand  string
	IPType string
	// Note is a remark for people: what it waits for, or that it runs old software.
	Note string
}

// Which zones are listed.
type Which int

// The choices of `zoneadm list`.
const (
	WhichRunning   Which = iota // ready or above, and the host
	WhichInstalled              // -i
	WhichAll                    // -c
)

// ListOptions are those of `zoneadm list`.
type ListOptions struct {
	Which    Which
	NoGlobal bool
	Form     Form
}

// live is what the status file of a zone says, when it says that there is more than files.
type live struct {
	state configs.State
	id    int
	since int64
	note  string
	build string // of the programs that run it, empty when they are this one's
}

// live reads a zone's status. Nil: there is no virtual platform.
func (a *Admin) live(name string) (*live, error) {
	if a.AltRoot {
		return nil, nil
	}
	st, err := api.ReadStatus(a.Layout.StatusFile(name))
	if err != nil || st == nil {
		return nil, err
	}
	state, err := configs.ParseState(st.State)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Layout.StatusFile(name), err)
	}
	if state < configs.Ready {
		return nil, nil
	}
	l := &live{state: state, id: st.ID, since: st.ReadySince, note: st.Note}
	for _, b := range []string{st.Build, st.KeeperBuild} {
		if b != "" && b != build.Version {
			l.build = b
		}
	}
	if l.state != configs.Down && st.Effective() == api.StateDown {
		l.state = configs.Down
		l.note = "its supervisor was killed; halt cleans up"
	}
	return l, nil
}

// List prints zones. A zone whose files cannot be read is listed all the same, with what is
// known of it; the reason is printed and the error is ErrSaid.
func (a *Admin) List(o ListOptions) error {
	if a.Zone != "" {
		return a.listOne(o)
	}
	entries, err := a.Store.Index()
	if err != nil {
		return err
	}
	failed := false
	var zones []Zone
	for _, e := range entries {
		z, ok := a.describe(e, o.Form)
		failed = failed || !ok
		if z.listed(o.Which) {
			zones = append(zones, z)
		}
	}
	// Zones with an id first, in its order; the others stay in the order of the index.
	slices.SortStableFunc(zones, func(x, y Zone) int { return x.order() - y.order() })
	if !o.NoGlobal {
		zones = append([]Zone{global()}, zones...)
	}
	if err := Render(a.Out, zones, o.Form); err != nil {
		return err
	}
	if failed {
		return ErrSaid
	}
	return nil
}

func (a *Admin) listOne(o ListOptions) error {
	z, ok := global(), true
	if a.Zone != configs.GlobalName {
		e, err := a.Store.Lookup(a.Zone)
		if errors.Is(err, configs.ErrNoZone) {
			return configs.ErrNoZone
		}
		if err != nil {
			return err
		}
		z, ok = a.describe(e, o.Form)
	}
	if err := Render(a.Out, []Zone{z}, o.Form); err != nil {
		return err
	}
	if !ok {
		return ErrSaid
	}
	return nil
}

// order sorts zones: by id, those without one last.
func (z Zone) order() int {
	if z.ID < 0 {
		return 1 << 30
	}
	return z.ID
}

func (z Zone) listed(w Which) bool {
	switch w {
	case WhichAll:
		return true
	case WhichInstalled:
		return z.State >= configs.Installed
	}
	return z.State >= configs.Ready
}

// global is the host's own line.
func global() Zone {
	return Zone{ID: 0, Name: configs.GlobalName, State: configs.Running, Path: "/", Brand: globalBrand, IPType: string(configs.IPShared)}
}

// describe gathers a zone's line. Names alone need no configuration to be read.
func (a *Admin) describe(e configs.Entry, form Form) (Zone, bool) {
	z := Zone{ID: -1, Name: e.Name, State: e.State, Path: e.Path, UUID: e.UUID, Brand: unknown, IPType: unknown}
	ok := true
	complain := func(err error) {
		ok = false
		_, _ = fmt.Fprintln(a.Err, Line(e.Name, err.Error()))
	}
	l, err := a.live(e.Name)
	if err != nil {
		complain(err)
	}
	if l != nil {
		z.State, z.Note = l.state, l.note
		if l.id > 0 {
			z.ID = l.id
		}
	}
	if form == FormNames {
		return z, ok
	}
	cfg, _, err := a.Store.Load(e.Name)
	if err != nil {
		complain(err)
		return z, ok
	}
	z.Brand, z.IPType = cfg.Brand, string(cfg.IPType)
	if l != nil && z.Note == "" && l.since > 0 && bornBefore(cfg.Brand, l.since) {
		z.Note = "booted before the host's software changed; reboot it"
	}
	if l != nil && z.Note == "" && l.build != "" {
		z.Note = fmt.Sprintf("run by build %s, %s is installed; upgrade it", l.build, build.Version)
	}
	return z, ok
}

// bornBefore says whether a zone that uses the host's software is older than its last change.
func bornBefore(brand string, since int64) bool {
	b, err := configs.LookupBrand(brand)
	if err != nil || !b.HostSoftware {
		return false
	}
	for _, f := range packageFiles {
		if st, err := os.Stat(f); err == nil && st.ModTime().After(time.Unix(since, 0)) {
			return true
		}
	}
	return false
}
