package admin

import (
	"errors"
	"fmt"
	"os"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/idrange"
	"github.com/linuxzones/zones/vplat"
	"github.com/linuxzones/zones/zoned/api"
)

// Plan prints how the zone is or would be built. From ready on the frozen configuration and
// the ids in use are shown, where the caller may read them; else those of the next boot,
// with the first range of ids standing for whichever is leased then.
func (a *Admin) Plan() error {
	if _, err := a.Sane(Plan, Unforced); err != nil {
		return err
	}
	if a.Zone == configs.GlobalName {
		return fmt.Errorf("%s operation is invalid for the global zone.", Plan)
	}
	z, err := a.planned()
	if err != nil {
		return err
	}
	p, err := a.build(z)
	if err != nil {
		return err
	}
	return writeJSON(a.Out, p)
}

// planned is the configuration that counts: the frozen one if there is one.
func (a *Admin) planned() (*configs.Zone, error) {
	l, err := a.live(a.Zone)
	if err != nil {
		return nil, err
	}
	if l != nil {
		z, err := a.Store.LoadSnapshot(a.Zone)
		if err == nil {
			return z, nil
		}
		if !errors.Is(err, os.ErrPermission) && !errors.Is(err, configs.ErrNoSnapshot) {
			return nil, err
		}
		a.Say("WARNING: the configuration that the zone runs with cannot be read; this is the plan of the next boot.")
	}
	z, _, err := a.Store.Load(a.Zone)
	return z, err
}

// build makes the plan of a configuration on this host.
func (a *Admin) build(z *configs.Zone) (*vplat.Plan, error) {
	libexec, err := a.Libexec()
	if err != nil {
		return nil, err
	}
	facts, err := vplat.Probe(libexec)
	if err != nil {
		return nil, err
	}
	run := vplat.Run{StateDir: a.Layout.ZoneState(z.Name), IDBase: idrange.First, Contract: 1}
	if st, err := api.ReadStatus(a.Layout.StatusFile(z.Name)); err == nil && st != nil && st.IDBase != 0 {
		run.IDBase = st.IDBase
		run.Contract = max(st.Contract, run.Contract)
	}
	return vplat.Build(z, facts, run)
}
