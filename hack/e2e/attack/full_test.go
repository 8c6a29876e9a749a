package attack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// managed: the zone is looked at, entered, rebooted and halted as any other.
func managed(t *testing.T, z *testenv.Zones, zone string) {
	t.Helper()
	if s := zlogin(t, z, zone, "echo in"); s.exit != 0 || s.out != "in\n" {
		t.Errorf("zlogin: %v", s)
	}
	z.Must("svcs", "-z", zone, "-H")
	z.Must("ctstat", "-z", zone)
	z.Must("zoneadm", "list", "-v")
	if out, errs, exit := z.Zoneadm("-z", zone, "reboot"); exit != 0 {
		t.Errorf("reboot: %v", said{out, errs, exit})
	}
	halted(t, z, zone)
}

// filled: the zone's disk, one of its own, is full to the last byte and inode.
func filled(t *testing.T) {
	z := testenv.Instance(t)
	disk := z.ZonePath("a")
	must(t, os.MkdirAll(disk, 0o700))
	if err := unix.Mount("zone-disk", disk, "tmpfs", 0, "size=48m,nr_inodes=4096,mode=700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	z.Must("zonecfg", "-z", "a", "create; set brand=sparse; set zonepath="+disk)
	out, errs, exit := z.Zoneadm("-z", "a", "install")
	if exit != 0 {
		t.Fatalf("install on a small disk: %v", said{out, errs, exit})
	}
	boot(t, z, "a")
	z.ServicesUp("a")
	zlogin(t, z, "a", "cat /dev/zero >/var/tmp/fill 2>/dev/null; for d in 1 2 3 4; do mkdir /var/tmp/$d; i=0; while : >/var/tmp/$d/$i; do i=$((i+1)); done 2>/dev/null; done")
	if s := zlogin(t, z, "a", "echo x >/var/tmp/more"); s.exit == 0 {
		t.Fatal("there is room left: the attack was not made")
	}
	before := z.Status("a")
	if s := zlogin(t, z, "a", "echo in"); s.exit != 0 || s.out != "in\n" {
		t.Errorf("zlogin into a full zone: %v", s)
	}
	z.Must("svcs", "-z", "a", "-H")
	// A service is restarted all the same: its log is what there is no room for.
	if s := zlogin(t, z, "a", "svcadm restart cron"); s.exit > 1 {
		t.Errorf("svcadm restart in a full zone: %v", s)
	}
	z.KillZoned("a")
	testenv.Eventually(t, func() bool { s := z.Status("a"); return s.Zoned.Pid != before.Zoned.Pid && s.State == "running" }, "a successor")
	halted(t, z, "a")
	boot(t, z, "a") // full from the beginning
	if s := zlogin(t, z, "a", "rm -rf /var/tmp/fill /var/tmp/[1-4] && echo x >/var/tmp/more && cat /var/tmp/more"); s.exit != 0 || s.out != "x\n" {
		t.Errorf("the zone's root cannot make room: %v", s)
	}
	managed(t, z, "a")
	if out, errs, exit := z.Zoneadm("-z", "a", "uninstall", "-F"); exit != 0 {
		t.Errorf("uninstall: %v", said{out, errs, exit})
	}
}

// crowded: the zone's root has as many processes as it may, and makes another for each that dies.
func crowded(t *testing.T) {
	z := testenv.Instance(t)
	booted(t, z, "a")
	z.ServicesUp("a")
	start(t, z, "a", as("forks"))
	managed(t, z, "a")
}

// flooded: the zone writes to its console and to the end of a login that nobody reads as fast as it
// can, and reads what the supervisor serves. The supervisor's and the keeper's memory stays, what is kept on the host's disk
// is bounded, and nobody waits.
func flooded(t *testing.T) {
	z := testenv.Instance(t)
	booted(t, z, "a")
	z.ServicesUp("a")
	zoned, zsched := z.PID("a", "zoned"), z.PID("a", "zsched")
	before := memory(t, zoned) + memory(t, zsched)
	start(t, z, "a", as("flood", "/dev/console"))
	start(t, z, "a", as("flood", "/dev/console"))
	// The file systems that the supervisor serves are asked without a pause, too.
	zlogin(t, z, "a", "for i in 1 2 3; do (while :; do cat /system/contract/process/*/status /etc/mnttab; ls -lR /system/contract; done </dev/null >/dev/null 2>&1 &); done")
	deaf := z.Cmd("zlogin", "a", "cat /dev/zero")
	held, err := deaf.StdoutPipe()
	must(t, err)
	must(t, deaf.Start())
	t.Cleanup(func() { held.Close(); _ = deaf.Process.Kill(); _ = deaf.Wait() })
	for range 3 {
		if s := zlogin(t, z, "a", "echo in"); s.exit != 0 || s.out != "in\n" {
			t.Errorf("zlogin: %v", s)
		}
		z.Must("svcs", "-z", "a", "-H")
		z.Must("zoneadm", "list", "-v")
	}
	console := z.Pty("zlogin", "-C", "a")
	console.Expect(`evil`)
	console.Send("\r~.")
	if exit := console.Wait(); exit != 0 {
		t.Errorf("zlogin -C: exit %d", exit)
	}
	// A console ring of one MiB, and what a runtime has not given back.
	if grown := memory(t, zoned) + memory(t, zsched) - before; grown > 24<<10 {
		t.Errorf("supervisor and keeper have grown by %d KiB", grown)
	}
	if size := size(t, z.Log) + size(t, z.ZoneState("a")); size > 16<<20 {
		t.Errorf("the host's disk has %d bytes of the zone's", size)
	}
	if z.PID("a", "zoned") != zoned || z.PID("a", "zsched") != zsched {
		t.Error("the supervisor or the keeper was replaced")
	}
	managed(t, z, "a")
}

// memory is what a process has for itself, in KiB.
func memory(t *testing.T, pid int) (kib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	must(t, err)
	for line := range bytes.Lines(text) {
		if rest, found := strings.CutPrefix(string(line), "Private_Dirty:"); found {
			kib, err = strconv.Atoi(strings.Fields(rest)[0])
			must(t, err)
		}
	}
	return kib
}

func size(t *testing.T, dir string) (n int64) {
	t.Helper()
	must(t, filepath.Walk(dir, func(_ string, i os.FileInfo, err error) error {
		if err == nil && i.Mode().IsRegular() {
			n += i.Size()
		}
		return nil
	}))
	return n
}
