package remains

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/idrange"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
)

// Cgroups of generations are found by their marks, with who lives in them, and go; what looks
// alike stays.
func TestCgroups(t *testing.T) {
	r := newRig(t)
	at := mount(t)
	other := Naming(layout.At("/elsewhere"), r.boot)
	five := r.cgroup(at, "web/g5", r.mark("web", 5))
	check(t, os.MkdirAll(five+"/ct/7/d", 0o755))
	alike := map[string]string{
		"web/g6":    "",                                                                  // made by somebody by hand
		"web/g7":    other.Mark("web", 7).String(),                                       // another instance's
		"web/g8":    Mark{Boot: "x", ID: 8, Zone: "web", root: rootHash(r.lay)}.String(), // another boot's
		"web/g9":    r.mark("web", 5),                                                    // another generation's
		"web/g10":   r.mark("mail", 10),                                                  // another zone's
		"web/g11":   r.mark("web", 11) + " more",
		"web/g12":   strings.Repeat("zones1 ", 200)[:300],
		"web/g":     r.mark("web", 0),
		"web/gx":    r.mark("web", 0),
		"web/h5":    r.mark("web", 5),
		"web/g1/g5": r.mark("web", 5),
	}
	for path, mark := range alike {
		r.cgroup(at, path, mark)
	}
	cmd := exec.Command("/bin/sleep", "1000")
	dir, err := os.Open(five + "/ct/7/d")
	check(t, err)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	check(t, cmd.Start())
	dir.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	testenv.AwaitProgram(t, cmd.Process.Pid, "sleep")
	s := Scope{Zone: "web", Kept: true}
	items := r.wants(s, "cgroup "+five, fmt.Sprintf("process %d (sleep)", cmd.Process.Pid))
	if items[0].ID != 5 || items[0].String() != "cgroup "+five+" of generation 5" {
		t.Errorf("%+v", items[0])
	}
	r.removeAll(s, items)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("its process: %v", err)
	}
	for path := range alike {
		if !exists(filepath.Join(at, "zones"+r.lay.Tag(), path)) {
			t.Errorf("%s is gone", path)
		}
	}
	r.wants(Scope{Zone: "mail"})
	r.wants(Scope{Zone: "we"})
}

// One that its maker did not live to mark is known by the journal, and by who halts.
func TestCgroupUnmarked(t *testing.T) {
	r := newRig(t)
	dir := r.cgroup(mount(t), "web/g5", "")
	r.cgroup(mount(t), "web/g6", "")
	foreign := r.cgroup(mount(t), "web/g7", Naming(layout.At("/x"), r.boot).Mark("web", 7).String())
	below := strings.TrimPrefix(dir, mount(t))
	kept := Scope{Zone: "web", Kept: true, Cgroups: []string{below, strings.TrimPrefix(foreign, mount(t))}}
	r.wants(kept, "cgroup "+dir)
	r.wants(Scope{Zone: "web"})
	journal := func(boot string) string {
		return line(`{"t":"open","v":1,"boot":"`+boot+`"}`) + line(`{"t":"do","step":"cgroup","data":{"cgroup":"`+below+`"}}`)
	}
	r.file("web", "journal", journal("another"))
	r.wants(Scope{Zone: "web"}, "file state/web/journal")
	r.file("web", "journal", journal(r.boot))
	items := r.wants(Scope{Zone: "web"}, "cgroup "+dir, "file state/web/journal")
	check(t, WriteMark(dir, Naming(layout.At("/x"), r.boot).Mark("web", 5)))
	if err := items[0].Remove(); err != errReplaced || !exists(dir) {
		t.Errorf("one that another has marked meanwhile: %v", err)
	}
	check(t, unix.Removexattr(dir, markAttr))
	r.removeAll(Scope{Zone: "web"}, items)
	if exists(dir) {
		t.Error("it is left")
	}
}

// A directory that was replaced between look and removal is not touched.
func TestCgroupReplaced(t *testing.T) {
	r := newRig(t)
	dir := r.cgroup(mount(t), "web/g5", r.mark("web", 5))
	items := r.wants(Scope{Zone: "web", Kept: true}, "cgroup "+dir)
	check(t, os.Remove(dir))
	if err := items[0].Remove(); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
	r.cgroup(mount(t), "web/g5", "")
	if err := items[0].Remove(); err != errReplaced || !exists(dir) {
		t.Errorf("one that is another's: %v", err)
	}
}

// unbornHome holds what is found of a keeper's directories that nobody has marked: they are of a start
// that was killed when nothing is in them.
func unbornHome(t *testing.T, r *rig, base string) {
	t.Helper()
	r.wants(Scope{Zone: "web", Kept: true})
	r.wants(Scope{Zone: "web", Building: true})
	foreign := r.cgroup(mount(t), "web/other", "")
	r.wants(Scope{Zone: "web"})
	check(t, os.Remove(foreign))
	check(t, WriteMark(base, Naming(layout.At("/x"), r.boot).Mark("web", 0)))
	r.wants(Scope{Zone: "web"})
	check(t, unix.Removexattr(base, markAttr))

	items := r.wants(Scope{Zone: "web"}, "cgroup "+base)
	sleeper := exec.Command("sleep", "600")
	dir, err := os.Open(filepath.Join(base, "sup"))
	check(t, err)
	sleeper.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()), Pdeathsig: syscall.SIGKILL}
	err = sleeper.Start()
	_ = dir.Close()
	check(t, err)
	r.wants(Scope{Zone: "web"}) // one that was just born there
	if err := items[0].Remove(); err != errReplaced || !exists(base) {
		t.Errorf("one that is lived in now: %v", err)
	}
	if err := sleeper.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("who lived there: %v", err)
	}
	_ = sleeper.Process.Kill()
	_ = sleeper.Wait()
	testenv.Eventually(t, func() bool { return len(r.find(Scope{Zone: "web"})) == 1 }, "the directory to be empty")
	r.removeAll(Scope{Zone: "web"}, items)
	if exists(base) {
		t.Error("an empty directory is left")
	}
}

// The old hierarchies are looked through too; and the directories of a keeper that is dead.
func TestCgroupsElsewhere(t *testing.T) {
	r := newRig(t)
	h := r.open()
	base := filepath.Dir(r.cgroup(mount(t), "web/sup", ""))
	unbornHome(t, r, base)
	r.cgroup(mount(t), "web/sup", "")
	check(t, WriteMark(base, h.Mark("web", 0)))
	r.wants(Scope{Zone: "web", Kept: true})
	want := []string{"cgroup " + base}
	for _, root := range h.old {
		dir := filepath.Join(root, "zones"+r.lay.Tag(), "web/g5")
		if os.MkdirAll(dir, 0o755) != nil {
			continue // a hierarchy that is read-only here
		}
		t.Cleanup(func() {
			for d := dir; filepath.Base(d) != filepath.Base(root) && d != root; d = filepath.Dir(d) {
				_ = unix.Rmdir(d)
			}
		})
		if unix.Setxattr(dir, markAttr, []byte(r.mark("web", 5)), 0) == nil {
			want = append(want, "cgroup "+dir)
		}
		break // one is as good as all
	}
	t.Logf("%d hierarchies of version 1", len(h.old))
	r.removeAll(Scope{Zone: "web"}, r.wants(Scope{Zone: "web"}, want...))
	if exists(base) {
		t.Error("the zone's directory is left")
	}
}

// Where systemd rules, a keeper's scope is the zone's directory. It is systemd's to remove.
func TestScopes(t *testing.T) {
	r := newRig(t)
	h := r.open()
	tag := r.lay.Tag()
	for name, zone := range map[string]string{
		"zone-web" + tag + "-0a1b2c3d.scope":    "web",
		"zone-a-b" + tag + "-0a1b2c3d.scope":    "a-b",
		"zone-web.00000000-0a1b2c3d.scope":      "",
		"zone-web-0a1b2c3d.scope":               "",
		"zone-web" + tag + "-0a1b2c3d.slice":    "",
		"zone-" + tag + "-0a1b2c3d.scope":       "",
		"zone-" + tag + ".scope":                "",
		"my-zone-web" + tag + "-0a1b2c3d.scope": "",
		"zone-..":                               "", "": "", ".scope": "",
	} {
		if got := h.scopeZone(name); got != zone {
			t.Errorf("%q is of zone %q, want %q", name, got, zone)
		}
	}
	slice := filepath.Join(mount(t), "zones.slice")
	scope := filepath.Join(slice, "zone-web"+tag+"-0a1b2c3d.scope")
	check(t, os.MkdirAll(scope+"/g5", 0o755))
	check(t, os.Mkdir(scope+"/sup", 0o755))
	t.Cleanup(func() {
		for _, d := range []string{scope + "/g5", scope + "/sup", scope, slice} {
			_ = unix.Rmdir(d) // the last unless others live there
		}
	})
	check(t, WriteMark(scope, h.Mark("web", 0)))
	check(t, WriteMark(scope+"/g5", h.Mark("web", 5)))
	zones, err := r.open().Zones()
	check(t, err)
	if fmt.Sprint(zones) != "[web]" {
		t.Errorf("%q", zones)
	}
	r.removeAll(Scope{Zone: "web"}, r.wants(Scope{Zone: "web"}, "cgroup "+scope+"/g5"))
	if exists(scope+"/g5") || !exists(scope) {
		t.Error("the generation is left, or systemd's scope is gone")
	}
}

// What a living generation has is not found: it is in the journal before it makes anything.
func TestLiving(t *testing.T) {
	r := newRig(t)
	dead := r.cgroup(mount(t), "web/g4", r.mark("web", 4))
	r.cgroup(mount(t), "web/g5", r.mark("web", 5))
	for _, text := range []string{
		line(`{"t":"open","v":1,"boot":"`+r.boot+`"}`) + line(`{"t":"do","step":"cgroup","data":{"cgroup":"/zones/web/g5"}}`),
		line(`{"t":"open","v":1,"boot":"`+r.boot+`"}`) + line(`{"t":"do","step":"id","data":{}}`) + line(`{"t":"done","step":"id","data":{"zone_id":5}}`) + "0123",
	} {
		r.file("web", "journal", text)
		r.file("web", "snapshot.xml", "its own")
		r.wants(Scope{Zone: "web", Kept: true, Building: true}, "cgroup "+dead)
	}
	for _, text := range []string{"", "rubbish\nrubbish\n", line(`{"t":"do"}`), line(`{"t":"open"}`) + "00000000 {}\n" + line(`{"t":"op"}`)} {
		r.file("web", "journal", text)
		if _, err := r.open().Find(Scope{Zone: "web", Kept: true, Building: true}); text != "" && err == nil {
			t.Errorf("a journal that says %q is believed", text)
		}
	}
	check(t, os.Remove(filepath.Join(r.lay.ZoneState("web"), "journal")))
	if _, err := r.open().Find(Scope{Zone: "web", Kept: true, Building: true}); err == nil {
		t.Error("without a journal everything is dead")
	}
}

// Files by whose they are; what has no name of ours stays, and so does the directory then.
func TestFiles(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"snapshot.xml", "plan.json", "journal.tmp", ".tmp-17-x~", "op.lock", "console.ring", "zsched.log", "door", "zoned.pid"} {
		r.file("web", name, "x")
	}
	results := line(`{"t":"open","v":1,"boot":"`+r.boot+`"}`) + line(`{"t":"end","result":{"id":"a"}}`)
	r.file("web", "journal", results)
	check(t, os.MkdirAll(r.lay.ZoneState("web")+"/oci/web", 0o700))
	check(t, os.WriteFile(r.lay.StatusFile("web"), []byte("{}"), 0o644))
	check(t, os.WriteFile(r.lay.StatusFile("other"), []byte("{}"), 0o644))
	generation := []string{"file state/web/snapshot.xml", "file state/web/plan.json", "file state/web/oci"}
	r.wants(Scope{Zone: "web", Kept: true}, generation...)
	keeper := append(generation, "file state/web/journal.tmp", "file state/web/.tmp-17-x~", "file state/web/door", "file state/web/zoned.pid", "file status/web.json")
	r.wants(Scope{Zone: "web"}, keeper...)
	all := append(keeper, "file state/web/journal", "file state/web/op.lock", "file state/web/console.ring", "file state/web/zsched.log")
	r.file("web", "-rf \n*", "not ours")
	r.wants(Scope{Zone: "web", Forgotten: true}, all...)
	check(t, os.Remove(r.lay.ZoneState("web")+"/-rf \n*"))
	items := r.wants(Scope{Zone: "web", Forgotten: true}, append(all, "file state/web")...)
	r.removeAll(Scope{Zone: "web", Forgotten: true}, items)
	if exists(r.lay.ZoneState("web")) || !exists(r.lay.StatusFile("other")) {
		t.Error("the directory is left, or another zone's status is gone")
	}
	// A journal that speaks of what is gone, or of another boot, goes; sockets are told as such.
	r.file("web", "journal", line(`{"t":"open","v":1,"boot":"another"}`))
	check(t, unix.Mknod(r.lay.ZoneState("web")+"/console", unix.S_IFSOCK|0o600, 0))
	r.wants(Scope{Zone: "web"}, "file state/web/journal", "socket state/web/console")
	r.wants(Scope{Zone: "web", Kept: true})
	r.file("web", "journal", line(`{"t":"open","v":1,"boot":"`+r.boot+`"}`)+line(`{"t":"do","step":"snapshot","data":{}}`))
	r.wants(Scope{Zone: "web"}, "file state/web/journal", "socket state/web/console")
}

// A link in the place of a file of ours is unlinked, and what it leads to stays.
func TestLinks(t *testing.T) {
	r := newRig(t)
	elsewhere := t.TempDir()
	check(t, os.WriteFile(elsewhere+"/precious", nil, 0o600))
	r.file("web", "op.lock", "")
	for _, name := range []string{"oci", "snapshot.xml", "plan.json"} {
		check(t, os.Symlink(elsewhere, r.lay.ZoneState("web")+"/"+name))
	}
	s := Scope{Zone: "web", Kept: true}
	r.removeAll(s, r.find(s))
	if !exists(elsewhere + "/precious") {
		t.Error("a link was followed")
	}
	// A zone's directory that is a link is nobody's.
	check(t, os.Symlink(elsewhere, r.lay.ZoneState("evil")))
	check(t, os.WriteFile(elsewhere+"/snapshot.xml", nil, 0o600))
	r.wants(Scope{Zone: "evil"})
}

// Mounts below the run-time directory, whatever their names are; not those beside it.
func TestMounts(t *testing.T) {
	r := newRig(t)
	r.file("web", "op.lock", "")
	r.file("web2", "op.lock", "")
	odd := r.lay.ZoneState("web") + "/a b\tc\nd\\040e"
	deep := odd + "/deep"
	for _, dir := range []string{odd, deep, r.lay.ZoneState("web2") + "/m"} {
		check(t, os.MkdirAll(dir, 0o700))
		check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"))
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	}
	s := Scope{Zone: "web", Kept: true}
	items := r.wants(s, "mount "+deep, "mount "+odd)
	r.removeAll(s, items)
	r.wants(Scope{Zone: "web2", Kept: true}, "mount "+r.lay.ZoneState("web2")+"/m")
}

// Leases by their owner, also of another boot; not while somebody lives with the ids.
func TestLeases(t *testing.T) {
	r := newRig(t)
	reg, err := idrange.OpenAt(r.ids, r.etc)
	check(t, err)
	lease := func(owner string) uint32 {
		base, err := reg.Lease(owner)
		check(t, err)
		return base
	}
	web := lease(r.lay.Root + " web")
	lease(r.lay.Root + " webb")
	lease(r.lay.Root + "/x web")
	lease(" web")
	old := fmt.Sprint(idrange.First + 99*idrange.Count)
	check(t, os.Symlink("another-boot "+r.lay.Root+" web", filepath.Join(r.ids, old)))
	s := Scope{Zone: "web", Kept: true}
	items := r.wants(s, fmt.Sprintf("lease of user ids from %d", web), "lease of user ids from "+old)
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 5, Gid: 5, Groups: []uint32{web + 1000}}}
	check(t, cmd.Start())
	refused := 0
	for _, i := range items {
		if err := i.Remove(); err != nil {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d leases were kept for who lives with their ids", refused)
	}
	check(t, cmd.Process.Kill())
	// A dead one that is not reaped yet keeps nothing.
	testenv.Eventually(t, func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		return strings.Contains(string(b), ") Z ")
	}, "it to be dead")
	r.removeAll(s, r.find(s))
	_ = cmd.Wait()
	if n, err := reg.Held(); err != nil || len(n) != 3 {
		t.Errorf("%v, %v", n, err)
	}
}

// Devices by their alias; what has a name or an alias like ours stays.
func TestDevices(t *testing.T) {
	r := newRig(t)
	inNetwork(t)
	dev := func(name, alias string) {
		t.Helper()
		ip(t, "link", "add", name, "type", "bridge")
		if alias != "" {
			ip(t, "link", "set", name, "alias", alias)
		}
	}
	dev("z5", r.mark("web", 5))
	dev("zweb", "")
	dev("zother", Naming(layout.At("/x"), r.boot).Mark("web", 5).String())
	dev("zboot", Mark{Boot: "x", ID: 5, Zone: "web", root: rootHash(r.lay)}.String())
	dev("zmore", r.mark("web", 5)+" ")
	dev("zzone", r.mark("web", 0))
	ip(t, "link", "add", "zp0", "type", "veth", "peer", "name", "zp1")
	ip(t, "link", "set", "zp0", "alias", r.mark("web", 5))
	ip(t, "link", "set", "zp1", "alias", r.mark("web", 5))
	s := Scope{Zone: "web", Kept: true}
	items := r.wants(s, "network device z5", "network device zp0", "network device zp1")
	r.wants(Scope{Zone: "mail"})
	// One that was renamed or marked anew meanwhile is not ours to remove.
	ip(t, "link", "set", "z5", "alias", "somebody's")
	r.removeAll(s, items)
	for _, name := range []string{"z5", "zweb", "zother", "zboot", "zmore", "zzone"} {
		ip(t, "link", "show", name)
	}
	// What can not be removed says so.
	ip(t, "link", "set", "lo", "alias", r.mark("web", 6))
	items = r.wants(s, "network device lo")
	if err := items[0].Remove(); err == nil {
		t.Error("the loopback device is gone")
	}
}

// Zones that have left something are found without a configuration; odd names are nobody's.
func TestZones(t *testing.T) {
	r := newRig(t)
	r.cgroup(mount(t), "ofcgroup/g1", "")
	r.file("offile", "op.lock", "")
	check(t, os.Mkdir(r.lay.State()+"/-n evil", 0o700))
	check(t, os.WriteFile(r.lay.StatusFile("ofstatus"), nil, 0o600))
	check(t, os.WriteFile(r.lay.Status()+"/..json", nil, 0o600))
	check(t, os.MkdirAll(r.lay.ZoneState("global"), 0o700))
	reg, err := idrange.OpenAt(r.ids, r.etc)
	check(t, err)
	for _, owner := range []string{r.lay.Root + " oflease", r.lay.Root + " a/../b", "/x nothere"} {
		_, err := reg.Lease(owner)
		check(t, err)
	}
	got, err := r.open().Zones()
	check(t, err)
	if fmt.Sprint(got) != "[ofcgroup offile oflease ofstatus]" {
		t.Errorf("%q", got)
	}
}

func TestCount(t *testing.T) {
	want := "0 mounts, 0 cgroups, 0 network devices, 0 BPF entries, 0 sockets, 0 processes, 0 descriptors, 0 files, 0 leases left"
	if got := Count(nil); got != want {
		t.Error(got)
	}
	got := Count([]Item{{Kind: Process}, {Kind: Process}, {Kind: Lease}})
	if !strings.Contains(got, "2 processes") || !strings.HasSuffix(got, "1 lease left") {
		t.Error(got)
	}
}

// looks measures them: what they cost the processor, beside how long they take among others.
func looks(b *testing.B, r *rig) {
	b.Helper()
	cpu := func() int64 {
		var u unix.Rusage
		check(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
		return u.Utime.Nano() + u.Stime.Nano()
	}
	began, n := cpu(), 0
	for ; b.Loop(); n++ {
		if items := r.find(Scope{Zone: "web", Kept: true}); len(items) != 0 {
			b.Fatal(items)
		}
	}
	b.ReportMetric(float64(cpu()-began)/float64(n), "cpu-ns/op")
}

// BenchmarkHaltedBusy is the same on a busy host: 500 mounts, 200 network devices, 300 leases, 100
// zones.
func BenchmarkHaltedBusy(b *testing.B) {
	r := newRig(b)
	runtime.LockOSThread() // and never given back: the namespaces go with it
	check(b, unix.Unshare(unix.CLONE_NEWNET|unix.CLONE_NEWNS|unix.CLONE_FS))
	check(b, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	dir := b.TempDir()
	for i := range 500 {
		at := filepath.Join(dir, fmt.Sprint(i))
		check(b, os.Mkdir(at, 0o700))
		check(b, unix.Mount("tmpfs", at, "tmpfs", 0, "size=4k"))
		defer unix.Unmount(at, unix.MNT_DETACH)
	}
	for i := range 100 {
		out, err := exec.Command("ip", "link", "add", fmt.Sprintf("za%d", i), "type", "veth", "peer", "name", fmt.Sprintf("zb%d", i)).CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		r.cgroup(mount(b), fmt.Sprintf("z%d/g1", i), r.mark(fmt.Sprintf("z%d", i), 1))
	}
	reg, err := idrange.OpenAt(r.ids, r.etc)
	check(b, err)
	for i := range 300 {
		_, err := reg.Lease(fmt.Sprintf("%s z%d", r.lay.Root, i))
		check(b, err)
	}
	looks(b, r)
}

// BenchmarkHalted is what a halt's own look costs.
func BenchmarkHalted(b *testing.B) {
	r := newRig(b)
	looks(b, r)
}
