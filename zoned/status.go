package zoned

import (
	"encoding/json"
	"errors"
	"os"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/build"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// publish writes the world-readable status of the zone, or takes it away below ready.
func (z *Zone) publish() {
	name := z.lay.StatusFile(z.name)
	if z.state < configs.Ready {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			z.log.WithError(err).Warn("status")
		}
		return
	}
	st := api.Status{State: z.state.String(), BootID: z.journal.boot, Zsched: process(z.keeperPid), Zoned: process(os.Getpid()), Build: build.Version, KeeperBuild: z.keeperBuild}
	if z.inc != nil {
		st.ID, st.ReadySince, st.IDBase = z.inc.id, z.inc.since, z.inc.idBase
		st.Contract = uint32(z.inc.contract)
		st.Init = api.Process{Pid: z.inc.initPid, Start: z.inc.initStart}
	}
	b, err := json.Marshal(st)
	if err == nil {
		err = replaceFile(name, append(b, '\n'), 0o644)
	}
	if err != nil {
		z.log.WithError(err).Warn("status")
	}
}

func process(pid int) api.Process {
	start, _ := sys.StartTime(pid)
	return api.Process{Pid: pid, Start: start}
}
