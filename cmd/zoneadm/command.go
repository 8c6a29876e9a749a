package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/admin"
	"github.com/linuxzones/zones/zoned/admin/getopt"
	"github.com/linuxzones/zones/zoned/admin/hostcheck"
)

// command is a command line taken apart.
type command struct {
	root, zone, uuid string
	verbose          bool
	name             admin.Command
	opts             getopt.Parsed
}

// operands says how many a subcommand takes.
type operands int

const (
	none operands = iota
	optionalOne
	exactlyOne
	many
)

// subcommand is one line of the table below.
type subcommand struct {
	spec     string // its options, as getopt(3) wants them
	operands operands
	synopsis string
	about    string // one line for `help`
	more     string // what `help SUBCOMMAND` adds
	// altRoot: -R makes sense. noZone: it is not about one zone, and -z means nothing.
	// anyZone: without -z it is about all of them.
	altRoot, noZone, anyZone bool
	do                       func(ctx context.Context, c *command, a *admin.Admin) error
}

// usageOf is shown when even the subcommand is not known.
const usageOf = "zoneadm [-R root] [-z zone] [-u uuid] subcommand; see zoneadm help"

func badUsage(format string, args ...any) error {
	return &admin.UsageError{Why: fmt.Sprintf(format, args...)}
}

// parse takes the words apart. The command is returned beside an error as far as it was
// understood, so that the right usage can be shown.
func parse(args []string) (*command, error) {
	c := &command{}
	p, err := getopt.Parse(args, "R:z:u:v?")
	if err != nil {
		return c, badUsage("%v", err)
	}
	for _, o := range p.Options {
		switch o.Letter {
		case 'R':
			if !filepath.IsAbs(o.Arg) {
				return c, badUsage("root path %q must be absolute", o.Arg)
			}
			c.root = filepath.Clean(o.Arg)
		case 'z':
			c.zone = o.Arg
		case 'u':
			c.uuid = o.Arg
		case 'v':
			c.verbose = true
		case '?':
			c.name = admin.Help
			return c, nil
		}
	}
	if c.zone != "" && c.zone != configs.GlobalName && !strings.HasPrefix(c.zone, "SUNW") {
		if err := configs.CheckName(c.zone); err != nil {
			return &command{}, badUsage("%v", err)
		}
	}
	if len(p.Operands) == 0 {
		return c, badUsage("no subcommand given")
	}
	return c, c.parseSub(p.Operands[0], p.Operands[1:])
}

func (c *command) parseSub(word string, args []string) error {
	s, ok := subcommands[admin.Command(word)]
	if !ok {
		return badUsage("unknown subcommand %q", word)
	}
	c.name = admin.Command(word)
	var err error
	if c.opts, err = getopt.Parse(args, s.spec); err != nil {
		return badUsage("%v", err)
	}
	if c.root != "" && !s.altRoot {
		return badUsage("-R makes no sense with this subcommand")
	}
	n := len(c.opts.Operands)
	switch {
	case s.operands == none && n > 0, s.operands <= exactlyOne && n > 1:
		return badUsage("unexpected operand %q", c.opts.Operands[n-1])
	case s.operands == exactlyOne && n == 0:
		return badUsage("an operand is missing")
	}
	return nil
}

// usage is the synopsis of what was understood.
func (c *command) usage() string {
	if s, ok := subcommands[c.name]; ok {
		return s.line()
	}
	return usageOf
}

func (s subcommand) line() string {
	switch {
	case s.noZone:
		return "zoneadm " + s.synopsis
	case s.anyZone:
		return "zoneadm [-z zone] " + s.synopsis
	case s.altRoot:
		return "zoneadm [-R root] [-z zone] " + s.synopsis
	}
	return "zoneadm -z zone " + s.synopsis
}

// do carries the command out.
func (c *command) do(ctx context.Context, streams admin.Streams) error {
	a := c.wire(streams)
	if c.uuid != "" {
		if err := c.byUUID(a); err != nil {
			return err
		}
	}
	return subcommands[c.name].do(ctx, c, a)
}

// byUUID chooses the zone of the uuid; where there is none, the name that -z gave serves.
func (c *command) byUUID(a *admin.Admin) error {
	e, err := a.Store.LookupUUID(c.uuid)
	switch {
	case err == nil:
		c.zone, a.Zone = e.Name, e.Name
		return nil
	case errors.Is(err, configs.ErrNoUUID) && c.zone != "":
		return nil
	}
	return err
}

func doTransition(ctx context.Context, c *command, a *admin.Admin) error {
	o := admin.TransitionOptions{Force: admin.Force(c.opts.Has('f')), Reboot: c.opts.Has('r'), Verbose: c.opts.Has('v')}
	if len(c.opts.Operands) > 0 {
		o.Args = c.opts.Operands
	}
	if c.name == admin.Shutdown && o.Args != nil && !o.Reboot {
		return badUsage("boot arguments make sense with -r only")
	}
	return a.Transition(ctx, c.name, o)
}

func doList(_ context.Context, c *command, a *admin.Admin) error {
	o := admin.ListOptions{NoGlobal: c.opts.Has('n')}
	if c.opts.Has('i') {
		o.Which = admin.WhichInstalled
	}
	if c.opts.Has('c') {
		o.Which = admin.WhichAll
	}
	format, formatted := c.opts.Arg('o')
	forms := 0
	for _, f := range []struct {
		given bool
		form  admin.Form
	}{{c.opts.Has('v'), admin.FormTable}, {c.opts.Has('p'), admin.FormParsable}, {formatted, admin.FormJSON}} {
		if f.given {
			o.Form = f.form
			forms++
		}
	}
	if forms > 1 {
		return badUsage("-p, -v and -o are mutually exclusive")
	}
	if formatted && format != "json" {
		return badUsage("unknown format %q, allowed is json", format)
	}
	return a.List(o)
}

func doInstall(ctx context.Context, c *command, a *admin.Admin) error {
	var o admin.SourceOptions
	for letter, into := range map[byte]*string{'a': &o.Archive, 'd': &o.Directory} {
		v, given := c.opts.Arg(letter)
		if given && v == "" {
			return badUsage("-%c needs a path", letter)
		}
		*into = v
	}
	return a.Install(ctx, o)
}

func doUninstall(ctx context.Context, c *command, a *admin.Admin) error {
	return a.Uninstall(ctx, admin.Force(c.opts.Has('F')))
}

func doUpgrade(ctx context.Context, c *command, a *admin.Admin) error {
	switch all := c.opts.Has('a'); {
	case all && c.zone != "":
		return badUsage("-a and -z are mutually exclusive")
	case all:
		return a.UpgradeAll(ctx)
	}
	return a.Upgrade(ctx)
}

func doFsck(ctx context.Context, c *command, a *admin.Admin) error {
	return a.Fsck(ctx, admin.Reclaiming(!c.opts.Has('n')))
}

func doCheck(_ context.Context, c *command, a *admin.Admin) error {
	format, formatted := c.opts.Arg('o')
	if formatted && format != "json" {
		return badUsage("unknown format %q, allowed is json", format)
	}
	rep := hostcheck.Run(hostcheck.Host(a.Layout))
	if err := rep.Print(a.Out, hostcheck.Form(formatted)); err != nil {
		return err
	}
	if !rep.Enough() {
		return admin.ErrSaid
	}
	return nil
}
