package contracts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// served are the places and types of what the supervisor serves in a zone.
var served = map[string]string{"/system/contract": "fuse.ctfs", "/etc/mnttab": "fuse.mnttab"}

// mounted holds the kernel's table of the zone against what must be mounted, once each.
func mounted(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	table := inZone(t, z, zone, "cat /proc/self/mountinfo")
	for place, kind := range served {
		n := 0
		for line := range strings.Lines(table) {
			f := strings.Fields(line)
			if f[4] != place {
				continue
			}
			n++
			_, fs, _ := strings.Cut(line, " - ")
			if strings.Fields(fs)[0] != kind || !strings.Contains(f[5], "nosuid,nodev,noexec") {
				t.Errorf("%s", line)
			}
		}
		if n != 1 {
			t.Errorf("%s is mounted %d times:\n%s", place, n, table)
		}
	}
}

// TestServedIsLocked: root of a zone that may mount can neither take away nor move nor change
// what the supervisor has placed, nor uncover what lies below it.
func TestServedIsLocked(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a", "set limitpriv=default,sys_mount")
	mounted(t, z, "a")
	inZone(t, z, "a", "mkdir -p /mnt/x && mount -t tmpfs x /mnt/x && umount /mnt/x") // it may mount
	for place := range served {
		for _, c := range []string{
			"umount %s", "umount -l %s", "umount -f %s", "mount --move %s /mnt/x", "mount -o remount,suid,dev,exec %s",
			"mount -o remount,bind,suid %s", "rmdir %s", "rm -f %s", "mv %s /mnt/y", "mount --bind $(dirname %s) /mnt/x",
			"mount --rbind $(dirname %s) /mnt/x && umount -l /mnt/x/$(basename %s)", "pivot_root / %s",
			"unshare -m umount %s", "unshare -m umount -l %s", "unshare -Um umount -l %s", "chmod 777 %s", "chown 1 %s",
		} {
			command := strings.ReplaceAll(c, "%s", place)
			if s := login(t, z, "a", command); s.exit == 0 {
				t.Errorf("%s succeeded: %v", command, s)
			}
			login(t, z, "a", "umount -l /mnt/x")
		}
	}
	mounted(t, z, "a")
	if got := inZone(t, z, "a", "cat /system/contract/process/*/status | grep -c ^id"); got == "0\n" {
		t.Error("no contract is there any more")
	}
	live(t, z, "a")
	silent(t, z, "a", "halt")
}

// live: what the zone mounts is in its table at once, and not when it is unmounted.
func live(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	got := inZone(t, z, zone, `p=/mnt/live; mkdir -p $p; w() { grep -c "	$p	tmpfs	" /etc/mnttab; }; w; mount -t tmpfs x $p; w; umount $p; w; true`)
	if got != "0\n1\n0\n" {
		t.Errorf("the table of mounts is not live: %q", got)
	}
}

// TestTableSurvives: who reads or polls the table notices nothing of a supervisor's death, and
// times stay.
func TestTableSurvives(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a", "set limitpriv=default,sys_mount")
	z.ServicesUp("a") // until then they mount
	before := inZone(t, z, "a", "cat /etc/mnttab")
	run(t, z, "a", "exec 3</etc/mnttab; read first <&3; "+when+"{ echo $first; cat <&3; } >/var/tmp/table")
	testenv.Eventually(t, func() bool {
		for _, pid := range members(t, generation(t, z, "a")) {
			if hasOpen(pid, "/etc/mnttab") {
				return true
			}
		}
		return false
	}, "the table to be open")
	for range count(10) {
		successor(t, z, "a", z.KillZoned("a"))
		if got := inZone(t, z, "a", "cat /etc/mnttab"); got != before {
			t.Fatalf("the table was\n%s\nand is\n%s", before, got)
		}
		live(t, z, "a")
		time.Sleep(stormPause)
	}
	must(t, os.WriteFile(inside(z, "a", "/var/tmp/go"), nil, 0o644))
	awaitFile(t, z, "a", "/var/tmp/table", "the rest of the table", func(text string) bool {
		// The shell's own words join the first line's fields by blanks.
		_, want, _ := strings.Cut(before, "\n")
		_, got, _ := strings.Cut(text, "\n")
		return got == want
	})
	silent(t, z, "a", "halt")
	nothingRuns(t, z)
}

// TestPlaces: the mount points are made in a root that lacks them, with the modes of the
// original, and one of which something else has become is refused and left as it is.
func TestPlaces(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Must("zonecfg", "-z", "w", "create; set brand=whole; set zonepath="+z.ZonePath("w"))
	z.Must("zoneadm", "-z", "w", "install", "-d", testenv.BusyboxRoot(t))
	must(t, os.RemoveAll(inside(z, "w", "/system")))
	must(t, os.Remove(inside(z, "w", "/etc/mnttab")))
	silent(t, z, "w", "boot")
	mounted(t, z, "w")
	if got := inZone(t, z, "w", "ls -ld /system | cut -c 1-10; ls -ldn /system/contract | tr -s ' ' | cut -d ' ' -f 1,3,4"); got != "drwxr-xr-x\ndr-xr-xr-x 0 0\n" {
		t.Errorf("%q", got)
	}
	silent(t, z, "w", "halt")
	for name, mode := range map[string]os.FileMode{"/system": os.ModeDir | 0o755, "/system/contract": os.ModeDir | 0o555} {
		if info, err := os.Lstat(inside(z, "w", name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	must(t, os.Remove(inside(z, "w", "/system/contract")))
	victim := filepath.Join(z.Root, "victim")
	must(t, os.Mkdir(victim, 0o755))
	for what, make := range map[string]func(place string) error{
		"a link":           func(place string) error { return os.Symlink(victim, place) },
		"a link to a link": func(place string) error { return os.Symlink("../../victim", place) },
		"a file":           func(place string) error { return os.WriteFile(place, []byte("x"), 0o644) },
		"a pipe":           func(place string) error { return unix.Mkfifo(place, 0o644) },
	} {
		place := inside(z, "w", "/system/contract")
		must(t, make(place))
		out, errs, exit := z.Zoneadm("-z", "w", "boot")
		if exit != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "root/system/contract") {
			t.Errorf("with %s in the place: %v", what, said{out, errs, exit})
		}
		must(t, os.Remove(place))
	}
	if entries, err := os.ReadDir(victim); err != nil || len(entries) > 0 {
		t.Errorf("outside of the root lies %v, %v", entries, err)
	}
	silent(t, z, "w", "boot")
	silent(t, z, "w", "halt")
	nothingRuns(t, z)
}

// TestFirstInstruction: what init starts finds its contracts there, and init is in the first.
func TestFirstInstruction(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	for round := range 3 {
		ct := strings.TrimSpace(inZone(t, z, "a", "sed -n 's,^0::/ct/\\([0-9]*\\)/d$,\\1,p' /proc/1/cgroup"))
		status := inZone(t, z, "a", "cat /system/contract/all/"+ct+"/status")
		want := map[string]string{"id": ct, "zone": "a", "zoneid": fmt.Sprint(z.Status("a").ID), "type": "process", "state": "owned",
			"informative": "none", "critical": "none", "fatal": "hwerr", "params": "noorphan", "creator": "zsched"}
		for line := range strings.Lines(status) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if w, ok := want[key]; ok && w != value {
				t.Errorf("%s is %q, want %q", key, value, w)
			}
			delete(want, key)
			if key == "members" && !strings.HasPrefix(value+" ", "1 ") {
				t.Errorf("init is no member of its contract: %q", value)
			}
		}
		if len(want) > 0 {
			t.Errorf("the status lacks %v:\n%s", want, status)
		}
		// The login's own: an orphan, which goes with it.
		testenv.Eventually(t, func() bool { // the ones before may be on their way out
			return strings.TrimSpace(inZone(t, z, "a", "grep -l '^creator zlogin' /system/contract/process/*/status 2>/dev/null | wc -l")) == "1"
		}, "one contract of a login, with one login")
		if round < 2 {
			silent(t, z, "a", "reboot")
		}
	}
	silent(t, z, "a", "halt")
}

// TestLoginContract: a login is a contract of its own, nobody's, which ends with what the login
// leaves running.
func TestLoginContract(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	logins := func() string {
		return strings.TrimSpace(inZone(t, z, "a", "cd /system/contract/process; for c in [0-9]*; do grep -q '^creator zlogin' $c/status && echo $c $(sed -n 's/^state //p;s/^fatal //p;s/^params //p' $c/status); done; true"))
	}
	// It is the supervisor's until its command runs, and may look while it is.
	var got []string
	testenv.Eventually(t, func() bool {
		got = strings.Split(logins(), "\n")
		return len(got) == 1 && strings.HasSuffix(got[0], " orphan hwerr pgrponly regent")
	}, "a login to be in a contract of its own, an orphan")
	run(t, z, "a", "exec sleep 1234")
	pid := hostPid(t, z, "a", "sleep 1234")
	testenv.Eventually(t, func() bool { return len(strings.Split(logins(), "\n")) == 2 }, "two contracts, with what a login left")
	must(t, unix.Kill(pid, unix.SIGKILL))
	testenv.Eventually(t, func() bool { return len(strings.Split(logins(), "\n")) == 1 }, "the contract to go with its last process")
	silent(t, z, "a", "halt")
}

// TestMaxContracts: the attribute is a limit, from boot to boot.
func TestMaxContracts(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a", "add attr; set name=max-contracts; set type=uint; set value=20; end")
	got := strings.Fields(inZone(t, z, "a", as("hold", "100")))
	if len(got) < 2 || got[0] < "10" || got[0] > "19" || !strings.Contains(strings.Join(got, " "), "resource temporarily unavailable") {
		t.Errorf("%q", got)
	}
	silent(t, z, "a", "halt")
	z.Must("zonecfg", "-z", "a", "select attr name=max-contracts; set value=60; end")
	silent(t, z, "a", "boot")
	if got := inZone(t, z, "a", as("hold", "40")); got != "40 enough\n" {
		t.Errorf("%q", got)
	}
	silent(t, z, "a", "halt")
	z.Must("zonecfg", "-z", "a", "select attr name=max-contracts; set value=3; end")
	out, errs, exit := z.Zoneadm("-z", "a", "boot")
	if exit != 1 || !strings.Contains(errs, "attr max-contracts") {
		t.Errorf("%v", said{out, errs, exit})
	}
}
