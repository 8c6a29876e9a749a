package admin

import (
	"context"
	"errors"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/api"
)

// Upgrade has the installed programs take over the zone from those that run it. A zone that is
// not ready has none: whoever boots it starts those that are installed.
func (a *Admin) Upgrade(ctx context.Context) error {
	state, err := a.Sane(Upgrade, Unforced)
	if err != nil {
		return err
	}
	if state < configs.Ready {
		a.Say("zone is not ready: whoever boots it starts the programs that are installed")
		return nil
	}
	release, err := a.lock(together)
	if err != nil {
		return err
	}
	defer release()
	_, err = a.call(ctx, StartIfDead, api.Request{Verb: api.VerbUpgrade})
	return err
}

// UpgradeAll upgrades every zone that is ready or above. One that can not be keeps nobody from
// the next; the error is ErrSaid then.
func (a *Admin) UpgradeAll(ctx context.Context) error {
	if !a.Privileged {
		return errors.New("only a privileged user may upgrade a zone.")
	}
	entries, err := a.Store.Index()
	if err != nil {
		return err
	}
	failed := false
	for _, e := range entries {
		one := *a
		one.Zone = e.Name
		live, err := one.live(e.Name)
		if err == nil && live != nil {
			err = one.Upgrade(ctx)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed = true
			if !errors.Is(err, ErrSaid) {
				one.Say(err.Error())
			}
		}
	}
	if failed {
		return ErrSaid
	}
	return nil
}
