package initd

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/session"
	"github.com/linuxzones/zones/svc/zonename"
)

// runDirs are what programs expect of a fresh /run. With the sticky bit, as on the host.
var runDirs = []struct {
	path string
	mode os.FileMode
}{
	{"/run/lock", 0o777 | os.ModeSticky},
	{"/run/user", 0o755},
}

// setUp makes what every process of the zone finds. Nothing of it stops a boot.
func setUp(say func(string)) {
	unix.Umask(session.Umask)
	if err := os.Chdir("/"); err != nil {
		say("WARNING: init: " + err.Error())
	}
	// What was given, with our directory in front: an image's own PATH stays.
	if given := os.Getenv("PATH"); given == "" {
		os.Setenv("PATH", session.Path(0))
	} else if !strings.HasPrefix(given, zoneBin) {
		os.Setenv("PATH", zoneBin+":"+given)
	}
	for _, dir := range runDirs {
		if err := os.MkdirAll(dir.path, 0o755); err != nil {
			say("WARNING: init: " + err.Error())
			continue
		}
		os.Chmod(dir.path, dir.mode)
	}
	if err := writeName(); err != nil {
		say("WARNING: init: " + err.Error())
	}
	placeTools(zoneTools, "/")
}

// zoneTools holds the zone's commands as they stand in a tree: usr/sbin/svccfg and so on.
const zoneTools = "/lib/svc/tools"

// placeTools links the zone's commands into a tree that lacks them: brand whole has a /usr of its
// own. What is there is its owner's, also where it is a link that leads nowhere, and a tree that
// can not be written has them from us already: nothing of this is worth a word.
func placeTools(from, root string) {
	for _, dir := range []string{"usr/bin", "usr/sbin"} {
		entries, err := os.ReadDir(filepath.Join(from, dir))
		if err != nil {
			continue
		}
		for _, e := range entries {
			target, err := os.Readlink(filepath.Join(from, dir, e.Name()))
			if err == nil {
				_ = os.Symlink(target, filepath.Join(root, dir, e.Name()))
			}
		}
	}
}

// zoneBin is where the zone's own programs are.
const zoneBin = "/lib/svc/bin"

// writeName leaves the zone's name for zonename(1).
func writeName() error {
	name, err := zonename.AtBoot()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(zonename.File, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(name + "\n"); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// banner is what a console shows first.
func banner(o options, args []string) []string {
	var u unix.Utsname
	unix.Uname(&u)
	lines := []string{
		"",
		"Zones for Linux, kernel " + text(u.Release[:]) + " " + text(u.Machine[:]),
		"Hostname: " + account.Printable(text(u.Nodename[:])),
	}
	if len(args) > 0 {
		lines = append(lines, "Boot arguments: "+account.Printable(strings.Join(args, " ")))
	}
	if o.single {
		lines = append(lines, "Single-user mode: no services are started but those of the milestone single-user.")
	}
	return lines
}

func text(b []byte) string { return unix.ByteSliceToString(b) }
