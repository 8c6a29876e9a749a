package wire

import (
	"strconv"
	"strings"
)

// argsMax is the most of a boot argument string that a notice repeats: BOOTARGS_MAX of the
// original, and room for the dots.
const argsMax = 256

// Notice is an event of the zone that everybody at its console is told.
type Notice int

// The events of zoneadmd's zcons.c.
const (
	Booting         Notice = iota // arguments: the boot arguments, if any
	Readied                       //
	Halted                        // drops a client that asked for it
	Rebooting                     // arguments: the boot arguments, if any
	Uninstalling                  // drops every client
	BootFailed                    // drops a client that asked for it
	BadBootArgs                   // arguments: those that are ignored
	noticeKindCount = iota
)

// drops says whom a notice disconnects.
type drops int

const (
	dropsNobody drops = iota
	dropsWhoAsked
	dropsAll
)

var notices = [noticeKindCount]struct {
	text     string
	withArgs string
	drops    drops
}{
	Booting:      {"NOTICE: Zone booting up", " with arguments: ", dropsNobody},
	Readied:      {"NOTICE: Zone readied", "", dropsNobody},
	Halted:       {"NOTICE: Zone halted", "", dropsWhoAsked},
	Rebooting:    {"NOTICE: Zone rebooting", " with arguments: ", dropsNobody},
	Uninstalling: {"NOTICE: Zone is being uninstalled", "", dropsAll},
	BootFailed:   {"NOTICE: Zone boot failed", "", dropsWhoAsked},
	BadBootArgs:  {"WARNING: Ignoring invalid boot arguments", ": ", dropsNobody},
}

// Drops says whether the notice ends the connection of a client that did or did not ask to
// be dropped with the zone.
func (n Notice) Drops(asked bool) bool {
	d := notices[n].drops
	return d == dropsAll || d == dropsWhoAsked && asked
}

// Text is what is put between the output. asked: the console's holder asked to be dropped
// with the zone.
func (n Notice) Text(args string, asked bool) string {
	s := notices[n].text
	if args != "" && notices[n].withArgs != "" {
		s += notices[n].withArgs + printable(args)
	}
	if n.Drops(asked) {
		s += ".  Disconnecting..."
	}
	return bracketed(s)
}

// LostText tells a person at a console how much of its output is missing here.
func LostText(n uint64) string {
	what := " bytes"
	if n == 1 {
		what = " byte"
	}
	return bracketed("NOTICE: " + strconv.FormatUint(n, 10) + what + " of console output lost")
}

// RestartedText tells that an unknown amount is missing: the memory was begun anew.
func RestartedText() string {
	return bracketed("NOTICE: console restarted; earlier output may be lost")
}

// TakenText tells a writer that another process has the console; it is not known any more with
// pid 0.
func TakenText(pid int) string {
	by := ""
	if pid > 0 {
		by = " by process ID " + strconv.Itoa(pid)
	}
	return bracketed("NOTICE: Console taken over" + by + ".  Watching...")
}

func bracketed(s string) string { return "\r\n[" + s + "]\r\n" }

// printable makes an argument harmless to a terminal and keeps it on the line.
func printable(s string) string {
	cut := len(s) > argsMax
	if cut {
		s = s[:argsMax]
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if cut {
		s += "..."
	}
	return s
}
