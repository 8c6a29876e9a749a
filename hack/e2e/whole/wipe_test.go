package whole

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// hostInstance is the host's own instance: not volatile, but `make demo` may run beside.
const hostInstance = "/etc/zones"

// TestWipe: rm -rf / in a whole and in a sparse zone. The host is hashed before and after; a
// directory of the host that is shared with the zones, read and write, is hashed with it, so
// that the same hash shows what a zone can damage: there, and nowhere else.
func TestWipe(t *testing.T) {
	z := testenv.Instance(t)
	planted, kept := plant(t), plant(t)
	share := []string{
		"add fs", "set dir=/srv/planted", "set special=" + planted, "set type=lofs", "end",
		"add fs", "set dir=/srv/kept", "set special=" + kept, "set type=lofs", "add options ro", "end",
	}
	configure(t, z, "w", "whole", share...)
	z.Must("zoneadm", "-z", "w", "install", "-d", testenv.DebianRoot(t))
	z.Sparse("s", share...)
	paths := append([]string{planted, kept}, testenv.HostPaths...)
	before := testenv.HashTree(t, paths...)
	if len(before) < 10000 {
		t.Fatalf("only %d paths of the host were hashed", len(before))
	}
	for _, zone := range []string{"w", "s"} {
		// The first boot warns of the shared directory.
		if out, errs, exit := z.Zoneadm("-z", zone, "boot"); exit != 0 {
			t.Fatalf("boot: %v", said{out, errs, exit})
		}
	}
	for _, zone := range []string{"w", "s"} {
		atRest(t, z, zone) // who comes up makes files meanwhile
	}
	wipe(t, z, "w")
	wipe(t, z, "s")
	damage(t, before.Diff(testenv.HashTree(t, paths...)), planted)
	for _, zone := range []string{"w", "s"} {
		afterWipe(t, z, zone)
	}
}

// plant makes a directory of some files of the host, in its own temporary directory.
func plant(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "planted")
	must(t, os.MkdirAll(filepath.Join(dir, "sub/deep"), 0o755))
	for _, name := range []string{"file", "sub/file", "sub/deep/file"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("the host's\n"), 0o644))
	}
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	return dir
}

// wipe deletes all that can be deleted, however often it takes.
func wipe(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	s := zlogin(t, z, zone, "rm -rf --no-preserve-root / 2>/dev/null; cd /; echo /*; echo /etc/* /srv/planted/* /srv/kept/*")
	if !strings.Contains(s.out, "/proc") || strings.Contains(s.out, "/etc/passwd") || strings.Contains(s.out, "/srv/planted/file") {
		t.Errorf("rm -rf / in zone %s left: %v", zone, s)
	}
	if !strings.Contains(s.out, "/srv/kept/file") {
		t.Errorf("rm -rf / in zone %s took what is shared read-only: %v", zone, s)
	}
	left, err := os.ReadDir(inside(z, zone, ""))
	must(t, err)
	for _, e := range left {
		switch e.Name() {
		case "dev", "etc", "proc", "run", "srv", "sys", "tmp", "usr", "lib", "system":
		default:
			t.Errorf("zone %s has %s still", zone, e.Name())
		}
	}
}

// damage judges the difference: all of the shared directory, and of the host nothing.
func damage(t *testing.T, diff []string, planted string) {
	t.Helper()
	caught := 0
	for _, line := range diff {
		path, _, _ := strings.Cut(line, ":")
		switch {
		case path == planted || strings.HasPrefix(path, planted+"/"):
			caught++
		case path == hostInstance || strings.HasPrefix(path, hostInstance+"/"):
		default:
			t.Errorf("the host was damaged: %s", line)
		}
	}
	// The directory itself, two below it, three files and a link.
	if caught != 7 {
		t.Errorf("of the planted damage %d paths were caught, want 7:\n%s", caught, strings.Join(diff, "\n"))
	}
}

// afterWipe: the zone is managed as any other.
func afterWipe(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	silent(t, z, zone, "halt")
	out, errs, exit := z.Zoneadm("-z", zone, "boot")
	if exit != 0 {
		t.Errorf("boot of an empty zone %s: %v", zone, said{out, errs, exit})
	}
	if z.Status(zone).State == "running" {
		silent(t, z, zone, "halt")
	}
	silent(t, z, zone, "uninstall", "-F")
	if _, err := os.Lstat(z.ZonePath(zone)); err == nil {
		if left, _ := os.ReadDir(z.ZonePath(zone)); len(left) > 0 {
			t.Errorf("uninstall of zone %s left %v", zone, left)
		}
	}
}

// TestDamageIsSeen: each way to damage a file is a difference, even with its times put back.
func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(dir string) error{
		"content": func(dir string) error { return os.WriteFile(filepath.Join(dir, "file"), []byte("THE HOST'S\n"), 0o644) },
		"mode":    func(dir string) error { return unix.Chmod(filepath.Join(dir, "file"), 0o4644) },
		"owner":   func(dir string) error { return os.Chown(filepath.Join(dir, "file"), 1, 0) },
		"gone":    func(dir string) error { return os.Remove(filepath.Join(dir, "file")) },
		"link": func(dir string) error {
			if err := os.Remove(filepath.Join(dir, "link")); err != nil {
				return err
			}
			return os.Symlink("/etc/shadow", filepath.Join(dir, "link"))
		},
		"added": func(dir string) error { return os.WriteFile(filepath.Join(dir, "sub/new"), nil, 0o644) },
		"attribute": func(dir string) error {
			return unix.Lsetxattr(filepath.Join(dir, "file"), "user.x", []byte("y"), 0)
		},
	} {
		dir := plant(t)
		before := testenv.HashTree(t, dir)
		must(t, harm(dir))
		old := time.Unix(1e9, 0)
		if name != "gone" && name != "link" {
			must(t, os.Chtimes(filepath.Join(dir, "file"), old, old))
		}
		if diff := before.Diff(testenv.HashTree(t, dir)); len(diff) == 0 {
			t.Errorf("%s: not seen", name)
		}
		before = testenv.HashTree(t, dir)
		if diff := before.Diff(testenv.HashTree(t, dir)); len(diff) != 0 {
			t.Errorf("%s: seen where there is none: %q", name, diff)
		}
	}
}
