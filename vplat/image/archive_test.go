package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

func makeFIFO(path string) error { return unix.Mkfifo(path, 0o600) }

func zst(data []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	defer w.Close()
	return w.EncodeAll(data, nil)
}

// richEntries hold one of everything that is taken.
func richEntries() []entry {
	at := time.Unix(1_500_000_000, 123456789)
	long := strings.Repeat("long-name/", 30)
	list := []entry{
		dirEntry("usr/bin"), fileEntry("usr/bin/su", "setuid"), fileEntry("usr/bin/ping", "caps"),
		hardEntry("usr/bin/su-again", "usr/bin/su"), symEntry("bin", "usr/bin"), symEntry("usr/out", "/etc/shadow"),
		symEntry("usr/up", "../../../.."), dirEntry(long), fileEntry(long+"file", "deep"),
		fileEntry("usr/new\nline", "n"), fileEntry("usr/\xff\xfe\x1b[31m", "bytes"),
		linkEntry(tar.TypeFifo, "usr/pipe", ""), linkEntry(tar.TypeChar, "dev/null", ""), linkEntry(tar.TypeBlock, "dev/sda", ""),
		hardEntry("dev/zero", "dev/null"), fileEntry("implied/dirs/file", "i"), fileEntry("usr/empty", ""),
		fileEntry("usr/zeros", strings.Repeat("\x00", 100_000)),
		fileEntry("usr/holes", strings.Repeat("\x00", 300_000)+"data"+strings.Repeat("\x00", 400_000)),
		fileEntry("usr/twice", "first"), fileEntry("usr/twice", "second"), symEntry("usr/l2", "a"), symEntry("usr/l2", "b"),
		linkEntry(tar.TypeFifo, "usr/pipe", ""),
		{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}},
	}
	for i := range list {
		h := &list[i].Header
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		h.ModTime, h.Format = at, tar.FormatPAX
		switch h.Name {
		case "usr/bin/su":
			h.Mode, h.Gid = 0o4754, 42
		case "usr/bin/ping":
			h.PAXRecords = map[string]string{
				"SCHILY.xattr.security.capability": capability(capRevision2, 0), "SCHILY.xattr.user.note": "a\nb",
				"SCHILY.xattr.security.selinux": "label", "SCHILY.acl.access": "user::rw-", "SCHILY.xattr.user.overlay.opaque": "y",
			}
		case "usr/twice":
			h.Uid, h.Gid = 65535, 65535
		}
	}
	return withOS(list...)
}

// TestArchiveFormats: each format gives the same tree, and it is the right one.
func TestArchiveFormats(t *testing.T) {
	data := makeTar(t, richEntries()...)
	var want string
	for _, format := range []struct {
		name string
		pack func([]byte) []byte
	}{
		{"tar", plain}, {"gzip", gz}, {"zstd", zst}, {"xz", func(b []byte) []byte { return xzPacked(t, b) }},
		{"gzip members", func(b []byte) []byte { return append(gz(b[:1000]), gz(b[1000:])...) }},
		{"zstd frames", func(b []byte) []byte { return append(zst(b[:1000]), zst(b[1000:])...) }},
		{"tar with padding", func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, 20*tarBlockBytes)...) }},
	} {
		t.Run(format.name, func(t *testing.T) {
			zonepath, _ := newZone(t)
			report, err := installBytes(t, zonepath, format.pack(data), Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := listing(t, filepath.Join(zonepath, "root"), withoutTimes)
			if want == "" {
				want = got
				checkRich(t, filepath.Join(zonepath, "root"), report)
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func checkRich(t *testing.T, root string, report Report) {
	t.Helper()
	var su, again, zeros, holes, top unix.Stat_t
	for name, st := range map[string]*unix.Stat_t{"usr/bin/su": &su, "usr/bin/su-again": &again, "usr/zeros": &zeros, "usr/holes": &holes, ".": &top} {
		if err := unix.Lstat(filepath.Join(root, name), st); err != nil {
			t.Fatal(err)
		}
	}
	if su.Mode != unix.S_IFREG|0o4754 || su.Gid != 42 || su.Ino != again.Ino || su.Mtim != (unix.Timespec{Sec: 1_500_000_000, Nsec: 123456789}) {
		t.Errorf("su: %+v", su)
	}
	if zeros.Blocks != 0 || zeros.Size != 100_000 || holes.Blocks > 64 || holes.Size != 700_004 {
		t.Errorf("holes: %d blocks of %d bytes, %d of %d", zeros.Blocks, zeros.Size, holes.Blocks, holes.Size)
	}
	if top.Mode != unix.S_IFDIR|0o755 || top.Uid != 0 {
		t.Errorf("root: %o of %d", top.Mode, top.Uid)
	}
	list := listing(t, root, withTimes)
	for _, want := range []string{
		`"usr/twice" 100644 65535:65535 time=1500000000.123456789 6 `, `"usr/l2" 120777 0:0 time=1500000000.123456789 -> "b"`,
		`"implied" 40755 0:0`, `user.note=610a62`, "security.capability=0100000200200000", `"usr/bin" 40755 0:0 time=1500000000.123456789`,
		`"lib/svc" 40755`, `"etc/mnttab" 100444`, `"tmp" 41777`, `"system/contract" 40555`, `"usr/pipe" 10777`,
	} {
		if !strings.Contains(list, want) {
			t.Errorf("no %q in\n%s", want, list)
		}
	}
	for _, no := range []string{"dev/null", "dev/zero", "dev/sda", "selinux", "overlay"} {
		if strings.Contains(list, no) {
			t.Errorf("%q is there", no)
		}
	}
	if report.DevicesSkipped != 2 || report.XattrsSkipped != 3 || report.Hardlinks != 1 {
		t.Errorf("report: %+v", report)
	}
}

// TestArchiveOfTar: what the system's tar and compressors make is understood.
func TestArchiveOfTar(t *testing.T) {
	src := randomTree(t, 7)
	for _, args := range [][]string{
		{"--format=gnu"}, {"--format=posix", "--xattrs", "--xattrs-include=*"}, {"--format=posix", "--sparse"}, {"--format=gnu", "--sparse"},
		{"--format=gnu", "-z"}, {"--format=gnu", "-J"}, {"--format=posix", "--zstd"}, {"--format=gnu", "--label=image"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			zonepath, _ := newZone(t)
			path := filepath.Join(filepath.Dir(zonepath), "out")
			cmd := exec.Command("tar", append([]string{"-C", src, "--numeric-owner", "-cf", path, "."}, args...)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if _, err := Install(t.Context(), Target{zonepath}, Source{Archive, path}, Options{}); err != nil {
				t.Fatal(err)
			}
			compareTrees(t, src, filepath.Join(zonepath, "root"), slices.Contains(args, "--xattrs"))
		})
	}
}

// compareTrees compares a source with an installed tree, leaving out what installing adds.
func compareTrees(t *testing.T, src, root string, exact bool) {
	t.Helper()
	added := map[string]bool{"proc": true, "sys": true, "dev": true, "run": true, "tmp": true, "system": true,
		"system/contract": true, "lib": true, "lib/svc": true, "etc": true, "etc/svc": true,
		"etc/svc/volatile": true, "etc/mnttab": true}
	keep := func(list string) string {
		var out strings.Builder
		for line := range strings.Lines(list) {
			if name, _, _ := strings.Cut(line, " "); !added[strings.Trim(name, `"`)] {
				out.WriteString(line)
			}
		}
		if exact {
			return out.String()
		}
		// Old formats have whole seconds and no attributes.
		return onlyExact.ReplaceAllString(out.String(), "$1")
	}
	want, got := listing(t, src, withTimes), listing(t, root, withTimes)
	want, got = keep(want), keep(got)
	if got != want {
		t.Errorf("trees differ:\n%s", diff(want, got))
	}
}

var onlyExact = regexp.MustCompile(`( time=\d+)\.\d+| user\.test=[0-9a-f]+`)

// diff shows the lines that only one of two listings has.
func diff(want, got string) string {
	in := map[string]int{}
	for l := range strings.Lines(want) {
		in[l]--
	}
	for l := range strings.Lines(got) {
		in[l]++
	}
	var out strings.Builder
	const shown = 4000
	for l, n := range in {
		if n != 0 && out.Len() < shown {
			fmt.Fprintf(&out, "%+d %s", n, l)
		}
	}
	return out.String()
}

// randomTree makes a tree with odd names, links, holes, attributes and owners.
func randomTree(tb testing.TB, seed uint64) string {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	root := tb.TempDir()
	mkdir(tb, filepath.Join(root, "etc"), 0o755)
	mkdir(tb, filepath.Join(root, "usr"), 0o755)
	dirs := []string{root, filepath.Join(root, "etc"), filepath.Join(root, "usr")}
	var files []string
	made := []string{}
	for i := range 150 {
		path := filepath.Join(dirs[rnd.IntN(len(dirs))], fmt.Sprintf("%d%s", i, []string{"", "\n", "ü", "\xff", " x", strings.Repeat("n", 120)}[rnd.IntN(6)]))
		switch rnd.IntN(7) {
		case 0, 1:
			mkdir(tb, path, uint32(rnd.IntN(0o10000))|0o700)
			dirs = append(dirs, path)
		case 2:
			if err := os.Symlink(strings.Repeat("../", rnd.IntN(4))+"x", path); err != nil {
				tb.Fatal(err)
			}
			if err := os.Lchown(path, rnd.IntN(65536), 7); err != nil {
				tb.Fatal(err)
			}
		case 3:
			if len(files) > 0 {
				if err := os.Link(files[rnd.IntN(len(files))], path); err != nil {
					tb.Fatal(err)
				}
			}
			continue
		case 4:
			if err := makeFIFO(path); err != nil {
				tb.Fatal(err)
			}
		default:
			randomFile(tb, rnd, path)
			files = append(files, path)
		}
		made = append(made, path)
	}
	for i := len(made) - 1; i >= 0; i-- { // children before their directories
		ts := []unix.Timespec{{}, {Sec: int64(rnd.IntN(2_000_000_000)), Nsec: int64(rnd.IntN(1_000_000_000))}}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, made[i], ts, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

func randomFile(tb testing.TB, rnd *rand.Rand, path string) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	for range rnd.IntN(4) {
		b := make([]byte, rnd.IntN(20_000))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		_, err = f.WriteAt(b, int64(rnd.IntN(1_000_000)))
		if err != nil {
			tb.Fatal(err)
		}
	}
	_ = unix.Fsetxattr(int(f.Fd()), "user.test", []byte{0, byte(rnd.Uint32())}, 0)
	_ = f.Chown(rnd.IntN(65536), rnd.IntN(65536))
	if err := unix.Fchmod(int(f.Fd()), uint32(rnd.IntN(0o10000))); err != nil {
		tb.Fatal(err)
	}
}

// TestArchiveRoundTrip: random trees, packed by Go's writer, come out as they were.
func TestArchiveRoundTrip(t *testing.T) {
	for seed := range uint64(5) {
		src := randomTree(t, 100+seed)
		zonepath, _ := newZone(t)
		path := filepath.Join(filepath.Dir(zonepath), "out.tar.gz")
		cmd := exec.Command("tar", "-C", src, "--numeric-owner", "--format=posix", "--xattrs", "-czf", path, ".")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if _, err := Install(t.Context(), Target{zonepath}, Source{Archive, path}, Options{}); err != nil {
			t.Fatal(err)
		}
		compareTrees(t, src, filepath.Join(zonepath, "root"), true)
		mustUninstall(t, zonepath)
	}
}

// TestArchiveDeep: with the limits raised, names far beyond PATH_MAX are no obstacle,
// neither to unpacking nor to removing.
func TestArchiveDeep(t *testing.T) {
	const depth = 10_000
	zonepath, _ := newZone(t)
	data := makeTar(t, withOS(fileEntry(strings.Repeat("d/", depth)+"f", "bottom"))...)
	lim := Limits{DepthMax: depth + 1, NameBytesMax: 1 << 20}
	report, err := installBytes(t, zonepath, data, Options{Limits: lim})
	if err != nil {
		t.Fatal(err)
	}
	if report.Directories < depth {
		t.Errorf("%d directories", report.Directories)
	}
	if done := mustUninstall(t, zonepath); done.Entries < depth {
		t.Errorf("%d removed", done.Entries)
	}
}

// TestArchiveProgress: the callback sees the archive's own bytes and harmless names.
func TestArchiveProgress(t *testing.T) {
	zonepath, _ := newZone(t)
	data := gz(makeTar(t, richEntries()...))
	var last Progress
	_, err := installBytes(t, zonepath, data, Options{Progress: func(p Progress) {
		if p.Bytes < last.Bytes || p.Entries < last.Entries || p.TotalBytes != int64(len(data)) {
			t.Errorf("%+v after %+v", p, last)
		}
		if strings.ContainsAny(p.Path, "\n\x1b\xff") {
			t.Errorf("path %q", p.Path)
		}
		last = p
	}})
	if err != nil || last.Entries == 0 {
		t.Errorf("%v after %+v", err, last)
	}
}

// TestArchiveCancel: cancelled at any entry, the work ends with the caller's reason, and
// what is there can be removed.
func TestArchiveCancel(t *testing.T) {
	data := makeTar(t, richEntries()...)
	reason := errors.New("the administrator pressed a key")
	for n := int64(1); n < 30; n += 3 {
		zonepath, _ := newZone(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		path := filepath.Join(filepath.Dir(zonepath), "a")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Install(ctx, Target{zonepath}, Source{Archive, path}, Options{Progress: func(p Progress) {
			if p.Entries == n {
				cancel(reason)
			}
		}})
		cancel(nil)
		if !errors.Is(err, reason) {
			t.Errorf("at %d: %v", n, err)
		}
		mustUninstall(t, zonepath)
	}
}

// endlessTar is an archive that never ends.
type endlessTar struct{ b []byte }

func (e *endlessTar) Read(p []byte) (int, error) { return copy(p, e.b), nil }

// TestArchiveDeadline: an archive that never ends is ended by the time limit, in the
// middle of a file too.
func TestArchiveDeadline(t *testing.T) {
	zonepath, _ := newZone(t)
	root := openRoot(t, zonepath)
	defer root.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	head := makeTar(t, withOS()...)
	head = head[:len(head)-endMarkBytes]
	var big bytes.Buffer
	if err := tar.NewWriter(&big).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "usr/f", Size: 60 << 30}); err != nil {
		t.Fatal(err)
	}
	tr := newTree(root, newMeter(ctx, Limits{}, nil))
	defer tr.Close()
	err := unpack(tr, io.MultiReader(bytes.NewReader(head), &big, &endlessTar{make([]byte, 1<<16)}))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func openRoot(tb testing.TB, zonepath string) *desc {
	tb.Helper()
	zp, err := openZonePath(zonepath)
	if err != nil {
		tb.Fatal(err)
	}
	defer zp.Close()
	root, err := makeRoot(zp)
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

// FuzzUnpack: no archive changes anything outside, and what it leaves can be removed.
func FuzzUnpack(f *testing.F) {
	f.Add(makeTar(f, richEntries()...))
	f.Add(gz(makeTar(f, withOS()...)))
	f.Add(zst(makeTar(f, withOS()...)))
	f.Add(xzPacked(f, makeTar(f, withOS()...)))
	f.Add(makeTar(f, withOS(symEntry("out", "../../canary"), hardEntry("etc/h", "etc/passwd"))...))
	f.Fuzz(func(t *testing.T, data []byte) {
		zonepath, canary := newZone(t)
		before := listing(t, canary, withTimes)
		root := openRoot(t, zonepath)
		tr := newTree(root, newMeter(t.Context(), Limits{BytesMax: 1 << 20, EntriesMax: 200, DepthMax: 20}, nil))
		if err := unpack(tr, bytes.NewReader(data)); err == nil {
			if err := tr.finish(); err != nil {
				t.Error(err)
			}
			_ = completeWhole(root)
		}
		tr.Close()
		root.Close()
		mustUninstall(t, zonepath)
		if after := listing(t, canary, withTimes); after != before {
			t.Errorf("outside changed:\n%s\nwas\n%s", after, before)
		}
	})
}

// BenchmarkUnpack is a tree of 2,000 small files, in bytes of the archive.
func BenchmarkUnpack(b *testing.B) {
	entries := withOS()
	for i := range 2000 {
		entries = append(entries, fileEntry(fmt.Sprintf("usr/d%d/f%d", i/50, i), strings.Repeat("data", 500)))
	}
	data := makeTar(b, entries...)
	for _, c := range []struct {
		name string
		data []byte
	}{{"tar", data}, {"gzip", gz(data)}, {"zstd", zst(data)}, {"xz", xzPacked(b, data)}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				zonepath, _ := newZone(b)
				if _, err := installBytes(b, zonepath, c.data, Options{}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				mustUninstall(b, zonepath)
				b.StartTimer()
			}
		})
	}
}
