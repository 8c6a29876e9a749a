package vplat

import (
	"errors"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
)

func edit(e func(*configs.Zone)) func(*configs.Zone) { return e }

// refusals are configurations, and what is said of them; nil is a good one.
var refusals = []struct {
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
	{"shutdown", attr(AttrShutdownTimeout, "soon"), []string{"attr shutdown-timeout", `"soon"`, "from 1 to 86400"}},
	{"contracts", attr(AttrMaxContracts, "many"), []string{"attr max-contracts", `"many"`, "from 8 to 2147483647"}},
	{"a pool of no processors", attr("pool.a", "many"), []string{"attr pool.a", `"many"`, "0-3,8"}},
	{"contracts of none", attr(AttrMaxContracts, "7"), []string{"attr max-contracts", "from 8 to"}},
	{"contracts of more than there are numbers", attr(AttrMaxContracts, "2147483648"), []string{"attr max-contracts", "from 8 to"}},
	{"a console log of words", attr(AttrConsoleLogSize, "1M"), []string{"attr console-log-size", `"1M"`, "from 65536 to 1073741824, or 0 for none"}},
	{"a console log of a line", attr(AttrConsoleLogSize, "80"), []string{"attr console-log-size", "from 65536"}},
	{"a console log of a disk", attr(AttrConsoleLogSize, "1073741825"), []string{"attr console-log-size", "to 1073741824"}},
	{"a hundred console logs", attr(AttrConsoleLogCount, "100"), []string{"attr console-log-count", "from 0 to 99"}},
	{"console logs below none", attr(AttrConsoleLogCount, "-1"), []string{"attr console-log-count", "from 0 to 99"}},
	{"shutdown of no time", attr(AttrShutdownTimeout, "0"), []string{"attr shutdown-timeout", "from 1 to 86400"}},
	{"usr/local", attr(AttrSparseUsrLocal, "mine"), []string{"attr sparse-usr-local", "empty, host"}},
	{"usr of a whole zone", edit(func(z *configs.Zone) { z.Brand = "whole"; attr(AttrSparseUsr, "read-only")(z) }), []string{"attr sparse-usr", "only a zone of brand sparse"}},
	{"type of attr", edit(func(z *configs.Zone) {
		z.Attrs = []configs.Attr{{Name: AttrSparseUsr, Type: "boolean", Value: "true"}}
	}), []string{"attr sparse-usr", `"boolean"`, "string is wanted"}},
	{"attr twice", edit(func(z *configs.Zone) {
		attr(AttrSparseUsr, usrReadOnly)(z)
		attr(AttrSparseUsr, usrCopyOnWrite)(z)
	}), []string{"attr sparse-usr", "twice", "remove one"}},

	{"dir relative", mounts(lofs("data", "/srv/x")), []string{"fs data", "absolute"}},
	{"dir with slash", mounts(lofs("/data/", "/srv/x")), []string{"fs /data/", "without"}},
	{"dir is the root", mounts(lofs("/", "/srv/x")), []string{"fs /", "below it"}},
	{"dir in proc", mounts(memory("/proc/sys")), []string{"fs /proc/sys", "/proc belongs to the platform"}},
	{"dir is sys", mounts(memory("/sys")), []string{"/sys belongs"}},
	{"dir in dev", mounts(memory("/dev/shm")), []string{"fs /dev/shm"}},
	{"dir is our programs", mounts(memory("/lib/svc/bin")), []string{"fs /lib/svc"}},
	{"dir is mnttab", mounts(memory("/etc/mnttab")), []string{"fs /etc/mnttab"}},
	{"dir in volatile", mounts(memory("/etc/svc/volatile/x")), []string{"/etc/svc/volatile belongs"}},
	{"dir in contract", mounts(memory("/system/contract/all")), []string{"/system/contract belongs"}},
	{"dir is usr", mounts(lofs("/usr", "/srv/usr")), []string{"/usr of a sparse zone", "brand whole"}},
	{"dir is sbin", mounts(lofs("/sbin", "/srv/usr")), []string{"/sbin of a sparse zone"}},
	{"dir is the empty usr/local", mounts(lofs("/usr/local", "/srv/local")), nil},
	{"dir twice", mounts(memory("/data"), lofs("/data", "/srv/x")), []string{"fs /data", "is mounted there", "another dir"}},

	{"type", mounts(configs.FS{Dir: "/data", Special: "/srv/x", Type: "zfs"}), []string{`type "zfs"`, "lofs, tmpfs, ext2"}},
	{"type empty", mounts(configs.FS{Dir: "/data", Special: "/srv/x"}), []string{`type ""`, "allowed are"}},
	{"type proc", mounts(configs.FS{Dir: "/data", Special: "proc", Type: "proc"}), []string{`type "proc"`}},
	{"type nfs", mounts(configs.FS{Dir: "/data", Special: "srv:/x", Type: "nfs"}), []string{`type "nfs"`, "share the directory as lofs"}},
	{"tmpfs special", mounts(configs.FS{Dir: "/data", Special: "/srv/x", Type: "tmpfs"}), []string{"special=swap"}},
	{"tmpfs raw", mounts(configs.FS{Dir: "/data", Special: "swap", Raw: "/dev/sda", Type: "tmpfs"}), []string{"raw", "clear raw"}},
	{"lofs raw", mounts(configs.FS{Dir: "/data", Special: "/srv/x", Raw: "/dev/sda", Type: "lofs"}), []string{"raw"}},

	{"lofs relative", mounts(lofs("/data", "srv/x")), []string{`special "srv/x"`, "absolute"}},
	{"lofs of the root", mounts(lofs("/data", "/", "ro")), []string{`special "/"`, "share a directory beside it"}},
	{"lofs of the zonepath", mounts(lofs("/data", "/var/lib/zones/web/root", "ro")), []string{"the zone's own files"}},
	{"lofs of all zones", mounts(lofs("/data", "/var/lib/zones", "ro")), []string{"the zone's own files"}},
	{"lofs of doors", mounts(lofs("/data", "/run/zones", "ro")), []string{"the doors of the supervisors"}},
	{"lofs of another's door", mounts(lofs("/data", "/run/zones/state/db", "ro")), []string{"the doors of the supervisors"}},
	{"lofs of proc", mounts(lofs("/data", "/proc", "ro")), []string{"the host's kernel's"}},
	{"lofs of sysfs", mounts(lofs("/data", "/sys/kernel", "ro")), []string{"the host's kernel's"}},
	{"lofs of dev", mounts(lofs("/data", "/dev/disk")), []string{"device resource"}},
	{"lofs of etc", mounts(lofs("/data", "/etc/ssl")), []string{"add the option ro"}},
	{"lofs of software", mounts(lofs("/data", "/usr/share/doc")), []string{"software or settings of the host"}},
	{"lofs of our programs", mounts(lofs("/data", "/usr/local/libexec/zones")), []string{"add the option ro"}},
	{"lofs of var", mounts(lofs("/data", "/var/spool")), []string{"a directory below it"}},

	{"device relative", mounts(device("/data", "ext4", "sda1", "")), []string{`device "sda1"`, "below /dev"}},
	{"device is a file", mounts(device("/data", "ext4", "/srv/disk.img", "")), []string{`device "/srv/disk.img"`, "below /dev"}},
	{"device climbs", mounts(device("/data", "ext4", "/dev/../srv/disk.img", "")), []string{"below /dev"}},
	{"device missing", mounts(device("/data", "ext4", "", "/dev/sda")), []string{`device ""`}},
	{"raw is a file", mounts(device("/data", "ext4", "/dev/sda1", "/srv/disk.img")), []string{`device "/srv/disk.img"`}},
	{"raw without fsck", mounts(device("/data", "hsfs", "/dev/sr0", "/dev/sr0")), []string{"not checked", "clear raw"}},

	{"option unknown", mounts(lofs("/data", "/srv/x", "fast")), []string{`option "fast"`, "type lofs", "nodevices", "nosetuid", "ro"}},
	{"option of another type", mounts(memory("/data", "commit=5")), []string{`option "commit=5"`, "type tmpfs", "size="}},
	{"option without value", mounts(memory("/data", "size=")), []string{`option "size="`}},
	{"option with junk", mounts(memory("/data", "size=5x")), []string{`option "size=5x"`}},
	{"options in one", mounts(device("/data", "ext4", "/dev/sda", "", "commit=5,errors=panic")), []string{"option", "allowed are"}},
	{"panic", mounts(device("/data", "ext4", "/dev/sda", "", "errors=panic")), []string{`option "errors=panic"`}},
	{"owner", mounts(device("/data", "pcfs", "/dev/sda", "", "uid=0")), []string{`option "uid=0"`}},
	{"subvolume climbs", mounts(device("/data", "btrfs", "/dev/sda", "", "subvol=../x")), []string{`option "subvol=../x"`}},
	{"devices", mounts(lofs("/data", "/srv/x", "devices")), []string{"option devices", "device resource"}},
	{"dev", mounts(memory("/data", "dev")), []string{"option dev"}},
	{"ro and rw", mounts(lofs("/data", "/srv/x", "ro", "rw")), []string{"ro and rw contradict"}},
	{"setuid and nosuid", mounts(lofs("/data", "/srv/x", "nosuid", "setuid")), []string{"contradict", "remove one"}},
	{"remount", mounts(lofs("/data", "/srv/x", "remount")), []string{`option "remount"`}},
	{"propagation", mounts(lofs("/data", "/srv/x", "rshared")), []string{`option "rshared"`}},
	{"idmap", mounts(lofs("/data", "/srv/x", "idmap")), []string{`option "idmap"`}},
}

// TestRefusals: what can not be carried out is refused in one line that says what, why, and
// what is allowed.
func TestRefusals(t *testing.T) {
	for _, c := range refusals {
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
