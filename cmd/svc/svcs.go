package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/svc/svcs"
	"github.com/linuxzones/zones/svc/zonename"
	"github.com/linuxzones/zones/zoned/api"
)

func svcsMain(args []string) int {
	proc := svcs.NewProc("/proc")
	env := &svcs.Env{
		Out: forPerson(os.Stdout), Err: forPerson(os.Stderr), Open: open, Here: here, Members: members,
		Process: proc.Process, Present: present, Now: time.Now,
	}
	if !inZone() {
		env.Zone, env.Zones = openZone, runningZones
	}
	return svcs.Main(env, args)
}

// here is the name of the zone that this is.
func here() string {
	name, err := zonename.Current()
	if err != nil {
		return "-"
	}
	return name
}

func present(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// runningZones are those whose services can be asked for.
func runningZones() ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("-Z: You lack sufficient privilege to run this command (root is required)")
	}
	l := layout.FromEnv()
	files, err := os.ReadDir(l.Status())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), filepath.Ext(l.StatusFile("x")))
		if !ok || configs.CheckName(name) != nil || name == configs.GlobalName {
			continue
		}
		st, err := api.ReadStatus(l.StatusFile(name))
		if err == nil && st != nil && st.Effective() == configs.Running.String() {
			names = append(names, name)
		}
	}
	return names, nil
}

// membersLimit bounds how long a zone's supervisor is asked.
const membersLimit = 30 * time.Second

// members tells who is in contracts: of a zone, which its supervisor is asked for, in the host's
// numbers of processes; or of this zone.
func members(zone string, ids []uint64) (map[uint64]svcs.Held, error) {
	if zone == "" {
		return svcs.Members(ids)
	}
	ctx, cancel := context.WithTimeout(context.Background(), membersLimit)
	defer cancel()
	lines, err := (&api.Client{Layout: layout.FromEnv(), Zone: zone}).Contracts(ctx)
	if err != nil {
		return nil, fmt.Errorf("zone '%s': %w", zone, err)
	}
	members := map[uint64]svcs.Held{}
	for _, line := range lines {
		var st contract.Status
		if err := json.Unmarshal(line, &st); err != nil {
			return nil, fmt.Errorf("zone '%s': %w", zone, err)
		}
		if _, wanted := slices.BinarySearch(ids, uint64(st.ID)); wanted {
			members[uint64(st.ID)] = svcs.HeldBy(&st)
		}
	}
	return members, nil
}
