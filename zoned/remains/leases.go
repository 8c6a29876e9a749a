package remains

import (
	"fmt"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/idrange"
)

// leaseDir is where the host's leases are.
const leaseDir = idrange.Dir

// owner is the zone's name among all instances on the host, as its leases have it.
func (h *Host) owner(zone string) string { return h.lay.Root + " " + zone }

func (h *Host) registry() (*idrange.Registry, error) { return idrange.OpenAt(h.leases, h.etc) }

// findLeases are ranges of user ids that the zone has.
func (h *Host) findLeases(s Scope) ([]Item, error) {
	reg, err := h.registry()
	if err != nil {
		return nil, err
	}
	held, err := reg.Held()
	if err != nil {
		return nil, err
	}
	var all []Item
	for _, l := range held {
		if l.Owner != h.owner(s.Zone) {
			continue
		}
		all = append(all, Item{Kind: Lease, Zone: s.Zone, Name: fmt.Sprintf("of user ids from %d", l.Base), Remove: func() error {
			return reg.Reclaim(l)
		}})
	}
	return all, nil
}

// zonesOfLeases adds the zones of this instance that have one.
func (h *Host) zonesOfLeases(found map[string]bool) error {
	reg, err := h.registry()
	if err != nil {
		return err
	}
	held, err := reg.Held()
	if err != nil {
		return err
	}
	for _, l := range held {
		zone, ok := strings.CutPrefix(l.Owner, h.lay.Root+" ")
		if ok && configs.CheckName(zone) == nil {
			found[zone] = true
		}
	}
	return nil
}
