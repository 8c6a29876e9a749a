package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/admin"
	"github.com/linuxzones/zones/zoned/api"
)

// Exit codes, the original's.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	// What is made below /run/zones is for every user to read, whatever the caller's mask.
	syscall.Umask(0o022)
	os.Exit(run(os.Args[1:], admin.Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTTY: term.IsTerminal(0), OutTTY: term.IsTerminal(1), ErrTTY: term.IsTerminal(2),
	}))
}

// run is the whole program but for the process around it.
func run(args []string, io admin.Streams) int {
	ctx, stop := interruptible()
	defer stop()
	c, err := parse(args)
	if err == nil {
		err = c.do(ctx, io)
	}
	return report(io.Err, c, err)
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ sig os.Signal }

func (i interrupted) Error() string { return fmt.Sprintf("interrupted (%s)", i.sig) }

// interruptible gives a context that a signal to end this program ends: an installation
// then stops in order, and a supervisor's work goes on.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	gone := make(chan struct{})
	go func() { // ended by stop
		defer close(gone)
		select {
		case s := <-ch:
			signal.Stop(ch) // a second one ends the program at once
			cancel(interrupted{s})
		case <-done:
		}
	}()
	return ctx, func() { signal.Stop(ch); close(done); <-gone; cancel(nil) }
}

// report turns what came of a command into one line and an exit code.
func report(w io.Writer, c *command, err error) int {
	var usage *admin.UsageError
	var findings *admin.FsckError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &findings):
		return findings.Code
	case errors.Is(err, admin.ErrSaid):
		return exitError
	case errors.As(err, &usage):
		line := "zoneadm: "
		if c != nil && c.name != "" {
			line += string(c.name) + ": "
		}
		line += admin.Printable(usage.Why)
		if c != nil && c.usage() != "" {
			line += "; usage: " + c.usage()
		}
		_, _ = fmt.Fprintln(w, line)
		if c != nil && c.name == admin.Fsck {
			return admin.FsckUsage
		}
		return exitUsage
	}
	zone := ""
	if c != nil {
		zone = c.zone
	}
	_, _ = fmt.Fprintln(w, admin.Line(zone, err.Error()))
	if c != nil && c.name == admin.Fsck {
		return admin.FsckFailed
	}
	return exitError
}

// wire puts together what carries a command out.
func (c *command) wire(streams admin.Streams) *admin.Admin {
	l := layout.FromEnv()
	if c.root != "" {
		l = layout.At(c.root)
	}
	a := &admin.Admin{
		Layout: l, Store: configs.Open(l), Zone: c.zone,
		Privileged: os.Geteuid() == 0, Streams: streams,
		Image: admin.Disk{}, AltRoot: c.root != "", Libexec: libexec,
	}
	debug := func(line string) {
		if c.verbose {
			a.Say(line)
		}
	}
	a.Door = func(zone string, start admin.Starting) admin.Door {
		d := &api.Client{Layout: l, Zone: zone, Startup: a.Startup, Debug: debug, Locale: api.Locale()}
		if start == admin.StartIfDead {
			d.Start = (&api.Spawner{Layout: l, Warn: a.Say}).Start
		}
		return d
	}
	a.Console = func(ctx context.Context, zone string) (*sys.FD, error) {
		d := &api.Client{Layout: l, Zone: zone, Startup: a.Startup, Debug: debug, Locale: api.Locale()}
		d.Start = (&api.Spawner{Layout: l, Warn: a.Say}).Start
		return d.DialConsole(ctx)
	}
	return a
}

// libexec is where the programs lie that are not for people: beside the supervisor's.
func libexec() (string, error) {
	p, err := api.FindProgram("zsched")
	if err != nil {
		return "", err
	}
	return filepath.Dir(p), nil
}
