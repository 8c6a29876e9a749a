package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/admin"
)

var allCommands = []admin.Command{
	admin.Boot, admin.Check, admin.Halt, admin.Help, admin.Install, admin.List, admin.Mark, admin.Plan,
	admin.Ready, admin.Reboot, admin.Shutdown, admin.Uninstall, admin.Verify,
}

// TestRefusalTable holds every pair of command and state against a table that was checked by
// eye once.
func TestRefusalTable(t *testing.T) {
	var b strings.Builder
	for _, cmd := range allCommands {
		for s := configs.Configured; s <= configs.Down; s++ {
			why := admin.Refusal(cmd, s, admin.Unforced)
			if why == "" {
				why = "-"
			}
			fmt.Fprintf(&b, "%-10s %-14s %s\n", cmd, s, why)
		}
	}
	golden(t, "refusals.txt", b.String())
}

func TestForcedBoot(t *testing.T) {
	if why := admin.Refusal(admin.Boot, configs.Incomplete, admin.Forced); why != "" {
		t.Errorf("boot -f of an incomplete zone: %s", why)
	}
	if why := admin.Refusal(admin.Boot, configs.Configured, admin.Forced); why != "must be installed before boot." {
		t.Errorf("boot -f of a configured zone: %q", why)
	}
	if why := admin.Refusal(admin.Ready, configs.Incomplete, admin.Forced); why == "" {
		t.Error("force lifts more than boot's refusal")
	}
}

func TestSane(t *testing.T) {
	r := newRig(t)
	r.zone("web", configs.Installed)
	for _, c := range []struct {
		zone string
		cmd  admin.Command
		root bool
		want string
	}{
		{"", admin.Boot, true, "no zone specified"},
		{"global", admin.Boot, true, "boot operation is invalid for the global zone."},
		{"global", admin.Uninstall, true, "uninstall operation is invalid for the global zone."},
		{"SUNWx", admin.Halt, true, "halt operation is invalid for zones starting with SUNW."},
		{"web", admin.Boot, false, "only a privileged user may boot a zone."},
		{"web", admin.Plan, false, ""},
		{"nosuch", admin.Boot, true, "No such zone configured"},
		{"web", admin.Install, true, "is already installed."},
		{"web", admin.Reboot, true, "not running"},
		{"web", admin.Boot, true, ""},
		{"web", admin.Halt, true, ""},
	} {
		r.Zone, r.Privileged = c.zone, c.root
		_, err := r.Sane(c.cmd, admin.Unforced)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s of %q, root %v: %q, want %q", c.cmd, c.zone, c.root, got, c.want)
		}
	}
}

func TestLine(t *testing.T) {
	for _, c := range []struct{ zone, text, want string }{
		{"web", "not running", "zoneadm: zone 'web': not running"},
		{"", "no zone specified", "zoneadm: no zone specified"},
		{"web", "a\nb\x1b[2J\x7f\u0085é\xff", `zoneadm: zone 'web': a\x0ab\x1b[2J\x7f\x85é` + "\ufffd"},
	} {
		if got := admin.Line(c.zone, c.text); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := admin.Printable(strings.Repeat("x", 10000)); len(got) > 5000 {
		t.Errorf("%d bytes of one message", len(got))
	}
}
