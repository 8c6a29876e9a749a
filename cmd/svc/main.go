package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/bootimport"
	"github.com/linuxzones/zones/svc/outbox"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/smtpnotify"
	"github.com/linuxzones/zones/svc/svcprop"
)

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if len(args) == 0 {
		return 2
	}
	name, args := path.Base(args[0]), args[1:]
	switch name {
	case "svccfg":
		return svccfgMain(args)
	case "svcprop":
		// A signal that ends a wait ends the program, as it does any other.
		return svcprop.Main(context.Background(), &svcprop.Env{Out: forPerson(os.Stdout), Err: forPerson(os.Stderr), Open: open, Zone: openZone}, args)
	case "svcadm":
		return svcadmMain(args)
	case "svcs":
		return svcsMain(args)
	case "manifest-import":
		return bootimport.Main(&bootimport.Env{Out: os.Stdout, Err: os.Stderr, Open: open}, args)
	case "restore_repository":
		return restoreMain(args)
	case "smtp-notify":
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
		defer stop()
		return smtpnotify.Main(ctx, &smtpnotify.Env{Out: os.Stdout, Err: os.Stderr, Open: open, Dir: outbox.Dir}, args)
	case "repository-relay":
		if err := client.Relay("", os.Stdin, os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n", err)
			return 1
		}
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: this program is svccfg, svcadm, svcprop, svcs, manifest-import, restore_repository, smtp-notify or repository-relay, by its name\n", name)
	return 2
}

// open is the repository of the zone that this runs in.
func open() (door.Store, error) {
	if !inZone() {
		return nil, errNoRepository
	}
	return reached(client.New(client.Config{}))
}

// inZone: a host has no repository, and not what serves it where zones have it.
func inZone() bool {
	for _, path := range []string{door.DefaultPath, "/lib/svc/bin/svc.startd"} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// reached says at once when there is nobody at the door.
func reached(c *client.Client) (door.Store, error) {
	if _, err := c.Generation(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// errNoRepository is what the host says.
var errNoRepository = errors.New("this host has no repository of services, its zones have: try -z ZONE")
