package whole

import (
	"net"
	"os"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// interfaces are those that a text like /proc/net/dev names, without the tests' own, which
// come and go.
func interfaces(text string) string {
	var names []string
	for line := range strings.Lines(text) {
		name, _, found := strings.Cut(line, ":")
		if found {
			names = append(names, strings.TrimSpace(name))
		}
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

// TestExclusive: a stack of the zone's own, with loopback up and nothing else.
func TestExclusive(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "x")
	if got := interfaces(inZone(t, z, "x", "cat /proc/net/dev")); got != "lo" {
		t.Errorf("the zone's interfaces: %s", got)
	}
	if got := inZone(t, z, "x", "ls /sys/class/net; cat /proc/sys/net/ipv4/ping_group_range; grep -c . /proc/net/route"); got != "lo\n0\t65535\n1\n" {
		t.Errorf("the zone's stack: %q", got)
	}
	// Loopback carries data, on an address and port that the host's own may have too.
	inZone(t, z, "x", as("loopback"))
	// The stack is the zone's to set up, and nobody else's.
	inZone(t, z, "x", "ip link add d0 type dummy && ip addr add 192.0.2.1/24 dev d0 && ip link set d0 up && ip link set lo down && ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward")
	if _, err := net.InterfaceByName("d0"); err == nil {
		t.Error("an interface of the zone is on the host")
	}
}

// TestSharedStack: with ip-type shared a zone sees the host's stack and can not change it.
func TestSharedStack(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "h", "set ip-type=shared")
	host, err := os.Readlink("/proc/self/ns/net")
	must(t, err)
	if got := strings.TrimSpace(inZone(t, z, "h", "readlink /proc/self/ns/net")); got != host {
		t.Errorf("the zone's network namespace is %s, the host's %s", got, host)
	}
	if got := inZone(t, z, "h", "cat /proc/net/dev"); !strings.Contains(got, " lo:") {
		t.Errorf("the zone's interfaces: %s", got)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	inZone(t, z, "h", as("dial", listener.Addr().String()))
	for _, c := range []string{
		"ip link add d0 type dummy", "ip addr add 192.0.2.1/32 dev lo", "ip link set lo down", "ip route add blackhole 192.0.2.0/24",
		"echo 1 >/proc/sys/net/ipv4/ip_forward", "ip netns add n",
	} {
		if s := zlogin(t, z, "h", c); s.exit == 0 {
			t.Errorf("%s succeeded", c)
		}
	}
	var flags unix.Stat_t
	if unix.Stat("/run/netns/n", &flags) == nil {
		t.Error("a network namespace of the zone's making is on the host")
	}
}
