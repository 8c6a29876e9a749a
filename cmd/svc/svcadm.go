package main

import (
	"context"
	"os"
	"slices"
	"time"

	"golang.org/x/term"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/svcadm"
)

// svcadmMain gives svcadm what it works with. A signal that ends a wait ends the program, as it does
// any other.
func svcadmMain(args []string) int {
	env := &svcadm.Env{
		Out: forPerson(os.Stdout), Err: forPerson(os.Stderr), Open: open, Present: present,
		Terminal: func() bool { return term.IsTerminal(int(os.Stdin.Fd())) }, Service: ownService, Now: time.Now,
	}
	if !inZone() {
		env.Zone, env.Zones = openZone, runningZones
	}
	return svcadm.Main(context.Background(), env, args)
}

// ownService is the service whose process this is: that of the contract that it is in. Empty: of
// none, or it cannot be found out.
func ownService() string {
	if !inZone() {
		return ""
	}
	fs, err := contract.Find()
	if err != nil {
		return ""
	}
	defer fs.Close()
	all, err := fs.Statuses()
	if err != nil {
		return ""
	}
	for i := range all {
		if !slices.Contains(all[i].Members, int32(os.Getpid())) {
			continue
		}
		if f, err := fmri.Parse(all[i].Terms.FMRI); err == nil && f.Scheme == fmri.Service && f.Instance != "" {
			return f.String()
		}
	}
	return ""
}
