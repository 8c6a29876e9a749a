package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/linuxzones/zones/zoned/admin"
)

// subcommands is every subcommand there is. It is filled in init, since help reads it.
var subcommands map[admin.Command]subcommand

func init() {
	subcommands = map[admin.Command]subcommand{}
	maps.Copy(subcommands, running())
	maps.Copy(subcommands, files())
	maps.Copy(subcommands, telling())
	maps.Copy(subcommands, consoles())
}

// running are the subcommands about a zone's life.
func running() map[admin.Command]subcommand {
	return map[admin.Command]subcommand{
		admin.Boot: {
			spec: "f", operands: many, synopsis: "boot [-f] [-- boot_arguments]", do: doTransition,
			about: "Boot the zone, making it ready first if need be.",
			more: `Boot arguments:
	-i path   run path instead of the brand's init
	-m opts   options for the service manager: quiet, verbose, debug, milestone=...
	-s        boot to single user
Without arguments those of the zone's configuration (bootargs) serve.
-f boots a zone that is incomplete as well.`,
		},
		admin.Halt: {
			spec: "v", synopsis: "halt [-v]", do: doTransition, about: "Halt the zone at once: its processes are killed.",
			more: "-v says what was checked to be gone. What is left is named, and the exit code is 1.",
		},
		admin.Ready: {synopsis: "ready", do: doTransition, about: "Prepare the zone: everything but its processes."},
		admin.Reboot: {
			operands: many, synopsis: "reboot [-- boot_arguments]", do: doTransition,
			about: "Halt the zone at once and boot it again.",
		},
		admin.Shutdown: {
			spec: "r", operands: many, synopsis: "shutdown [-r [-- boot_arguments]]", do: doTransition,
			about: "Have the zone shut itself down in order.",
			more:  "-r boots it again afterwards.",
		},
		admin.Upgrade: {
			spec: "a", synopsis: "upgrade [-a]", anyZone: true, do: doUpgrade,
			about: "Have the installed programs take over a running zone, which does not notice.",
			more: `	-a   all zones that run
Programs of an older build are refused. When the new ones do not come to serve, those before go on.`,
		},
	}
}

// files are those about what is on disk.
func files() map[admin.Command]subcommand {
	return map[admin.Command]subcommand{
		admin.Install: {
			spec: "a:d:", synopsis: "install [-a archive | -d directory]", do: doInstall,
			about: "Put the zone's root file system on disk.",
			more: `A zone of brand sparse is installed from the host and takes no option. One of another
brand takes
	-a archive     a tar archive, plain or compressed with gzip, xz or zstd
	-d directory   a directory that holds a root file system, which is copied
An installation that is interrupted leaves the zone incomplete: uninstall it.`,
		},
		admin.Mark: {
			operands: exactlyOne, synopsis: "mark incomplete", altRoot: true, do: doMark,
			about: "Mark an installed zone as incomplete; uninstall it then.",
		},
		admin.Uninstall: {
			spec: "F", synopsis: "uninstall [-F]", do: doUninstall,
			about: "Remove the zone's files. Asks first; -F does not.",
		},
		admin.Verify: {
			synopsis: "verify", do: func(_ context.Context, _ *command, a *admin.Admin) error { return a.Verify(admin.Verify) },
			about: "Check whether the zone can be installed and booted on this host.",
		},
	}
}

// telling are those that only tell.
func telling() map[admin.Command]subcommand {
	return map[admin.Command]subcommand{
		admin.Check: {
			spec: "o:", synopsis: "check [-o json]", noZone: true, do: doCheck,
			about: "Say what this host offers and lacks for zones, and what follows.",
			more:  "Exit code 0: all that is needed is there. 1: something needed is lacking.",
		},
		admin.Fsck: {
			spec: "n", synopsis: "fsck [-n]", anyZone: true, do: doFsck,
			about: "Find what dead zones have left on the host, and take it away.",
			more: `	-n   say what is left and change nothing
Without -z: of all zones, those without a configuration too. What a living zone has, and what
is not provably ours, is not touched.
Exit codes, which add up: 0 nothing was left. 1 something was, and is gone. 4 something is left.
8 it could not be looked at everything. 16 the command line makes no sense.`,
		},
		admin.Help: {
			operands: optionalOne, synopsis: "help [subcommand]", noZone: true, do: doHelp,
			about: "Print this, or what there is to know of a subcommand.",
		},
		admin.List: {
			spec: "cinpvo:", synopsis: "list [-cin] [-p | -v | -o json]", altRoot: true, do: doList,
			about: "List zones: the running ones, unless told otherwise.",
			more: `	-c   all zones that are configured
	-i   all zones that are installed
	-n   without the global zone, the host
	-p   for programs: id:name:state:path:uuid:brand:ip-type, a colon in a path is \:
	-v   a table
	-o json   a JSON document
With -z, that zone whatever its state is.`,
		},
		admin.Plan: {
			synopsis: "plan", do: doPlan,
			about: "Print as JSON how the zone is or would be built.",
		},
	}
}

// consoles are those about a zone's console.
func consoles() map[admin.Command]subcommand {
	return map[admin.Command]subcommand{
		admin.ConsoleLog: {
			spec: "f", synopsis: "console-log [-f]", do: doConsoleLog,
			about: "Print what the zone has written on its console, as plain text.",
			more: `-f goes on with what it writes, until it is interrupted.
How much is kept: attributes console-log-size and console-log-count, see zones(5).`,
		},
		admin.ConsoleRecord: {
			spec: "f", operands: exactlyOne, synopsis: "console-record [-f] file", do: doConsoleRecord,
			about: "Record the zone's console in a file, as asciicast v2, until interrupted.",
			more:  "-f overwrites a file that is there.",
		},
	}
}

func doConsoleLog(ctx context.Context, c *command, a *admin.Admin) error {
	return a.ConsoleLog(ctx, admin.Follow(c.opts.Has('f')))
}

func doConsoleRecord(ctx context.Context, c *command, a *admin.Admin) error {
	return a.ConsoleRecord(ctx, c.opts.Operands[0], admin.Force(c.opts.Has('f')))
}

func doMark(_ context.Context, c *command, a *admin.Admin) error { return a.Mark(c.opts.Operands[0]) }

func doPlan(_ context.Context, _ *command, a *admin.Admin) error { return a.Plan() }

func doHelp(_ context.Context, c *command, a *admin.Admin) error {
	if len(c.opts.Operands) == 0 {
		return overview(a.Out)
	}
	s, ok := subcommands[admin.Command(c.opts.Operands[0])]
	if !ok {
		return badUsage("unknown subcommand %q", c.opts.Operands[0])
	}
	text := "usage:\t" + s.line() + "\n" + s.about + "\n"
	if s.more != "" {
		text += s.more + "\n"
	}
	_, err := io.WriteString(a.Out, text)
	return err
}

func overview(w io.Writer) error {
	text := "usage:\tzoneadm [-R root] [-z zone] [-u uuid] subcommand [options]\n"
	for _, name := range slices.Sorted(maps.Keys(subcommands)) {
		s := subcommands[name]
		text += fmt.Sprintf("\n%s\n\t%s\n", s.line(), s.about)
	}
	_, err := io.WriteString(w, text+"\nExit codes: 0 done, 1 failed, 2 the command line makes no sense.\n")
	return err
}
