package whole

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// loopDevices says whether this host attaches files to loop devices.
var loopDevices = testenv.Feature{Name: "loop devices", Probe: func() error {
	fd, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.IoctlRetInt(fd, unix.LOOP_CTL_GET_FREE)
	return err
}}

// lofs is the configuration of a shared directory.
func lofs(dir, special string, options ...string) string {
	s := fmt.Sprintf("add fs; set dir=%s; set special=%s; set type=lofs", dir, special)
	for _, o := range options {
		s += "; add options " + o
	}
	return s + "; end"
}

// bootNoting boots a zone whose boot may warn.
func bootNoting(t *testing.T, z *testenv.Zones, zone string) said {
	t.Helper()
	out, errs, exit := z.Zoneadm("-z", zone, "boot")
	if exit != 0 || out != "" {
		t.Fatalf("boot: %v", said{out, errs, exit})
	}
	return said{out, errs, exit}
}

// TestShared: a directory of the host in a zone has the ids that it has on disk.
func TestShared(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	dir := t.TempDir()
	rw, ro := filepath.Join(dir, "rw"), filepath.Join(dir, "ro")
	for _, d := range []string{rw, ro} {
		must(t, os.MkdirAll(filepath.Join(d, "sub"), 0o755))
		must(t, os.WriteFile(filepath.Join(d, "alice"), []byte("hers\n"), 0o600))
		must(t, os.Chown(filepath.Join(d, "alice"), 1001, 1001))
		must(t, os.WriteFile(filepath.Join(d, "root"), []byte("root's\n"), 0o600))
	}
	must(t, unix.Mknod(filepath.Join(rw, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	id, err := os.ReadFile("/usr/bin/id")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(rw, "sid"), id, 0o755))
	must(t, unix.Chmod(filepath.Join(rw, "sid"), 0o4755))
	must(t, os.WriteFile(filepath.Join(ro, "sid"), id, 0o755))
	must(t, unix.Chmod(filepath.Join(ro, "sid"), 0o4755))
	// What is mounted below a shared directory is not part of it.
	must(t, unix.Mount("tmpfs", filepath.Join(rw, "sub"), "tmpfs", 0, "size=4k"))
	t.Cleanup(func() { _ = unix.Unmount(filepath.Join(rw, "sub"), unix.MNT_DETACH) })
	must(t, os.WriteFile(filepath.Join(rw, "sub/hidden"), nil, 0o644))

	wholeZoneNoting(t, z, "w", lofs("/srv/rw", rw), lofs("/srv/deep/ro", ro, "ro", "noexec"))
	if got := inZone(t, z, "w", "cd /srv/rw; stat -c '%n %u:%g %a' alice root; ls sub; cat alice root"); got != "alice 1001:1001 600\nroot 0:0 600\nhers\nroot's\n" {
		t.Errorf("what the zone sees: %q", got)
	}
	inZone(t, z, "w", "cd /srv/rw; echo new >zone; su alice -c 'echo more >>alice'; mkdir -m 2775 d; chown 1002:1003 d; ln -s /etc/shadow l")
	for name, want := range map[string]string{"zone": "0:0 644", "alice": "1001:1001 600", "d": "1002:1003 2775"} {
		if got := owner(t, filepath.Join(rw, name)); got != want {
			t.Errorf("on disk %s is %s, want %s", name, got, want)
		}
	}
	fails(t, z, "w", "cat /srv/rw/null", "Permission denied")
	if got := inZone(t, z, "w", "su alice -c '/srv/rw/sid -u'"); got != "1001\n" {
		t.Errorf("a setuid program in a shared directory gives %q", got)
	}
	for _, c := range []string{"touch /srv/deep/ro/x", "rm /srv/deep/ro/root", "chmod 777 /srv/deep/ro/alice", "mount -o remount,rw /srv/deep/ro", "umount /srv/deep/ro"} {
		if s := zlogin(t, z, "w", c); s.exit == 0 {
			t.Errorf("%s succeeded", c)
		}
	}
	fails(t, z, "w", "/srv/deep/ro/sid", "Permission denied")
	fails(t, z, "w", "su alice -c 'cat /srv/rw/root'", "Permission denied")
	if b, err := os.ReadFile(filepath.Join(rw, "zone")); err != nil || string(b) != "new\n" {
		t.Errorf("what the zone wrote: %q, %v", b, err)
	}
}

// wholeZoneNoting is wholeZone for a configuration of which boot warns.
func wholeZoneNoting(t *testing.T, z *testenv.Zones, zone string, commands ...string) {
	t.Helper()
	configure(t, z, zone, "whole", commands...)
	z.Must("zoneadm", "-z", zone, "install", "-d", testenv.DebianRoot(t))
	install(t, z, zone)
	bootNoting(t, z, zone)
}

// TestMemory: a tmpfs has the size and mode that were asked for, and is gone after a halt.
func TestMemory(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "s", "add fs; set dir=/srv/mem; set special=swap; set type=tmpfs; add options \"size=1m\"; add options \"mode=1770\"; end",
		"add fs; set dir=/tmp; set special=swap; set type=tmpfs; add options \"size=2m\"; add options noexec; end")
	if got := inZone(t, z, "s", "stat -c '%a %u:%g' /srv/mem; df -k --output=size /srv/mem /tmp | tail -n 2 | tr -d ' '"); got != "1770 0:0\n1024\n2048\n" {
		t.Errorf("the memory file systems: %q", got)
	}
	fails(t, z, "s", "dd if=/dev/zero of=/srv/mem/x bs=1k count=1100 2>&1", "No space left")
	fails(t, z, "s", "cp /bin/true /tmp/t && /tmp/t", "Permission denied")
	silent(t, z, "s", "reboot")
	if got := inZone(t, z, "s", "ls -A /srv/mem /tmp"); got != "/srv/mem:\n\n/tmp:\n" {
		t.Errorf("after a reboot: %q", got)
	}
}

// TestDisk: an ext4 file system on a block device, checked before it is mounted.
func TestDisk(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, loopDevices)
	image := filepath.Join(t.TempDir(), "disk")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 16<<20))
	hostCommand(t, "mkfs.ext4", "-q", "-F", "-E", "root_owner=0:0", image)
	device := hostCommand(t, "losetup", "--show", "-f", image)
	t.Cleanup(func() { hostCommand(t, "losetup", "-d", device) })
	z := testenv.Instance(t)
	disk := fmt.Sprintf("add fs; set dir=/srv/disk; set special=%s; set raw=%s; set type=ext4; add options noatime; end", device, device)
	z.Sparse("s", disk)
	must(t, os.Chmod(device, 0o660))
	silent(t, z, "s", "boot")
	inZone(t, z, "s", "cd /srv/disk; test -d lost+found; echo kept >f; chown 1001:1002 f; sync -f f")
	if got := inZone(t, z, "s", "stat -c '%u:%g' /srv/disk /srv/disk/f; grep /srv/disk /etc/mnttab | cut -f 2,3"); got != "0:0\n1001:1002\n/srv/disk\text4\n" {
		t.Errorf("the disk in the zone: %q", got)
	}
	if s := zlogin(t, z, "s", "test -e "+device); s.exit == 0 {
		t.Errorf("the zone has the device %s itself", device)
	}
	if mounted := mountedFrom(t, device); mounted != "" {
		t.Errorf("the device is mounted on the host: %s", mounted)
	}
	silent(t, z, "s", "reboot")
	if got := inZone(t, z, "s", "cat /srv/disk/f"); got != "kept\n" {
		t.Errorf("after a reboot: %q", got)
	}
	silent(t, z, "s", "halt")
	// Nothing holds the device: it can be taken by itself, and its owners are those of the disk.
	dir := filepath.Join(t.TempDir(), "mnt")
	must(t, os.Mkdir(dir, 0o755))
	must(t, unix.Mount(device, dir, "ext4", unix.MS_RDONLY, ""))
	got := owner(t, filepath.Join(dir, "f"))
	must(t, unix.Unmount(dir, 0))
	if got != "1001:1002 644" {
		t.Errorf("on disk the file is %s", got)
	}
	// A file system that is none: boot fails with a line, and the zone is installed.
	must(t, os.WriteFile(device, make([]byte, 1<<20), 0o600))
	out, errs, exit := z.Zoneadm("-z", "s", "boot")
	if exit != 1 || out != "" || !strings.Contains(errs, device) || !strings.Contains(z.Must("zoneadm", "-z", "s", "list", "-p"), ":installed:") {
		t.Errorf("boot with a spoilt disk: %v, %s", said{out, errs, exit}, z.Must("zoneadm", "-z", "s", "list", "-p"))
	}
}

// mountedFrom is the host's mount of a device, empty for none.
func mountedFrom(t *testing.T, device string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " "+device+" ") {
			return line
		}
	}
	return ""
}

// TestCopyOnWrite: a sparse zone that may write its /usr, for itself.
func TestCopyOnWrite(t *testing.T) {
	z := testenv.Instance(t)
	sparseZone(t, z, "cow", "add attr; set name=sparse-usr; set type=string; set value=copy-on-write; end")
	sparseZone(t, z, "plain")
	before := testenv.HashTree(t, "/usr")
	inZone(t, z, "cow", "echo own >/usr/share/own; rm /usr/bin/yes; echo '#!/bin/sh' >/usr/bin/seq; echo 'echo replaced' >>/usr/bin/seq; mkdir -p /usr/local/bin; echo x >/usr/local/bin/x; chmod 700 /usr/share/man")
	const look = "cat /usr/share/own; test -e /usr/bin/yes; echo $?; seq 3; cat /usr/local/bin/x; stat -c %a /usr/share/man"
	const want = "own\n1\nreplaced\nx\n700\n"
	if got := inZone(t, z, "cow", look); got != want {
		t.Errorf("in the zone: %q, want %q", got, want)
	}
	fails(t, z, "plain", "touch /usr/share/own", "Read-only file system")
	if got := inZone(t, z, "plain", "test -e /usr/share/own; echo $?; yes | head -n 1; seq 2"); got != "1\ny\n1\n2\n" {
		t.Errorf("in another zone: %q", got)
	}
	silent(t, z, "cow", "reboot")
	if got := inZone(t, z, "cow", look); got != want {
		t.Errorf("after a reboot: %q, want %q", got, want)
	}
	inZone(t, z, "cow", "rm -rf /usr/* 2>/dev/null; true")
	silent(t, z, "cow", "halt")
	if diff := before.Diff(testenv.HashTree(t, "/usr")); len(diff) > 0 {
		t.Errorf("the host's /usr was changed:\n%s", strings.Join(diff, "\n"))
	}
	silent(t, z, "cow", "uninstall", "-F")
}
