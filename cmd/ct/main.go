package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/tool"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/zoned/api"
)

func main() {
	env := &tool.Env{Out: os.Stdout, Err: os.Stderr, Open: open, Serve: serve, Sources: zoneSources}
	os.Exit(tool.Main(env, filepath.Base(os.Args[0]), os.Args[1:]))
}

// open finds the contracts of the host, which are served from then on.
func open() (*contract.FS, error) {
	f, err := contract.Find()
	if !errors.Is(err, contract.ErrNoFS) {
		return f, err
	}
	if err := serve(); err != nil {
		return nil, err
	}
	return contract.Find()
}

const (
	// serveTries bounds how often a server is looked for that says it is there.
	serveTries = 100
	// servePause is between two looks at who is coming or leaving.
	servePause = 20 * time.Millisecond
	// serveLimit bounds the wait for one that another has started or that leaves: on a host that
	// swaps loading the collector alone takes seconds.
	serveLimit = time.Minute
)

// serve starts the server of the host's contracts and returns when they can be used.
func serve() error {
	if os.Geteuid() != 0 {
		return contract.ErrNoServer
	}
	s := &api.Spawner{Layout: layout.FromEnv(), Warn: say}
	end := time.Now().Add(serveLimit)
	var err error
	for tries := 0; tries < serveTries && time.Now().Before(end); {
		// One that is in charge is coming, and will be found, or leaving, and is succeeded.
		if err = s.Start(context.Background(), "global", say); err != nil && !errors.Is(err, api.ErrInCharge) {
			return fmt.Errorf("start the server of the host's contracts: %w", err)
		}
		f, found := contract.Find()
		if found == nil {
			return f.Close()
		}
		if !errors.Is(found, contract.ErrNoFS) {
			return found
		}
		if err == nil {
			tries++
		}
		<-time.After(servePause)
	}
	if err == nil {
		err = errors.New("it is there, and its file system is not: this mount namespace does not follow the host's")
	}
	return fmt.Errorf("start the server of the host's contracts: %w", err)
}

func say(line string) { fmt.Fprintf(os.Stderr, "ctrun: %s\n", line) }
