package badinput

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// entry is one of an archive.
type entry struct {
	name, link string
	kind       byte
	body       string
	uid        int
}

// system are entries that make a tree pass for an operating system.
var system = []entry{
	{name: "bin/", kind: tar.TypeDir}, {name: "etc/", kind: tar.TypeDir}, {name: "usr/", kind: tar.TypeDir},
	{name: "bin/sh", kind: tar.TypeReg, body: "#!\n"}, {name: "etc/passwd", kind: tar.TypeReg, body: "root:x:0:0::/:/bin/sh\n"},
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range append(append([]entry{}, system...), entries...) {
		mode := int64(0o755)
		must(t, w.WriteHeader(&tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Size: int64(len(e.body)), Mode: mode, Uid: e.uid, Format: tar.FormatPAX}))
		_, err := w.Write([]byte(e.body))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

// TestArchives: an installation that fails leaves the zone incomplete, says why in a line, and
// nothing outside of the zonepath is touched.
func TestArchives(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Must("zonecfg", "-z", "big", "create; set brand=whole; set zonepath="+z.ZonePath("big"))
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	must(t, os.Mkdir(victim, 0o755))
	must(t, os.WriteFile(filepath.Join(victim, "file"), []byte("the host's\n"), 0o644))
	before := testenv.HashTree(t, victim)
	good := gzipped(t, archive(t))
	up := strings.Repeat("../", 20) + strings.TrimPrefix(victim, "/")
	for name, content := range map[string][]byte{
		"empty":                 {},
		"text":                  []byte("this is no archive\n"),
		"zeroes":                make([]byte, 10240),
		"half":                  good[:len(good)/2],
		"spoilt":                append(append([]byte{}, good[:len(good)-20]...), bytes.Repeat([]byte{0xff}, 20)...),
		"a name that climbs":    archive(t, entry{name: up + "/planted", kind: tar.TypeReg, body: "x"}),
		"an absolute name":      archive(t, entry{name: victim + "/../victim/planted", kind: tar.TypeReg, body: "x"}),
		"through a link":        archive(t, entry{name: "out", link: victim, kind: tar.TypeSymlink}, entry{name: "out/planted", kind: tar.TypeReg, body: "x"}),
		"a hard link outside":   archive(t, entry{name: "hard", link: up + "/file", kind: tar.TypeLink}),
		"an owner out of range": archive(t, entry{name: "big", kind: tar.TypeReg, body: "x", uid: 70000}),
		"a bomb":                bomb(t),
		"no operating system":   gzipped(t, onlyFiles(t)),
		"xz that is none":       append([]byte("\xfd7zXZ\x00"), bytes.Repeat([]byte{1}, 100)...),
		"zstd that is none":     append([]byte{0x28, 0xb5, 0x2f, 0xfd}, bytes.Repeat([]byte{1}, 100)...),
		"two kinds of one name": archive(t, entry{name: "twice", kind: tar.TypeReg, body: "x"}, entry{name: "twice", kind: tar.TypeDir}),
		"a name with a newline": archive(t, entry{name: "../a\nb\x1b[2J", kind: tar.TypeReg, body: "x"}),
	} {
		file := filepath.Join(dir, "archive")
		must(t, os.WriteFile(file, content, 0o644))
		refusedInstall(t, z, name, "-a", file)
	}
	refusedInstall(t, z, "a file that is not there", "-a", "/nonexistent")
	refusedInstall(t, z, "a directory for an archive", "-a", "/etc")
	refusedInstall(t, z, "a file for a directory", "-d", "/etc/passwd")
	refusedInstall(t, z, "an empty directory", "-d", t.TempDir())
	refusedInstall(t, z, "a directory that is not there", "-d", "/nonexistent")
	refusedInstall(t, z, "the zone itself", "-d", z.ZonePath("big"))
	refusedInstall(t, z, "no source")
	refusedInstall(t, z, "two sources", "-a", "/x", "-d", "/y")
	if diff := before.Diff(testenv.HashTree(t, victim)); len(diff) > 0 {
		t.Errorf("the host was changed: %s", strings.Join(diff, "\n"))
	}
}

// bombBytes is beyond what an archive may expand to, for its size and for how little it is.
const bombBytes = 320 << 20

func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	packed, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	must(t, err)
	w := tar.NewWriter(packed)
	must(t, w.WriteHeader(&tar.Header{Name: "zeroes", Typeflag: tar.TypeReg, Mode: 0o644, Size: bombBytes}))
	zeroes := make([]byte, 1<<20)
	for range bombBytes / len(zeroes) {
		_, err := w.Write(zeroes)
		must(t, err)
	}
	must(t, w.Close())
	must(t, packed.Close())
	return b.Bytes()
}

func onlyFiles(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(t, w.WriteHeader(&tar.Header{Name: "readme", Typeflag: tar.TypeReg, Mode: 0o644}))
	must(t, w.Close())
	return b.Bytes()
}

// refusedInstall installs in vain. The zone is then configured as before, or incomplete and
// can be cleaned up.
func refusedInstall(t *testing.T, z *testenv.Zones, name string, args ...string) {
	t.Helper()
	out, errs, exit := z.Zoneadm(append([]string{"-z", "big", "install"}, args...)...)
	line, rest, _ := strings.Cut(errs, "\n")
	if exit != 1 && exit != 2 || out != "" || rest != "" || line == "" || len(line) > lineBytesMax || !clean(line) {
		t.Errorf("install from %s: exit %d\nstdout: %s\nstderr: %s\nwant exit 1 and one clear line", name, exit, out, errs)
	}
	t.Logf("%s: %.300s", name, line)
	switch state := strings.Split(z.Must("zoneadm", "-z", "big", "list", "-p"), ":")[2]; state {
	case "configured":
	case "incomplete":
		if out, errs, exit := z.Zoneadm("-z", "big", "uninstall", "-F"); exit != 0 || out+errs != "" {
			t.Errorf("%s: uninstall after it: exit %d %s%s", name, exit, out, errs)
		}
	default:
		t.Fatalf("install from %s: the zone is %s", name, state)
	}
}
