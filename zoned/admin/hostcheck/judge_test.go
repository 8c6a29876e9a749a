package hostcheck

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { testenv.Main(m) }

// good are the facts of a host that has everything.
func good() Facts {
	yes := Answer{Is: Yes}
	return Facts{
		Release: "6.18.0", Major: 6, Minor: 18, Privileged: true, UserNS: yes, MaxUserNS: 1000,
		Namespaces: []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"},
		IDMap:      yes, RootsPath: "/var/lib", RootsFS: "ext4", Overlay: yes,
		Cgroup: CgroupPure, CgroupMount: "/sys/fs/cgroup",
		Controllers: map[string]string{"cpu": "cgroup2", "memory": "cgroup2", "pids": "cgroup2"},
		IntoCgroup:  yes, CgroupKill: yes, KillSeqBug: no(""), Pidfd: yes, PeerPidfd: yes, FUSE: yes, BTF: yes, BPFFS: yes,
		BPF: yes, Connector: yes, PidfdInfo: yes, PidfdExit: yes,
		Seccomp: yes, LSMs: []string{"landlock", "bpf"}, Devpts: yes, Mqueue: yes, RunFS: "tmpfs", Systemd: true, SystemdRun: true,
		LegacyTIOCSTI: no(""), RangesTotal: 4096,
	}
}

func render(t *testing.T, f Facts, form Form) string {
	t.Helper()
	var b bytes.Buffer
	if err := Run(f).Print(&b, form); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

func TestReports(t *testing.T) {
	old := good()
	old.Release, old.Major, old.Minor = "6.1.0-56-cloud-amd64", 6, 1
	old.PeerPidfd, old.PidfdInfo, old.PidfdExit = no(""), no("the kernel has no PIDFD_GET_INFO"), no("the kernel has no PIDFD_GET_INFO")
	old.Cgroup, old.CgroupMount = CgroupHybrid, "/sys/fs/cgroup/unified"
	old.Controllers = map[string]string{"cpu": "/sys/fs/cgroup/cpu", "pids": "/sys/fs/cgroup/pids"}
	old.RunFS, old.Systemd, old.LSMs = "ext4", false, nil
	old.LegacyTIOCSTI = Answer{}
	user := good()
	user.Privileged = false
	user.BPF, user.Connector = Answer{}, Answer{}
	user.UserNS, user.IDMap, user.IntoCgroup, user.CgroupKill, user.KillSeqBug = Answer{}, Answer{}, Answer{}, Answer{}, Answer{}
	golden(t, "good.txt", render(t, good(), Table))
	golden(t, "good.json", render(t, good(), JSON))
	golden(t, "debian12.txt", render(t, old, Table))
	golden(t, "user.txt", render(t, user, Table))
	golden(t, "nothing.txt", render(t, Facts{Release: "5.4.0", Major: 5, Minor: 4, Privileged: true, Cgroup: CgroupNone, RangesTotal: 4096}, Table))
}

// TestEachLack: taking one thing away is seen, with its weight and its consequence.
func TestEachLack(t *testing.T) {
	for _, c := range []struct {
		what  string
		take  func(*Facts)
		level Level
	}{
		{"kernel", func(f *Facts) { f.Major, f.Minor = 6, 0 }, Lacking},
		{"privilege", func(f *Facts) { f.CapsLacking = []string{"CAP_SYS_RESOURCE"} }, Degraded},
		{"namespaces", func(f *Facts) { f.Namespaces = []string{"mnt"} }, Lacking},
		{"user namespaces", func(f *Facts) { f.MaxUserNS = 0 }, Lacking},
		{"user namespaces", func(f *Facts) { f.UserNS = no("operation not permitted") }, Lacking},
		{"idmapped mounts", func(f *Facts) { f.IDMap = no("") }, Lacking},
		{"overlayfs", func(f *Facts) { f.Overlay = no("") }, Lacking},
		{"devpts", func(f *Facts) { f.Devpts = no("") }, Lacking},
		{"mqueue", func(f *Facts) { f.Mqueue = no("") }, Degraded},
		{"cgroup layout", func(f *Facts) { f.Cgroup = CgroupLegacy }, Lacking},
		{"controllers", func(f *Facts) { delete(f.Controllers, "memory") }, Degraded},
		{"birth in a cgroup", func(f *Facts) { f.IntoCgroup = no("") }, Lacking},
		{"cgroup.kill", func(f *Facts) { f.CgroupKill = no("") }, Lacking},
		{"births after a kill", func(f *Facts) { f.KillSeqBug = Answer{Is: Yes} }, Note},
		{"pidfd", func(f *Facts) { f.Pidfd = no("") }, Lacking},
		{"SO_PEERPIDFD", func(f *Facts) { f.PeerPidfd = no("") }, Degraded},
		{"BPF programs", func(f *Facts) { f.BPF = no("") }, Degraded},
		{"process connector", func(f *Facts) { f.Connector = no("") }, Note},
		{"process info by pidfd", func(f *Facts) { f.PidfdInfo = no("") }, Note},
		{"exit status by pidfd", func(f *Facts) { f.PidfdExit = no("") }, Note},
		{"FUSE", func(f *Facts) { f.FUSE = no("") }, Degraded},
		{"FUSE resend", func(f *Facts) { f.Minor = 8 }, Degraded},
		{"BTF", func(f *Facts) { f.BTF = no("") }, Degraded},
		{"bpf file system", func(f *Facts) { f.BPFFS = no("") }, Degraded},
		{"seccomp", func(f *Facts) { f.Seccomp = no("") }, Lacking},
		{"security modules", func(f *Facts) { f.LSMs = nil }, Note},
		{"TIOCSTI", func(f *Facts) { f.LegacyTIOCSTI = Answer{Is: Yes} }, Note},
		{"/run", func(f *Facts) { f.RunFS = "ext4" }, Note},
		{"systemd", func(f *Facts) { f.SystemdRun = false }, Degraded},
		{"ranges of ids", func(f *Facts) { f.RangesClash = []string{"/etc/subuid: joe"} }, Degraded},
		{"ranges of ids", func(f *Facts) { f.RangesLeased = f.RangesTotal }, Lacking},
	} {
		f := good()
		c.take(&f)
		r := Run(f)
		i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.What == c.what })
		if i < 0 || r.Findings[i].Level != c.level || c.level != Note && r.Findings[i].Follows == "" {
			t.Errorf("%s: %+v, want %s", c.what, r.Findings, c.level)
			continue
		}
		if r.Enough() != (c.level != Lacking) {
			t.Errorf("%s: enough is %v", c.what, r.Enough())
		}
		for j, other := range r.Findings {
			if j != i && other.Level != OK && c.what != "kernel" && c.what != "FUSE resend" {
				t.Errorf("%s also changed %s", c.what, other.What)
			}
		}
	}
}

func TestVersionAndMounts(t *testing.T) {
	for in, want := range map[string][2]int{"6.18.44-fc": {6, 18}, "6.1.0-56-cloud-amd64": {6, 1}, "": {0, 0}, "x": {0, 0}, "7.0": {7, 0}} {
		if major, minor := version(in); [2]int{major, minor} != want {
			t.Errorf("%q: %d.%d", in, major, minor)
		}
	}
	ms := parseMounts([]byte(`36 35 98:0 /mnt1 /a\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue
37 35 0:26 / /sys/fs/cgroup/pids rw shared:9 - cgroup cgroup rw,pids
garbage
38 35 - - -
`))
	if len(ms) != 2 || ms[0].point != "/a b" || ms[1].options != "rw,pids" {
		t.Errorf("%+v", ms)
	}
}

func TestClashes(t *testing.T) {
	got := clashes("/etc/subuid", "joe:100000:65536\n#x\nbad\nann:1342177280:65536\nbob:1342177279:1\neve:1:4294967295\n")
	if !slices.Equal(got, []string{"/etc/subuid: ann", "/etc/subuid: eve"}) {
		t.Errorf("%q", got)
	}
}

func TestCapsLacking(t *testing.T) {
	if got := capsLacking("Name:\tx\nCapEff:\t000001ffffffffff\n"); got != nil {
		t.Errorf("all: %q", got)
	}
	if got := capsLacking("CapEff:\t000001fffeffffff\n"); !slices.Equal(got, []string{"CAP_SYS_RESOURCE"}) {
		t.Errorf("%q", got)
	}
}

// TestThisHost runs the probes on the real kernel: they agree with the tests' own, and leave
// nothing behind (TestMain looks for that).
func TestThisHost(t *testing.T) {
	testenv.NeedRoot(t)
	f := Host(layout.At(t.TempDir()))
	for what, c := range map[string]struct {
		got  Tri
		want testenv.Feature
	}{
		"user namespaces": {f.UserNS.Is, testenv.UserNS},
		"idmapped mounts": {f.IDMap.Is, testenv.IdmappedRoot},
		"cgroup.kill":     {f.CgroupKill.Is, testenv.CgroupKill},
		"peer pidfd":      {f.PeerPidfd.Is, testenv.PeerPidfd},
		"BTF":             {f.BTF.Is, testenv.BTF},
		"BPF":             {f.BPF.Is, testenv.BTF},
		"exit by pidfd":   {f.PidfdExit.Is, testenv.PidfdInfo},
	} {
		if (c.got == Yes) != testenv.Has(c.want) {
			t.Errorf("%s: %v, the tests' probe says %v", what, c.got, testenv.Has(c.want))
		}
	}
	if f.IntoCgroup.Is != Yes || f.KillSeqBug.Is == Unknown || f.RootsFS == "" || f.RunFS == "" || len(f.Controllers) == 0 {
		t.Errorf("%+v", f)
	}
	var doc struct{ Enough bool }
	if err := json.Unmarshal([]byte(render(t, f, JSON)), &doc); err != nil || !doc.Enough {
		t.Errorf("%v %+v", err, Run(f))
	}
	if strings.Contains(render(t, f, Table), "%!") {
		t.Error("a format went wrong")
	}
}
