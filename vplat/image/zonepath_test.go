package image

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

var zonePathCases = []struct {
	name string
	make func(t *testing.T, dir string) string
	want error
	says string
}{
	{"to be made", func(_ *testing.T, dir string) string { return dir + "/web" }, nil, ""},
	{"to be made with parents", func(_ *testing.T, dir string) string { return dir + "/a/b/web" }, nil, ""},
	{"in order", func(t *testing.T, dir string) string { return mode(t, dir+"/web", 0o700) }, nil, ""},
	{"below a sticky directory", func(t *testing.T, dir string) string {
		mode(t, dir+"/s", 0o1777)
		return mode(t, dir+"/s/mine", 0o755) + "/web"
	}, nil, ""},
	{"empty", func(*testing.T, string) string { return "" }, ErrNotAbsolute, ""},
	{"relative", func(*testing.T, string) string { return "zones/web" }, ErrNotAbsolute, `"zones/web"`},
	{"root", func(*testing.T, string) string { return "/" }, ErrNotAbsolute, ""},
	{"dots", func(_ *testing.T, dir string) string { return dir + "/x/../web" }, ErrNotAbsolute, ""},
	{"slash at the end", func(_ *testing.T, dir string) string { return dir + "/web/" }, ErrNotAbsolute, ""},
	{"NUL", func(_ *testing.T, dir string) string { return dir + "/w\x00b" }, ErrNotAbsolute, `\x00`},
	{"mode 0755", func(t *testing.T, dir string) string { return mode(t, dir+"/web", 0o755) }, ErrMode, "0755"},
	{"mode 0600", func(t *testing.T, dir string) string { return mode(t, dir+"/web", 0o600) }, ErrMode, "chmod 700"},
	{"mode 2700", func(t *testing.T, dir string) string { return mode(t, dir+"/web", 0o2700) }, ErrMode, "2700"},
	{"owner", func(t *testing.T, dir string) string { return owner(t, mode(t, dir+"/web", 0o700), 1000) }, ErrOwner, "1000"},
	{"a file", func(t *testing.T, dir string) string {
		write(t, dir+"/web", "", 0o600)
		return dir + "/web"
	}, ErrNotDirectory, "/web"},
	{"below a file", func(t *testing.T, dir string) string {
		write(t, dir+"/f", "", 0o600)
		return dir + "/f/web"
	}, ErrNotDirectory, "/f"},
	{"a link", func(t *testing.T, dir string) string {
		link(t, mode(t, dir+"/real", 0o700), dir+"/web")
		return dir + "/web"
	}, ErrSymlink, "real"},
	{"through a link", func(t *testing.T, dir string) string {
		link(t, mode(t, dir+"/real", 0o755), dir+"/l")
		return dir + "/l/web"
	}, ErrSymlink, "/l"},
	{"parent group-writable", func(t *testing.T, dir string) string { return mode(t, dir+"/p", 0o775) + "/web" }, ErrParent, "0775"},
	{"parent world-writable", func(t *testing.T, dir string) string { return mode(t, dir+"/p", 0o777) + "/web" }, ErrParent, "0777"},
	{"parent sticky", func(t *testing.T, dir string) string { return mode(t, dir+"/p", 0o1777) + "/web" }, ErrParent, "1777"},
	{"parent of a user", func(t *testing.T, dir string) string { return owner(t, mode(t, dir+"/p", 0o755), 1000) + "/web" }, ErrParent, "1000"},
	{"grandparent writable", func(t *testing.T, dir string) string {
		mode(t, dir+"/g", 0o777)
		return mode(t, dir+"/g/p", 0o755) + "/web"
	}, ErrParent, "/g"},
	{"mounted below", func(t *testing.T, dir string) string {
		mount(t, mode(t, dir+"/web/root", 0o755), 0)
		return mode(t, dir+"/web", 0o700)
	}, ErrMounted, "/web/root"},
	{"read-only", func(t *testing.T, dir string) string { return mount(t, dir, unix.MS_RDONLY) + "/web" }, ErrMountOption, "ro"},
	{"noexec", func(t *testing.T, dir string) string { return mount(t, dir, unix.MS_NOEXEC) + "/web" }, ErrMountOption, "noexec"},
	{"proc", func(*testing.T, string) string { return "/proc/self/web" }, ErrSymlink, ""}}

// TestVerifyZonePath: each demand of the manual, refused in words that name the place.
func TestVerifyZonePath(t *testing.T) {
	testenv.NeedRoot(t)
	for _, c := range zonePathCases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := c.make(t, dir)
			_, statErr := os.Lstat(path)
			err := VerifyZonePath(path)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v\nwant %v with %q", err, c.want, c.says)
			}
			if _, now := os.Lstat(path); (now == nil) != (statErr == nil) {
				t.Error("verifying made it")
			}
			if made := MakeZonePath(path); !errors.Is(made, c.want) {
				t.Errorf("making: got %v, want %v", made, c.want)
			}
			if c.want != nil {
				if _, err := Install(t.Context(), Target{path}, Source{Kind: Sparse}, Options{}); !errors.Is(err, c.want) && !errors.Is(err, unix.ENOENT) {
					t.Errorf("installing: %v", err)
				}
				return
			}
			if err := VerifyZonePath(path); err != nil {
				t.Errorf("made, but %v", err)
			}
		})
	}
}

func mode(t *testing.T, path string, bits uint32) string {
	t.Helper()
	mkdir(t, path, bits)
	return path
}

func owner(t *testing.T, path string, id int) string {
	t.Helper()
	if err := os.Chown(path, id, id); err != nil {
		t.Fatal(err)
	}
	return path
}

func mount(t *testing.T, path string, flags uintptr) string {
	t.Helper()
	if err := unix.Mount("t", path, "tmpfs", flags, "mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
	return path
}

// TestMakeZonePathModes: made parents are open to look at, the zonepath is not, whatever
// the umask of the caller.
func TestMakeZonePathModes(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	old := unix.Umask(0o177)
	err := MakeZonePath(dir + "/a/web")
	unix.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir, withoutTimes); got != ".\n\"a\" 40755 0:0\n\"a/web\" 40700 0:0\n" {
		t.Errorf("got\n%s", got)
	}
}

// TestInstallPlaces: where Install puts the root, and what it refuses to put it into.
func TestInstallPlaces(t *testing.T) {
	data := makeTar(t, withOS()...)
	for _, c := range []struct {
		name string
		make func(t *testing.T, zonepath string)
		want error
	}{
		{"nothing there", func(*testing.T, string) {}, nil},
		{"empty root", func(t *testing.T, zp string) { mode(t, zp+"/root", 0o711) }, nil},
		{"logs and lost+found", func(t *testing.T, zp string) { mode(t, zp+"/logs", 0o755); mode(t, zp+"/lost+found", 0o700) }, nil},
		{"a root with files", func(t *testing.T, zp string) { mode(t, zp+"/root/etc", 0o755) }, ErrNotEmpty},
		{"an earlier zone's layer", func(t *testing.T, zp string) { mode(t, zp+"/usr-upper/upper", 0o755) }, ErrNotEmpty},
		{"a home directory", func(t *testing.T, zp string) { write(t, zp+"/.bashrc", "", 0o600) }, ErrForeign},
		{"root is a link", func(t *testing.T, zp string) { link(t, "/tmp", zp+"/root") }, unix.ELOOP},
		{"root is a file", func(t *testing.T, zp string) { write(t, zp+"/root", "", 0o600) }, unix.ENOTDIR},
		{"root is a mount", func(t *testing.T, zp string) { mount(t, mode(t, zp+"/root", 0o755), 0) }, ErrMounted},
	} {
		t.Run(c.name, func(t *testing.T) {
			zonepath, _ := newZone(t)
			c.make(t, zonepath)
			_, err := installBytes(t, zonepath, data, Options{})
			if !errors.Is(err, c.want) && !(c.want == unix.ELOOP && errors.Is(err, unix.ENOTDIR)) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err == nil && !strings.Contains(listing(t, zonepath, withoutTimes), `"root" 40755 0:0`) {
				t.Error("root is not 0755")
			}
			_ = unix.Unmount(zonepath+"/root", unix.MNT_DETACH)
			_ = os.Remove(zonepath + "/.bashrc")
			_ = os.Remove(zonepath + "/lost+found")
		})
	}
	if _, err := Install(t.Context(), Target{filepath.Join(t.TempDir(), "none")}, Source{Kind: Sparse}, Options{}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("missing zonepath: %v", err)
	}
	if _, err := Install(t.Context(), Target{"/none"}, Source{}, Options{}); err == nil {
		t.Error("a source of no kind was taken")
	}
}

func TestMountsBelow(t *testing.T) {
	const info = `22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:30 / /zones/web rw - tmpfs t rw
31 22 0:31 / /zones/web/root rw shared:1 - tmpfs t rw
32 22 0:32 / /zones/web/ro\040ot\012\134 rw - tmpfs t rw
33 22 0:33 / /zones/website rw - tmpfs t rw
`
	got, err := mountsBelow(strings.NewReader(info), "/zones/web")
	if err != nil || strings.Join(got, "|") != "/zones/web/root|/zones/web/ro ot\n\\" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := mountsBelow(strings.NewReader("1 2 3\n"), "/x"); err == nil {
		t.Error("a short line was taken")
	}
	if _, err := mountsBelow(strings.NewReader(strings.Repeat("x", 2*mountLineBytesMax)), "/x"); err == nil {
		t.Error("an endless line was taken")
	}
}

func TestUnescapeOctal(t *testing.T) {
	for in, want := range map[string]string{"": "", "/a": "/a", `\040`: " ", `a\134b`: `a\b`, `\04`: `\04`, `\999`: `\999`, `\`: `\`} {
		if got := unescapeOctal(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestCleanName(t *testing.T) {
	lim := Limits{}.withDefaults()
	for in, want := range map[string]string{
		"a": "a", "./a": "a", "./": "", ".": "", "a/": "a", "a//b/./c/": "a/b/c", "...": "...", "..a": "..a", "a\nb": "a\nb", "./.": "",
	} {
		if got, err := cleanName(in, lim); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
}

// TestSanitise: nothing that a terminal would act on comes through, and nothing endless.
func TestSanitise(t *testing.T) {
	for in, want := range map[string]string{
		"plain/näme": "plain/näme", "a\x1b[31m\n": `a\x1b[31m\n`, "\u202egnp.exe": `\u202egnp.exe`, "\u009b1m": `\u009b1m`, "\xff": `\xff`,
	} {
		if got := sanitise(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := sanitise(strings.Repeat("ü", 1<<20)); len(got) > 4*shownNameBytesMax+10 {
		t.Errorf("%d bytes", len(got))
	}
}
