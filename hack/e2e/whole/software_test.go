package whole

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestSoftware is what a distribution's own tools do in a whole zone.
func TestSoftware(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	wholeZone(t, z, "w")
	t.Run("su", func(t *testing.T) { su(t, z) })
	t.Run("setuid", func(t *testing.T) { setuid(t, z) })
	t.Run("packages", func(t *testing.T) { packages(t, z) })
	silent(t, z, "w", "reboot")
	if got := inZone(t, z, "w", "zone-greeting; dpkg -s zone-greeting | grep ^Status"); got != "hello from a package\nStatus: install ok installed\n" {
		t.Errorf("after a reboot: %q", got)
	}
}

func su(t *testing.T, z *testenv.Zones) {
	if got := inZone(t, z, "w", "su - alice -c 'id -un; pwd; exit 7' || echo $?"); got != "alice\n/home/alice\n7\n" {
		t.Errorf("su - alice: %q", got)
	}
	if got := inZone(t, z, "w", "su -s /bin/sh bob -c 'id -un'; setpriv --reuid nobody --regid nogroup --clear-groups id -un"); got != "bob\nnobody\n" {
		t.Errorf("su to who has no shell, setpriv: %q", got)
	}
	// Without a password nobody becomes root.
	s := zlogin(t, z, "-l", "alice", "w", "su -c id </dev/null")
	if s.exit == 0 || strings.Contains(s.out, "uid=0") {
		t.Errorf("alice became root: %v", s)
	}
}

// setuid programs give the zone's ids where the zone has them, and nothing on memory file systems.
func setuid(t *testing.T, z *testenv.Zones) {
	inZone(t, z, "w", "for d in /var/tmp /tmp /dev/shm /run; do cp /usr/bin/id $d/sid; chown root:root $d/sid; chmod 4755 $d/sid; done")
	if got := inZone(t, z, "w", "su alice -c '/var/tmp/sid -u; /var/tmp/sid -ru'"); got != "0\n1001\n" {
		t.Errorf("a setuid program gives %q", got)
	}
	if got := inZone(t, z, "w", "su alice -c '/tmp/sid -u; /run/sid -u'"); got != "1001\n1001\n" {
		t.Errorf("a setuid program on a memory file system gives %q", got)
	}
	fails(t, z, "w", "su alice -c '/dev/shm/sid -u'", "Permission denied")
	// alice changes her own entry through the setuid chsh; she is asked for no password only
	// when she has none.
	inZone(t, z, "w", "passwd -d alice >/dev/null && su alice -c 'chsh -s /bin/sh' && grep -q '^alice:.*:/bin/sh$' /etc/passwd && chsh -s /bin/bash alice")
	if got := owner(t, inside(z, "w", "/var/tmp/sid")); got != "0:0 4755" {
		t.Errorf("on disk the program is %s", got)
	}
}

// packages are built by the test: no network.
func packages(t *testing.T, z *testenv.Zones) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"DEBIAN/control": "Package: zone-greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: Tests <tests@localhost>\nDescription: says hello\n",
		"DEBIAN/postinst": "#!/bin/sh\nset -e\nadduser --system --quiet --no-create-home greeter 2>/dev/null || useradd -r greeter\n" +
			"install -d -o greeter /var/lib/greeting\nchown greeter /var/lib/greeting\n",
		"DEBIAN/conffiles":       "/etc/zone-greeting.conf\n",
		"DEBIAN/prerm":           "#!/bin/sh\nset -e\nrm -rf /var/lib/greeting\n",
		"usr/bin/zone-greeting":  "#!/bin/sh\necho hello from a package\n",
		"etc/zone-greeting.conf": "a=b\n",
	} {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	deb := inside(z, "w", "/var/tmp/zone-greeting.deb")
	hostCommand(t, "dpkg-deb", "--root-owner-group", "-b", dir, deb)
	must(t, os.Chmod(deb, 0o644))
	inZone(t, z, "w", "apt-get check -qq")
	inZone(t, z, "w", "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq /var/tmp/zone-greeting.deb >/var/tmp/apt.log 2>&1 || { cat /var/tmp/apt.log; exit 1; }")
	if got := inZone(t, z, "w", "zone-greeting; stat -c %U /var/lib/greeting; dpkg -S /usr/bin/zone-greeting"); got != "hello from a package\ngreeter\nzone-greeting: /usr/bin/zone-greeting\n" {
		t.Errorf("the package: %q", got)
	}
	inZone(t, z, "w", "apt-get remove -y -qq zone-greeting >/dev/null 2>&1 && ! test -e /usr/bin/zone-greeting && ! test -e /var/lib/greeting && test -e /etc/zone-greeting.conf")
	inZone(t, z, "w", "dpkg -i /var/tmp/zone-greeting.deb >/dev/null && dpkg --audit && dpkg -V zone-greeting && apt-get check -qq")
	if s := zlogin(t, z, "-l", "alice", "w", "dpkg -i /var/tmp/zone-greeting.deb"); s.exit == 0 {
		t.Errorf("an ordinary user installs packages: %v", s)
	}
}
