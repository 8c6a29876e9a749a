package vplat

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/linuxzones/zones/configs"
)

var update = flag.Bool("update", false, "write the golden files")

// debian is a host with merged /usr; oldDebian one without.
func debian() Facts {
	return Facts{
		Libexec:   "/usr/local/libexec/zones",
		MergedUsr: map[string]string{"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"},
		UsrLocal:  true,
		Arch:      "x86_64", KernelRelease: "6.1.0-56-amd64",
		FilesMax: 1 << 20,
	}
}

func oldDebian() Facts {
	f := debian()
	f.MergedUsr = map[string]string{"lib32": "usr/lib32"}
	f.Dirs = []string{"bin", "lib", "lib64", "sbin"}
	f.UsrLocal = false
	f.FilesMax = 4096
	return f
}

func someRun() Run { return Run{StateDir: "/run/zones/state/web", IDBase: 10 * IDCount, Contract: 1} }

func zone(brand string, edits ...func(*configs.Zone)) *configs.Zone {
	z := configs.New("web")
	z.Path, z.Brand = "/var/lib/zones/web", brand
	for _, e := range edits {
		e(z)
	}
	return z
}

func shareNet(z *configs.Zone) { z.IPType = configs.IPShared }

func attr(name, value string) func(*configs.Zone) {
	return func(z *configs.Zone) {
		z.Attrs = append(z.Attrs, configs.Attr{Name: name, Type: "string", Value: value})
	}
}

func limitpriv(s string) func(*configs.Zone) { return func(z *configs.Zone) { z.LimitPriv = s } }

func mounts(list ...configs.FS) func(*configs.Zone) {
	return func(z *configs.Zone) { z.FS = append(z.FS, list...) }
}

func lofs(dir, special string, options ...string) configs.FS {
	return configs.FS{Dir: dir, Special: special, Type: "lofs", Options: options}
}

func memory(dir string, options ...string) configs.FS {
	return configs.FS{Dir: dir, Special: "swap", Type: "tmpfs", Options: options}
}

func device(dir, fstype, special, raw string, options ...string) configs.FS {
	return configs.FS{Dir: dir, Special: special, Raw: raw, Type: fstype, Options: options}
}

// everything asks for all that is deferred.
func everything(z *configs.Zone) {
	z.Pool, z.HostID, z.SchedClass, z.FSAllowed = "pool_web", "80f0c086", "FSS", "tmpfs,ext4"
	z.Nets = []configs.Net{{Physical: "web0", GlobalNIC: "br0"}, {Physical: "web1"}}
	z.Devices = []configs.Device{{Match: "fuse"}, {Match: "net/tun"}}
	z.Rctls = []configs.Rctl{{Name: "zone.max-lwps", Values: []configs.RctlValue{{Priv: "privileged", Limit: 500, Action: "deny"}}}, {Name: "zone.cpu-cap"}}
	z.Datasets = []configs.Dataset{{Name: "tank/web"}}
	z.DedicatedCPU = &configs.DedicatedCPU{MinCPUs: 1, MaxCPUs: 2}
	z.PhysicalMemory = 1 << 30
	z.SecurityFlags = &configs.SecurityFlags{Lower: "aslr"}
}

var goldens = []struct {
	name string
	zone *configs.Zone
	host Facts
}{
	{"sparse", zone("sparse"), debian()},
	{"sparse-shared-ip", zone("sparse", shareNet), debian()},
	{"sparse-copy-on-write", zone("sparse", attr(AttrSparseUsr, "copy-on-write")), debian()},
	{"sparse-host-local", zone("sparse", attr(AttrSparseUsrLocal, "host"), attr(AttrHostname, "www.example.org")), debian()},
	{"sparse-unmerged", zone("sparse"), oldDebian()},
	{"whole", zone("whole"), debian()},
	{"whole-filesystems", zone("whole", mounts(
		device("/export/home/media", "hsfs", "/dev/sr0", ""),
		device("/export", "ext4", "/dev/vg0/web", "/dev/vg0/web", "noatime", "nosetuid", "commit=30"),
		lofs("/export/home", "/srv/home"),
		lofs("/opt/tools", "/opt/tools", "ro", "setuid", "nodevices", "nosub"),
		lofs("/srv/www/htdocs", "/srv/www", "noexec", "nosymfollow", "noatime"),
		memory("/scratch", "size=512m", "mode=1777"),
		memory("/tmp", "nosuid", "size=1g"),
		device("/media/stick", "pcfs", "/dev/sdb1", "/dev/sdb1", "umask=022"),
		memory("/run"),
	)), debian()},
	{"linux", zone("linux"), debian()},
	{"linux-shared-ip", zone("linux", shareNet), debian()},
	{"deferred", zone("whole", everything), debian()},
	{"limitpriv", zone("whole", limitpriv("default,sys_mount")), debian()},
	{"limitpriv-less", zone("sparse", limitpriv("basic,sys_boot")), debian()},
}

// golden compares got with a file, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is built now; look at the difference after go test -update\n%s", file, firstDifference(string(want), string(got)))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "want: " + w[i] + "\n got: " + g[i]
		}
	}
	return "one is longer"
}

// TestGolden holds whole plans. The seccomp profile, two thirds of each document, has its
// own golden files.
func TestGolden(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			p, err := Build(g.zone, g.host, someRun())
			if err != nil {
				t.Fatal(err)
			}
			if p.Spec.Linux.Seccomp == nil {
				t.Error("no seccomp profile")
			}
			p.Spec.Linux.Seccomp = nil
			doc, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "plan/"+g.name+".json", doc)
		})
	}
}

func TestGoldenSeccomp(t *testing.T) {
	for name, z := range map[string]*configs.Zone{
		"default":    zone("sparse"),
		"privileged": zone("sparse", limitpriv("all,!proc_zone,!dtrace_kernel,!sys_config,!sys_linkdir,!sys_net_config,!sys_res_config,!sys_suser_compat,!virt_manage,!xvm_control")),
	} {
		p, err := Build(z, debian(), someRun())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := json.MarshalIndent(p.Spec.Linux.Seccomp, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "seccomp-"+name+".json", append(doc, '\n'))
	}
}

func TestEveryGoldenFileIsBuilt(t *testing.T) {
	files, err := filepath.Glob("testdata/plan/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if !slices.ContainsFunc(goldens, func(g struct {
			name string
			zone *configs.Zone
			host Facts
		}) bool {
			return g.name == name
		}) {
			t.Errorf("%s belongs to no test", f)
		}
	}
}

// TestBuildIsDeterministic also holds that Build changes nothing of its arguments.
func TestBuildIsDeterministic(t *testing.T) {
	for _, g := range goldens {
		before, err := json.Marshal(g.zone)
		if err != nil {
			t.Fatal(err)
		}
		var first []byte
		for range 20 {
			p, err := Build(g.zone, g.host, someRun())
			if err != nil {
				t.Fatal(err)
			}
			doc, err := p.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = doc
			} else if !bytes.Equal(first, doc) {
				t.Fatalf("%s: two builds differ\n%s", g.name, firstDifference(string(first), string(doc)))
			}
		}
		if after, err := json.Marshal(g.zone); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the configuration was changed", g.name)
		}
	}
}

// TestPlansShareNothing: what carries out one plan edits it, and must not edit the next.
func TestPlansShareNothing(t *testing.T) {
	z := zone("sparse")
	first, err := Build(z, debian(), someRun())
	if err != nil {
		t.Fatal(err)
	}
	want, err := first.Encode()
	if err != nil {
		t.Fatal(err)
	}
	spoil(first)
	second, err := Build(z, debian(), someRun())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.Encode(); err != nil || !bytes.Equal(want, got) {
		t.Errorf("a plan has what was written into another\n%s", firstDifference(string(want), string(got)))
	}
}

func spoil(p *Plan) {
	words := func(list []string) {
		for i := range list {
			list[i] = "spoilt"
		}
	}
	for _, s := range p.Root {
		words(s.Lower)
		words(s.Options)
	}
	for _, m := range p.Spec.Mounts {
		words(m.Options)
	}
	l := p.Spec.Linux
	words(l.MaskedPaths)
	words(l.ReadonlyPaths)
	for _, c := range l.Seccomp.Syscalls {
		words(c.Names)
		clear(c.Args)
	}
	for i := range l.Namespaces {
		l.Namespaces[i] = specs.LinuxNamespace{}
	}
	words(p.Spec.Process.Env)
	words(p.Spec.Process.Capabilities.Bounding)
	words(p.Init.Env)
	words(p.Login.Env)
	words(p.Cgroup.Delegated)
}
