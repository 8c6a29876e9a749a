package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// residentZones is how many zones there are for the figure of many.
const residentZones = 50

// resident gives the proportional memory of what is in every zone, init and svc.startd together, when
// one zone is there and when many are, each idle and long enough up to have given back what its boot
// took.
func (b *bench) resident() error {
	if !b.wants("smf.pss") {
		return nil
	}
	var names []string
	for _, n := range []int{1, residentZones} {
		for len(names) < n {
			name := "p" + strconv.Itoa(len(names))
			names = append(names, name)
			if err := b.zone(name); err != nil {
				return err
			}
			if err := b.run("zoneadm", "-z", name, "boot"); err != nil {
				return err
			}
		}
		time.Sleep(2 * smfTrimTime)
		if err := b.residentOf(names); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := b.run("zoneadm", "-z", name, "halt"); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) residentOf(names []string) error {
	var both, startd, private []float64
	for _, zone := range names {
		init, err := b.initPid(zone)
		if err != nil {
			return err
		}
		out, err := exec.Command("pgrep", "-P", init, "-x", "svc.startd").Output()
		if err != nil {
			return fmt.Errorf("svc.startd of zone %s: %w", zone, err)
		}
		i, err := rollup(init)
		if err != nil {
			return err
		}
		s, err := rollup(strings.TrimSpace(string(out)))
		if err != nil {
			return err
		}
		both = append(both, i["Pss"]+s["Pss"])
		startd = append(startd, s["Pss"])
		private = append(private, i["Private_Dirty"]+i["Private_Clean"]+s["Private_Dirty"]+s["Private_Clean"])
	}
	at := "@" + strconv.Itoa(len(names))
	b.print("smf.pss"+at, "kB", "", both)
	b.print("smf.pss.startd"+at, "kB", "", startd)
	b.print("smf.pss.private"+at, "kB", "", private)
	return nil
}
