package attack

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// allowedCalls are those of call_role_test.go that must succeed, to show that they are made; all
// others must fail, with whatever error the kernel or the filter has for them.
var allowedCalls = map[string]bool{"unix": true, "inet": true, "route": true, "ia32-getpid": true, "ia32-unix": true}

// called: no socket, setting or privilege that reaches beyond the zone is had, be the zone one that
// may mount or one with the host's network stack.
func called(t *testing.T) {
	z := testenv.Instance(t)
	for zone, commands := range map[string][]string{"own": nil, "shared": {"set ip-type=shared"}, "mounts": {"set limitpriv=default,sys_mount"}} {
		booted(t, z, zone, commands...)
		seen := map[string]bool{}
		for line := range strings.Lines(z.In(zone, as("calls"))) {
			what, outcome, _ := cutLast(strings.TrimSpace(line))
			seen[what] = true
			switch {
			case what == "nested" && zone == "mounts": // it may make user namespaces
			case what == "uevent" && zone != "shared": // heard in its own network stack
			case allowedCalls[what] != (outcome == "ok"):
				t.Errorf("zone %s: %s: %s", zone, what, outcome)
			}
		}
		for what := range allowedCalls {
			if !seen[what] && !strings.HasPrefix(what, "ia32") {
				t.Errorf("zone %s: %s was not tried", zone, what)
			}
		}
		if len(seen) < 20 {
			t.Errorf("zone %s: only %d calls were made", zone, len(seen))
		}
		halted(t, z, zone)
	}
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// sought: a zone looks for sockets of the host's and of another zone's, and for processes. In its
// own network stack there are none; in the host's, which it was given, it finds what others have
// there, and nothing of ours.
func sought(t *testing.T) {
	z := testenv.Instance(t)
	booted(t, z, "own")
	booted(t, z, "other")
	booted(t, z, "shared", "set ip-type=shared")
	abstract := fmt.Sprintf("@zones-attack-%d", os.Getpid())
	l, err := net.Listen("unix", abstract)
	must(t, err)
	defer l.Close()
	names := []string{abstract, door(z, "own"), door(z, "other"), filepath.Join(z.ZoneState("other"), "console"), "/run/systemd/private", "/run/dbus/system_bus_socket", "/var/run/docker.sock"}
	before := z.Status("other")
	for _, zone := range []string{"own", "shared"} {
		out := z.In(zone, as("sockets", names...))
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			switch f[0] {
			case "connect":
				if reach := f[1] == abstract && zone == "shared"; reach != (f[2] == "ok") {
					t.Errorf("zone %s: %s", zone, line)
				}
			case "listed":
				// Names in the file system lead nowhere in the zone; abstract ones would.
				ours := strings.HasSuffix(f[1], "/door") || strings.HasSuffix(f[1], "/console")
				if abstracts := f[1][0] == '@'; zone == "own" && (ours || f[1] == abstract) || ours && abstracts {
					t.Errorf("zone %s sees %s", zone, f[1])
				}
			case "kill":
				if f[1] != "ok" {
					t.Errorf("zone %s: %s", zone, line)
				}
			}
		}
		if !strings.Contains(out, "processes ") || !strings.Contains(out, "connect "+abstract) {
			t.Errorf("zone %s: the attack was not made: %s", zone, out)
		}
	}
	// The same socket is there for who is on the host, so that the failure means something.
	c, err := net.Dial("unix", abstract)
	must(t, err)
	c.Close()
	// Everybody whom the zone can reach is killed: nobody else notices.
	zlogin(t, z, "own", "kill -KILL -1")
	if after := z.Status("other"); after != before {
		t.Errorf("the other zone was %+v and is %+v", before, after)
	}
	must(t, unix.Kill(os.Getpid(), 0))
	for _, zone := range []string{"own", "other", "shared"} {
		halted(t, z, zone)
	}
}

func door(z *testenv.Zones, zone string) string { return filepath.Join(z.ZoneState(zone), "door") }
