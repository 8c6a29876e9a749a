package vplat

import (
	"errors"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
)

// TestRefusals: what can not be carried out is refused in one line that says what, why, and
// what is allowed.
func TestRefusals(t *testing.T) {
	edit := func(e func(*configs.Zone)) func(*configs.Zone) { return e }
	fs := func(f configs.FS) func(*configs.Zone) { return mounts(f) }
	for _, c := range []struct {
		name string
		edit func(*configs.Zone)
		want []string
	}{
		{"name", edit(func(z *configs.Zone) { z.Name = "../web" }), []string{"zonename", "1 to 63"}},
		{"name of the host", edit(func(z *configs.Zone) { z.Name = "global" }), []string{"zonename", "the host's own"}},
		{"zonepath empty", edit(func(z *configs.Zone) { z.Path = "" }), []string{`zonepath ""`, "absolute"}},
		{"zonepath relative", edit(func(z *configs.Zone) { z.Path = "zones/web" }), []string{`zonepath "zones/web"`, "absolute"}},
		{"zonepath climbs", edit(func(z *configs.Zone) { z.Path = "/zones/../etc" }), []string{"..", "without"}},
		{"zonepath is the root", edit(func(z *configs.Zone) { z.Path = "/" }), []string{"zonepath", "directory of its own"}},
		{"zonepath in usr", edit(func(z *configs.Zone) { z.Path = "/usr/zones/web" }), []string{"directory /usr/zones/web", "outside of it"}},
		{"zonepath breaks an overlay", edit(func(z *configs.Zone) { z.Path = "/zones/a:b" }), []string{"colon", "without"}},
		{"zonepath with a newline", edit(func(z *configs.Zone) { z.Path = "/zones/a\nb" }), []string{"control character"}},
		{"zonepath too long", edit(func(z *configs.Zone) { z.Path = "/" + strings.Repeat("z", 2000) }), []string{"1024"}},
		{"ip-type", edit(func(z *configs.Zone) { z.IPType = "bridged" }), []string{`ip-type "bridged"`, "exclusive and shared"}},
		{"brand unknown", edit(func(z *configs.Zone) { z.Brand = "lx" }), []string{`brand "lx"`, "sparse, whole, linux"}},
		{"brand without init", edit(func(z *configs.Zone) { z.Brand = "oci" }), []string{`brand "oci"`, "use brand linux"}},
		{"limitpriv unknown", limitpriv("default,fly"), []string{"limitpriv", "fly"}},
		{"limitpriv prohibited", limitpriv("default,proc_zone"), []string{"limitpriv", "proc_zone"}},
		{"hostname", attr(AttrHostname, "web_1"), []string{"attr hostname", `"web_1"`, "letters, digits"}},
		{"hostname too long", attr(AttrHostname, strings.Repeat("h", 65)), []string{"attr hostname", "at most 64"}},
		{"usr", attr(AttrSparseUsr, "rw"), []string{"attr sparse-usr", "read-only, copy-on-write"}},
		{"usr/local", attr(AttrSparseUsrLocal, "mine"), []string{"attr sparse-usr-local", "empty, host"}},
		{"usr of a whole zone", edit(func(z *configs.Zone) { z.Brand = "whole"; attr(AttrSparseUsr, "read-only")(z) }), []string{"attr sparse-usr", "only a zone of brand sparse"}},
		{"type of attr", edit(func(z *configs.Zone) {
			z.Attrs = []configs.Attr{{Name: AttrSparseUsr, Type: "boolean", Value: "true"}}
		}), []string{"attr sparse-usr", `"boolean"`, "string is wanted"}},
		{"attr twice", edit(func(z *configs.Zone) {
			attr(AttrSparseUsr, usrReadOnly)(z)
			attr(AttrSparseUsr, usrCopyOnWrite)(z)
		}), []string{"attr sparse-usr", "twice", "remove one"}},

		{"dir relative", fs(lofs("data", "/srv/x")), []string{"fs data", "absolute"}},
		{"dir with slash", fs(lofs("/data/", "/srv/x")), []string{"fs /data/", "without"}},
		{"dir is the root", fs(lofs("/", "/srv/x")), []string{"fs /", "below it"}},
		{"dir in proc", fs(memory("/proc/sys")), []string{"fs /proc/sys", "/proc belongs to the platform"}},
		{"dir is sys", fs(memory("/sys")), []string{"/sys belongs"}},
		{"dir in dev", fs(memory("/dev/shm")), []string{"fs /dev/shm"}},
		{"dir is our programs", fs(memory("/lib/svc/bin")), []string{"fs /lib/svc/bin"}},
		{"dir is mnttab", fs(memory("/etc/mnttab")), []string{"fs /etc/mnttab"}},
		{"dir in volatile", fs(memory("/etc/svc/volatile/x")), []string{"/etc/svc/volatile belongs"}},
		{"dir in contract", fs(memory("/system/contract/all")), []string{"/system/contract belongs"}},
		{"dir is usr", fs(lofs("/usr", "/srv/usr")), []string{"/usr of a sparse zone", "brand whole"}},
		{"dir is sbin", fs(lofs("/sbin", "/srv/usr")), []string{"/sbin of a sparse zone"}},
		{"dir is the empty usr/local", fs(lofs("/usr/local", "/srv/local")), nil},
		{"dir twice", mounts(memory("/data"), lofs("/data", "/srv/x")), []string{"fs /data", "is mounted there", "another dir"}},

		{"type", fs(configs.FS{Dir: "/data", Special: "/srv/x", Type: "zfs"}), []string{`type "zfs"`, "lofs, tmpfs, ext2"}},
		{"type empty", fs(configs.FS{Dir: "/data", Special: "/srv/x"}), []string{`type ""`, "allowed are"}},
		{"type proc", fs(configs.FS{Dir: "/data", Special: "proc", Type: "proc"}), []string{`type "proc"`}},
		{"type nfs", fs(configs.FS{Dir: "/data", Special: "srv:/x", Type: "nfs"}), []string{`type "nfs"`, "share the directory as lofs"}},
		{"tmpfs special", fs(configs.FS{Dir: "/data", Special: "/srv/x", Type: "tmpfs"}), []string{"special=swap"}},
		{"tmpfs raw", fs(configs.FS{Dir: "/data", Special: "swap", Raw: "/dev/sda", Type: "tmpfs"}), []string{"raw", "clear raw"}},
		{"lofs raw", fs(configs.FS{Dir: "/data", Special: "/srv/x", Raw: "/dev/sda", Type: "lofs"}), []string{"raw"}},

		{"lofs relative", fs(lofs("/data", "srv/x")), []string{`special "srv/x"`, "absolute"}},
		{"lofs of the root", fs(lofs("/data", "/", "ro")), []string{`special "/"`, "share a directory beside it"}},
		{"lofs of the zonepath", fs(lofs("/data", "/var/lib/zones/web/root", "ro")), []string{"the zone's own files"}},
		{"lofs of all zones", fs(lofs("/data", "/var/lib/zones", "ro")), []string{"the zone's own files"}},
		{"lofs of doors", fs(lofs("/data", "/run/zones", "ro")), []string{"the doors of the supervisors"}},
		{"lofs of another's door", fs(lofs("/data", "/run/zones/state/db", "ro")), []string{"the doors of the supervisors"}},
		{"lofs of proc", fs(lofs("/data", "/proc", "ro")), []string{"the host's kernel's"}},
		{"lofs of sysfs", fs(lofs("/data", "/sys/kernel", "ro")), []string{"the host's kernel's"}},
		{"lofs of dev", fs(lofs("/data", "/dev/disk")), []string{"device resource"}},
		{"lofs of etc", fs(lofs("/data", "/etc/ssl")), []string{"add the option ro"}},
		{"lofs of software", fs(lofs("/data", "/usr/share/doc")), []string{"software or settings of the host"}},
		{"lofs of our programs", fs(lofs("/data", "/usr/local/libexec/zones")), []string{"add the option ro"}},
		{"lofs of var", fs(lofs("/data", "/var/spool")), []string{"a directory below it"}},

		{"device relative", fs(device("/data", "ext4", "sda1", "")), []string{`device "sda1"`, "below /dev"}},
		{"device is a file", fs(device("/data", "ext4", "/srv/disk.img", "")), []string{`device "/srv/disk.img"`, "below /dev"}},
		{"device climbs", fs(device("/data", "ext4", "/dev/../srv/disk.img", "")), []string{"below /dev"}},
		{"device missing", fs(device("/data", "ext4", "", "/dev/sda")), []string{`device ""`}},
		{"raw is a file", fs(device("/data", "ext4", "/dev/sda1", "/srv/disk.img")), []string{`device "/srv/disk.img"`}},
		{"raw without fsck", fs(device("/data", "hsfs", "/dev/sr0", "/dev/sr0")), []string{"not checked", "clear raw"}},

		{"option unknown", fs(lofs("/data", "/srv/x", "fast")), []string{`option "fast"`, "type lofs", "nodevices", "nosetuid", "ro"}},
		{"option of another type", fs(memory("/data", "commit=5")), []string{`option "commit=5"`, "type tmpfs", "size="}},
		{"option without value", fs(memory("/data", "size=")), []string{`option "size="`}},
		{"option with junk", fs(memory("/data", "size=5x")), []string{`option "size=5x"`}},
		{"options in one", fs(device("/data", "ext4", "/dev/sda", "", "commit=5,errors=panic")), []string{"option", "allowed are"}},
		{"panic", fs(device("/data", "ext4", "/dev/sda", "", "errors=panic")), []string{`option "errors=panic"`}},
		{"owner", fs(device("/data", "pcfs", "/dev/sda", "", "uid=0")), []string{`option "uid=0"`}},
		{"subvolume climbs", fs(device("/data", "btrfs", "/dev/sda", "", "subvol=../x")), []string{`option "subvol=../x"`}},
		{"devices", fs(lofs("/data", "/srv/x", "devices")), []string{"option devices", "device resource"}},
		{"dev", fs(memory("/data", "dev")), []string{"option dev"}},
		{"ro and rw", fs(lofs("/data", "/srv/x", "ro", "rw")), []string{"ro and rw contradict"}},
		{"setuid and nosuid", fs(lofs("/data", "/srv/x", "nosuid", "setuid")), []string{"contradict", "remove one"}},
		{"remount", fs(lofs("/data", "/srv/x", "remount")), []string{`option "remount"`}},
		{"propagation", fs(lofs("/data", "/srv/x", "rshared")), []string{`option "rshared"`}},
		{"idmap", fs(lofs("/data", "/srv/x", "idmap")), []string{`option "idmap"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Build(zone("sparse", c.edit), debian(), someRun())
			if c.want == nil {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			checkRefusal(t, err, c.want)
		})
	}
}

func checkRefusal(t *testing.T, err error, want []string) {
	t.Helper()
	if !errors.Is(err, ErrRefused) {
		t.Fatalf("got %v, a refusal is wanted", err)
	}
	if strings.ContainsAny(err.Error(), "\n\r\x00") {
		t.Errorf("more than a line: %q", err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// TestRefusedSurroundings: facts and ranges that no zone can be built with.
func TestRefusedSurroundings(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Facts, *Run)
		want string
	}{
		{"machine", func(f *Facts, _ *Run) { f.Arch = "mips64" }, "x86_64, aarch64"},
		{"libexec", func(f *Facts, _ *Run) { f.Libexec = "bin" }, "libexec directory"},
		{"libexec breaks an overlay", func(f *Facts, _ *Run) { f.Libexec = "/opt/a,b" }, "comma"},
		{"state directory", func(_ *Facts, r *Run) { r.StateDir = "" }, "state directory"},
		{"range of the host", func(_ *Facts, r *Run) { r.IDBase = 0 }, "id range"},
		{"range not aligned", func(_ *Facts, r *Run) { r.IDBase = 100000 }, "multiple of 65536"},
		{"range with -1", func(_ *Facts, r *Run) { r.IDBase = 0xffff0000 }, "id range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, r := debian(), someRun()
			c.edit(&f, &r)
			_, err := Build(zone("sparse"), f, r)
			checkRefusal(t, err, []string{c.want})
		})
	}
	r := someRun()
	r.IDBase = idBaseMax
	if _, err := Build(zone("sparse"), debian(), r); err != nil {
		t.Errorf("the last range: %v", err)
	}
}
