package whole

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// capabilityNumbers are those of linux/capability.h.
var capabilityNumbers = map[string]int{
	"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_KILL": 5,
	"CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_NET_BIND_SERVICE": 10, "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13,
	"CAP_IPC_LOCK": 14, "CAP_IPC_OWNER": 15, "CAP_SYS_CHROOT": 18, "CAP_SYS_PTRACE": 19, "CAP_SYS_PACCT": 20,
	"CAP_SYS_ADMIN": 21, "CAP_SYS_BOOT": 22, "CAP_SYS_NICE": 23, "CAP_SYS_RESOURCE": 24, "CAP_SYS_TTY_CONFIG": 26,
	"CAP_MKNOD": 27, "CAP_LEASE": 28, "CAP_AUDIT_WRITE": 29, "CAP_SETFCAP": 31,
}

// Numbers that no zone may have: modules, raw devices, the clock, the kernel's log, audit
// control, security modules, suspend, BPF, performance counters, checkpoints.
var never = []int{9, 11, 16, 17, 25, 30, 32, 33, 34, 35, 36, 37, 38, 39, 40}

func plannedMask(t *testing.T, z *testenv.Zones, zone string) uint64 {
	t.Helper()
	var mask uint64
	plan := z.Must("zoneadm", "-z", zone, "plan")
	_, rest, found := strings.Cut(plan, `"bounding": [`)
	list, _, ended := strings.Cut(rest, "]")
	if !found || !ended {
		t.Fatalf("the plan of %s has no bounding set:\n%.400s", zone, plan)
	}
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == '"' || r == ' ' || r == '\n' }) {
		n, known := capabilityNumbers[name]
		if !known {
			t.Errorf("the plan of %s gives %s", zone, name)
		}
		mask |= 1 << n
	}
	return mask
}

// TestCapabilities: every process has what the plan says, by the kernel's own word.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "plain")
	// Three privileges of the original stand for what is one capability here.
	sparseZone(t, z, "less", "set limitpriv=default,!net_rawaccess,!file_chown,!sys_devices")
	sparseZone(t, z, "shared", "set ip-type=shared")
	for _, zone := range []string{"plain", "less", "shared"} {
		want := plannedMask(t, z, zone)
		for who, command := range map[string]string{"init": "cat /proc/1/status", "login": "cat /proc/self/status"} {
			status := inZone(t, z, zone, command)
			for set, mask := range map[string]uint64{"CapInh": 0, "CapPrm": want, "CapEff": want, "CapBnd": want, "CapAmb": 0} {
				if got, err := strconv.ParseUint(field(status, set), 16, 64); err != nil || got != mask {
					t.Errorf("%s of %s has %s %x, want %x", who, zone, set, got, mask)
				}
			}
			if field(status, "Seccomp") != "2" || field(status, "NoNewPrivs") != "0" {
				t.Errorf("%s of %s: seccomp %s, no_new_privs %s", who, zone, field(status, "Seccomp"), field(status, "NoNewPrivs"))
			}
		}
		for _, n := range never {
			if want&(1<<n) != 0 {
				t.Errorf("zone %s has capability %d", zone, n)
			}
		}
		// A user of the zone has none, and a setuid program no more than the bounding set.
		status := inZone(t, z, zone, "setpriv --reuid nobody --regid nogroup --clear-groups cat /proc/self/status")
		if field(status, "CapEff") != "0000000000000000" || field(status, "CapPrm") != "0000000000000000" {
			t.Errorf("nobody in %s has %s", zone, field(status, "CapEff"))
		}
	}
	packet := as("packet")
	inZone(t, z, "plain", packet+"; touch /tmp/f; chown 5 /tmp/f")
	fails(t, z, "less", packet, "not permitted")
	fails(t, z, "less", "touch /tmp/f; chown 5 /tmp/f", "not permitted")
}

// denied are the outcomes of what a zone attempts (role_test.go). Where two are given the
// kernel's version decides which.
var denied = map[string][]string{
	"unshare-user": {"EPERM"}, "unshare-mount": {"EPERM"}, "unshare-net": {"EPERM"}, "clone3-user": {"ENOSPC", "EPERM"}, "setns": {"EPERM"},
	"mount-tmpfs": {"EPERM"}, "mount-proc": {"EPERM"}, "remount-root": {"EPERM"}, "bind": {"EPERM"},
	"umount-mnttab": {"EPERM"}, "umount-kcore": {"EPERM"}, "fsopen": {"EPERM"}, "open-tree": {"EPERM"}, "pivot-root": {"EPERM"},
	"keyctl": {"EPERM"}, "add-key": {"EPERM"}, "request-key": {"EPERM"}, "bpf": {"EPERM"}, "perf": {"EPERM"}, "userfaultfd": {"EPERM"},
	"io-uring": {"EPERM"}, "open-by-handle": {"EPERM"}, "kexec": {"EPERM"}, "init-module": {"EPERM"}, "delete-module": {"EPERM"},
	"swapoff": {"EPERM"}, "settimeofday": {"EPERM"}, "clock-settime": {"EPERM"}, "syslog-clear": {"EPERM"}, "quotactl": {"EPERM"},
	"mknod-mem": {"EPERM"}, "mknod-disk": {"EPERM"}, "mknod-null": {"EPERM"},
	"mknod-fifo": {"ok"}, "getpid": {"ok"},
}

// TestDenied: system calls that a zone's root makes in vain.
func TestDenied(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "s")
	seen := 0
	for line := range strings.Lines(inZone(t, z, "s", as("attempts"))) {
		name, got, _ := strings.Cut(strings.TrimSpace(line), " ")
		want, known := denied[name]
		if !known || !slices.Contains(want, got) {
			t.Errorf("%s: %s, want %v", name, got, want)
		}
		seen++
	}
	if seen != len(denied) {
		t.Errorf("%d attempts were made, want %d", seen, len(denied))
	}
	t.Run("devices", func(t *testing.T) { devices(t, z) })
	t.Run("masks", func(t *testing.T) { masks(t, z) })
	t.Run("settings", func(t *testing.T) { settings(t, z) })
	t.Run("strangers", func(t *testing.T) { strangers(t, z) })
}

// devices that are in the zone's files all the same do not open.
func devices(t *testing.T, z *testenv.Zones) {
	var st unix.Stat_t
	must(t, unix.Stat("/", &st))
	for name, d := range map[string]struct {
		kind uint32
		dev  uint64
	}{"null": {unix.S_IFCHR, unix.Mkdev(1, 3)}, "mem": {unix.S_IFCHR, unix.Mkdev(1, 1)}, "disk": {unix.S_IFBLK, st.Dev}, "fuse": {unix.S_IFCHR, unix.Mkdev(10, 229)}} {
		must(t, unix.Mknod(inside(z, "s", "/srv/"+name), d.kind|0o666, int(d.dev)))
		if got := inZone(t, z, "s", as("open", "/srv/"+name)); got != "/srv/"+name+" EACCES\n" {
			t.Errorf("a planted device: %q", got)
		}
	}
	want := "console fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
	// log is the socket of the zone's own system log.
	if got := strings.Join(strings.Fields(inZone(t, z, "s", "ls /dev | grep -vx log")), " "); got != want {
		t.Errorf("/dev has %s, want %s", got, want)
	}
	if got := inZone(t, z, "s", as("open", "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom")); got != "/dev/null ok 0\n/dev/zero ok 4096\n/dev/full ok 4096\n/dev/urandom ok 4096\n" {
		t.Errorf("the zone's devices: %q", got)
	}
}

// masks: what tells of the host says nothing.
func masks(t *testing.T, z *testenv.Zones) {
	for _, name := range []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts", "/proc/sched_debug", "/proc/latency_stats"} {
		if _, err := os.Stat(name); err != nil {
			continue
		}
		if got := strings.TrimSpace(inZone(t, z, "s", as("open", name))); got != name+" ok 0" {
			t.Errorf("%s", got)
		}
	}
	for _, dir := range []string{"/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/tracing", "/sys/fs/bpf", "/sys/fs/pstore"} {
		if got := inZone(t, z, "s", "ls -A "+dir+" 2>/dev/null; true"); got != "" {
			t.Errorf("%s has %q", dir, got)
		}
	}
}

// settings of the kernel: a zone writes those of its own network stack, nothing else.
func settings(t *testing.T, z *testenv.Zones) {
	z.ServicesUp("s") // a service's cgroup is open to the zone for the moment of a birth
	got := inZone(t, z, "s", as("writable", "/proc", "/sys"))
	init := "/sys/fs/cgroup" + strings.TrimSpace(inZone(t, z, "s", "sed -n s/^0:://p /proc/1/cgroup")) + "/"
	net := 0
	for line := range strings.Lines(got) {
		name := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(name, "/proc/sys/net/"):
			net++
		case strings.HasPrefix(name, init):
		case strings.HasPrefix(name, "/proc/pressure/"): // open to every user of any system: a trigger for oneself
		default:
			t.Errorf("the zone can write %s", name)
		}
	}
	if net == 0 {
		t.Error("the zone can not set up its own network stack")
	}
	for _, c := range []string{"echo h >/proc/sysrq-trigger", "echo x >/proc/sys/kernel/core_pattern", "echo 1 >/proc/sys/vm/drop_caches", "hostname other"} {
		if s := zlogin(t, z, "s", c); s.exit == 0 {
			t.Errorf("%s succeeded", c)
		}
	}
}

// strangers: processes of the host are neither seen nor reached.
func strangers(t *testing.T, z *testenv.Zones) {
	for pid := range strings.FieldsSeq(inZone(t, z, "s", "cd /proc; echo [0-9]*; cat [0-9]*/comm >/dev/null")) {
		ns := inZone(t, z, "s", "readlink /proc/"+pid+"/ns/pid /proc/self/ns/pid 2>/dev/null; true")
		f := strings.Fields(ns)
		if len(f) == 2 && f[0] != f[1] {
			t.Errorf("process %s is of %s, the zone's are of %s", pid, f[0], f[1])
		}
	}
	// The largest number that the host's processes have is none of the zone's.
	fails(t, z, "s", "kill -0 "+strconv.Itoa(os.Getpid()+1<<24), "")
}

// TestInjection: no process types into its terminal on behalf of its user. The same calls
// without the filter succeed, where the kernel lets anybody do it.
func TestInjection(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "s")
	p := z.Pty("zlogin", "s")
	p.Expect(`# `)
	p.Send(as("inject") + "; echo done=$?\n")
	p.Expect(`done=0`)
	for _, high := range []string{"0", "100000000", "8000000000000000", "ffffffff00000000", "dead0000000000"} {
		for _, want := range []string{"sti " + high + " EPERM", "linux " + high + " EPERM", "winsz " + high + " ok"} {
			if !strings.Contains(p.Output(), want+"\r") {
				t.Errorf("not said: %s", want)
			}
		}
	}
	if t.Failed() {
		t.Log(p.Output())
	}
	p.Send("exit\n")
	p.Wait()
	if legacy, err := os.ReadFile("/proc/sys/dev/tty/legacy_tiocsti"); err == nil && strings.TrimSpace(string(legacy)) == "1" {
		cmd := z.Cmd("zlogin") // for its environment
		cmd.Path, cmd.Args = "/proc/self/exe", []string{"actor"}
		cmd.Env = append(cmd.Env, roleVariable+"=inject")
		host := testenv.StartPty(t, cmd)
		host.Wait()
		if !strings.Contains(host.Output(), "sti 100000000 ok") {
			t.Errorf("without a filter the attempt fails too, so it proves nothing: %q", host.Output())
		}
	}
}

// TestRestart: reboot(2) by any process of a zone that may ends this zone's processes alone.
func TestRestart(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	sparseZone(t, z, "a")
	sparseZone(t, z, "b")
	a, b := z.Status("a"), z.Status("b")
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	must(t, err)
	if _, _, _, err := z.Try("", "zlogin", "a", as("restart")); err != nil {
		t.Fatal(err)
	}
	testenv.EventuallyWithin(t, 2*time.Minute, func() bool {
		s := z.Status("a")
		return s.State == "running" && s.ID != a.ID
	}, "zone a to be rebooted")
	if s := z.Status("b"); s != b {
		t.Errorf("zone b was %+v and is %+v", b, s)
	}
	if now, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err != nil || string(now) != string(boot) {
		t.Errorf("the host was rebooted: %v", err)
	}
	if got := inZone(t, z, "b", "echo still here"); got != "still here\n" {
		t.Errorf("zone b says %q", got)
	}
}
