package vplat

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
)

// TestTranslation: what the options of an fs resource become on the root step and on the
// Spec's mount.
func TestTranslation(t *testing.T) {
	for _, c := range []struct {
		name  string
		fs    configs.FS
		step  []string // nil when there is none
		ro    bool
		mount []string
	}{
		{"lofs", lofs("/d", "/srv/x"), []string{"nosuid", "nodev"}, false, []string{"bind", "nosuid", "nodev"}},
		{"lofs ro", lofs("/d", "/srv/x", "ro"), []string{"nosuid", "nodev"}, true, []string{"bind", "ro", "nosuid", "nodev"}},
		{"lofs setuid", lofs("/d", "/srv/x", "setuid", "exec", "rw"), []string{"nodev"}, false, []string{"bind", "nodev"}},
		{"lofs of the original", lofs("/d", "/srv/x", "nodevices", "nosetuid", "nosub", "noexec"), []string{"nosuid", "nodev", "noexec"}, false, []string{"bind", "nosuid", "nodev", "noexec"}},
		{"lofs with times", lofs("/d", "/srv/x", "strictatime", "nodiratime"), []string{"nosuid", "nodev", "strictatime", "nodiratime"}, false, []string{"bind", "nosuid", "nodev"}},
		{"tmpfs", memory("/d"), nil, false, []string{"nodev", tmpSize, tmpInodes}},
		{"tmpfs with all", memory("/d", "size=1g", "nr_inodes=5k", "mode=1777", "nosuid", "noatime", "ro"), nil, true,
			[]string{"ro", "nosuid", "nodev", "noatime", "size=1g", "nr_inodes=5k", "mode=1777"}},
		{"ext4", device("/d", "ext4", "/dev/sda1", ""), []string{"nodev", "errors=remount-ro"}, false, []string{"bind", "nodev", "idmap"}},
		{"ext3", device("/d", "ext3", "/dev/sda1", "", "errors=continue", "nosuid"), []string{"nosuid", "nodev", "errors=continue"}, false, []string{"bind", "nosuid", "nodev", "idmap"}},
		{"btrfs", device("/d", "btrfs", "/dev/sda1", "", "subvol=a/b", "compress=zstd:3", "ro"), []string{"nodev", "subvol=a/b", "compress=zstd:3"}, true, []string{"bind", "ro", "nodev", "idmap"}},
		{"squashfs", device("/d", "squashfs", "/dev/loop0", ""), []string{"nodev"}, true, []string{"bind", "ro", "nodev", "idmap"}},
		{"pcfs", device("/d", "pcfs", "/dev/sda1", "", "fmask=0133"), []string{"nosuid", "nodev", "fmask=0133", "uid=655360", "gid=655360"}, false, []string{"bind", "nosuid", "nodev"}},
		{"hsfs", device("/d", "hsfs", "/dev/sr0", ""), []string{"nosuid", "nodev", "uid=655360", "gid=655360"}, true, []string{"bind", "ro", "nosuid", "nodev"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Build(zone("whole", mounts(c.fs)), debian(), someRun())
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(p.Root, func(s RootStep) bool { return s.Target == "stage/fs0" })
			if (i >= 0) != (c.step != nil) {
				t.Fatalf("root steps: %+v", p.Root)
			}
			if i >= 0 && (!slices.Equal(p.Root[i].Options, c.step) || p.Root[i].ReadOnly != c.ro) {
				t.Errorf("step %q read-only %v, want %q %v", p.Root[i].Options, p.Root[i].ReadOnly, c.step, c.ro)
			}
			for _, m := range p.Spec.Mounts {
				if m.Destination == "/d" && !slices.Equal(m.Options, c.mount) {
					t.Errorf("mount %q, want %q", m.Options, c.mount)
				}
			}
		})
	}
}

// TestEveryType builds one of each, with each of its plain options.
func TestEveryType(t *testing.T) {
	for _, k := range fsKinds {
		special := map[fsHow]string{shared: "/srv/x", inMemory: "swap", onDevice: "/dev/sda1"}[k.how]
		fs := configs.FS{Dir: "/d", Type: k.name, Special: special, Options: []string{"nodevices"}}
		if k.fsck {
			fs.Raw = special
		}
		for _, d := range k.data {
			if !slices.ContainsFunc([]rune(d), func(r rune) bool { return r == '=' || r == '(' }) {
				fs.Options = append(fs.Options, d)
			}
		}
		if _, err := Build(zone("whole", mounts(fs)), debian(), someRun()); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
	}
}

func TestMountFlags(t *testing.T) {
	s := RootStep{Options: []string{"nosuid", "nodev", "noatime", "commit=30", "errors=remount-ro"}, ReadOnly: true}
	flags, data := s.MountFlags()
	if want := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOATIME | unix.MS_RDONLY); flags != want {
		t.Errorf("flags %#x, want %#x", flags, want)
	}
	if !slices.Equal(data, []string{"commit=30", "errors=remount-ro"}) {
		t.Errorf("data %q", data)
	}
	if flags, data := (RootStep{}).MountFlags(); flags != unix.MS_NODEV || data != nil {
		t.Errorf("of nothing: %#x %q", flags, data)
	}
}
