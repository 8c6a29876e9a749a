package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func installDir(tb testing.TB, zonepath, src string, opt Options) (Report, error) {
	tb.Helper()
	return Install(tb.Context(), Target{zonepath}, Source{Directory, src}, opt)
}

// TestDirectoryRoundTrip: random trees are copied as they are.
func TestDirectoryRoundTrip(t *testing.T) {
	for seed := range uint64(5) {
		src := randomTree(t, seed)
		zonepath, _ := newZone(t)
		var last Progress
		report, err := installDir(t, zonepath, src, Options{Progress: func(p Progress) { last = p }})
		if err != nil {
			t.Fatal(err)
		}
		compareTrees(t, src, filepath.Join(zonepath, "root"), true)
		if report.Changed != 0 || last.Entries == 0 || last.Bytes == 0 {
			t.Errorf("report %+v, last progress %+v", report, last)
		}
		mustUninstall(t, zonepath)
	}
}

// newSource makes a small tree that is an operating system.
func newSource(tb testing.TB) string {
	tb.Helper()
	src := filepath.Join(tb.TempDir(), "src")
	mkdir(tb, filepath.Join(src, "etc"), 0o755)
	mkdir(tb, filepath.Join(src, "usr"), 0o755)
	return src
}

// TestDirectorySpecial: what is skipped is counted, what means something survives.
func TestDirectorySpecial(t *testing.T) {
	src := newSource(t)
	in := func(name string) string { return filepath.Join(src, name) }
	for _, err := range []error{
		unix.Mknod(in("null"), unix.S_IFCHR|0o666, 1<<8|3), unix.Mknod(in("disk"), unix.S_IFBLK|0o600, 7<<8),
		unix.Mknod(in("sock"), unix.S_IFSOCK|0o600, 0), os.Symlink("/etc/shadow", in("link")), os.Symlink(strings.Repeat("x", 4095), in("longlink")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, in("usr/ping"), "x", 0o755)
	write(t, in("usr/su"), "x", 0o4755)
	write(t, in("etc/labelled"), "x", 0o644)
	acl := "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x05\x00\x2a\x00\x00\x00\x04\x00\x05\x00\xff\xff\xff\xff\x10\x00\x07\x00\xff\xff\xff\xff\x20\x00\x05\x00\xff\xff\xff\xff"
	for _, x := range []struct{ file, name, value string }{
		{"usr/ping", "security.capability", capability(capRevision2, 0)}, {"etc/labelled", "user.overlay.opaque", "y"},
		{"etc", xattrACLDefault, acl}, {"usr/su", xattrACLAccess, acl},
	} {
		if err := unix.Setxattr(in(x.file), x.name, []byte(x.value), 0); err != nil {
			t.Fatalf("%s on %s: %v", x.name, x.file, err)
		}
	}
	zonepath, _ := newZone(t)
	report, err := installDir(t, zonepath, src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := listing(t, filepath.Join(zonepath, "root"), withTimes)
	for _, want := range []string{`"usr/su" 104775`, "security.capability=0100000200200000", xattrACLDefault + "=02000000", xattrACLAccess + "=02000000", `-> "/etc/shadow"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, no := range []string{"null", "disk", "sock", "overlay"} {
		if strings.Contains(got, no) {
			t.Errorf("%s is there", no)
		}
	}
	if report.DevicesSkipped != 2 || report.SocketsSkipped != 1 || report.XattrsSkipped != 1 {
		t.Errorf("%+v", report)
	}
	// The default list of /etc must not have been inherited by what was copied into it.
	_, labelled, _ := strings.Cut(got, `"etc/labelled"`)
	if labelled, _, _ = strings.Cut(labelled, "\n"); strings.Contains(labelled, xattrACLAccess) {
		t.Errorf("inherited: %s", labelled)
	}
}

var directoryRefusals = []struct {
	name  string
	make  func(t *testing.T, src, zonepath, canary string) string
	limit Limits
	want  error
}{
	{name: "missing", make: func(_ *testing.T, src, _, _ string) string { return src + "/none" }, want: unix.ENOENT},
	{name: "a file", make: func(_ *testing.T, _, _, canary string) string { return canary + "/precious" }, want: ErrNotDirectory},
	{name: "a link", make: func(t *testing.T, src, _, canary string) string {
		link(t, src, canary+"/l")
		return canary + "/l"
	}, want: ErrNotDirectory},
	{name: "no system", make: func(_ *testing.T, _, _, canary string) string { return canary }, want: ErrNotOS},
	{name: "zone in source", make: func(_ *testing.T, _, zonepath, _ string) string { return filepath.Dir(zonepath) }, want: ErrNested},
	{name: "source is the zone's root", make: func(_ *testing.T, _, zonepath, _ string) string { return zonepath + "/root" }, want: ErrNested},
	{name: "source in the zonepath", make: func(t *testing.T, _, zonepath, _ string) string {
		mkdir(t, zonepath+"/logs/etc", 0o755)
		return zonepath + "/logs/etc/../.."
	}, want: ErrNested},
	{name: "host's root", make: func(*testing.T, string, string, string) string { return "/" }, want: ErrNested},
	{name: "too deep", make: func(t *testing.T, src, _, _ string) string {
		mkdir(t, src+strings.Repeat("/d", 6), 0o755)
		return src
	}, limit: Limits{DepthMax: 5}, want: ErrTooDeep},
	{name: "too large", make: func(t *testing.T, src, _, _ string) string {
		write(t, src+"/f", strings.Repeat("x", 100), 0o644)
		return src
	}, limit: Limits{BytesMax: 99}, want: ErrTooManyBytes},
	{name: "huge hole", make: func(t *testing.T, src, _, _ string) string {
		write(t, src+"/f", "", 0o644)
		if err := os.Truncate(src+"/f", 1<<40); err != nil {
			t.Fatal(err)
		}
		return src
	}, want: ErrTooManyBytes},
	{name: "too many", make: func(_ *testing.T, src, _, _ string) string { return src }, limit: Limits{EntriesMax: 1}, want: ErrTooManyEntries},
	{name: "owner of a file", make: func(t *testing.T, src, _, _ string) string { return owned(t, src, "f", 65536) }, want: ErrOwnerRange},
	{name: "owner of a directory", make: func(t *testing.T, src, _, _ string) string { return owned(t, src, "etc", 100_000) }, want: ErrOwnerRange},
	{name: "layer of an overlay", make: func(t *testing.T, src, _, _ string) string {
		if err := unix.Setxattr(src+"/etc", "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			t.Fatal(err)
		}
		return src
	}, want: ErrXattr},
	{name: "etc leads out", make: func(t *testing.T, src, _, canary string) string {
		if err := os.Remove(src + "/etc"); err != nil {
			t.Fatal(err)
		}
		link(t, canary, src+"/etc")
		return src
	}, want: ErrNotOS},
	{name: "dev leads out", make: func(t *testing.T, src, _, canary string) string {
		link(t, canary, src+"/dev")
		return src
	}, want: ErrMountpoint}}

// TestDirectoryRefusals: each for its reason, and nothing outside changes.
func TestDirectoryRefusals(t *testing.T) {
	for _, c := range directoryRefusals {
		t.Run(c.name, func(t *testing.T) {
			zonepath, canary := newZone(t)
			path := c.make(t, newSource(t), zonepath, canary)
			before := listing(t, canary, withTimes)
			if _, err := installDir(t, zonepath, path, Options{Limits: c.limit}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			mustUninstall(t, zonepath)
			if after := listing(t, canary, withTimes); after != before {
				t.Errorf("outside changed:\n%s", diff(before, after))
			}
		})
	}
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

func owned(t *testing.T, src, name string, id int) string {
	t.Helper()
	path := filepath.Join(src, name)
	if name == "f" {
		write(t, path, "", 0o644)
	}
	if err := os.Chown(path, id, 0); err != nil {
		t.Fatal(err)
	}
	return src
}

// TestDirectoryNestedByMount: the source holds the zone's directory, which is reached
// through a bind mount, so that neither is among the other's parents.
func TestDirectoryNestedByMount(t *testing.T) {
	src := newSource(t)
	zonepath, _ := newZone(t)
	inner := filepath.Join(src, "zone")
	if err := errors.Join(os.Mkdir(inner, 0o700), unix.Mount(inner, zonepath, "", unix.MS_BIND, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(zonepath, unix.MNT_DETACH) })
	if _, err := installDir(t, zonepath, src, Options{}); !errors.Is(err, ErrNested) {
		t.Errorf("got %v", err)
	}
}

// TestDirectoryMounts: another file system in the source is left out, whatever its type,
// bind mounts of the same file system included.
func TestDirectoryMounts(t *testing.T) {
	src := newSource(t)
	zonepath, canary := newZone(t)
	mkdir(t, src+"/tmpfs", 0o755)
	mkdir(t, src+"/bind", 0o755)
	write(t, src+"/file", "below", 0o644)
	for at, from := range map[string]string{"/bind": canary, "/file": canary + "/precious"} {
		if err := unix.Mount(from, src+at, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(src+at, unix.MNT_DETACH) })
	}
	if err := unix.Mount("t", src+"/tmpfs", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(src+"/tmpfs", unix.MNT_DETACH) })
	write(t, src+"/tmpfs/other", "x", 0o644)
	report, err := installDir(t, zonepath, src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := listing(t, zonepath, withoutTimes)
	if report.MountsSkipped != 3 || strings.Contains(got, "precious") || strings.Contains(got, "other") || strings.Contains(got, "file") {
		t.Errorf("%+v\n%s", report, got)
	}
	if !strings.Contains(got, `"root/bind" 40755`) || !strings.Contains(got, `"root/tmpfs" 40755`) {
		t.Errorf("no empty directories in\n%s", got)
	}
}

// swap exchanges two names as fast as it can until it is told to stop.
func swap(t *testing.T, a, b string) (stop func()) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			}
		}
	}()
	return func() { close(quit); <-done }
}

// swapSeconds for each race: long enough for some ten thousand exchanges.
const swapSeconds = 1

// TestDirectorySwap: directories, files and links that are exchanged all the time never
// make the copy leave its source.
func TestDirectorySwap(t *testing.T) {
	src := newSource(t)
	zonepath, canary := newZone(t)
	mkdir(t, src+"/d/sub", 0o755)
	write(t, src+"/d/sub/file", "harmless", 0o644)
	write(t, src+"/d/precious", "harmless", 0o644)
	link(t, canary, src+"/l")
	write(t, src+"/f", "harmless", 0o644)
	link(t, canary+"/precious", src+"/fl")
	before := listing(t, canary, withTimes)
	stopDir, stopFile := swap(t, src+"/d", src+"/l"), swap(t, src+"/f", src+"/fl")
	rounds := 0
	for end := time.Now().Add(swapSeconds * time.Second); time.Now().Before(end); rounds++ {
		_, err := installDir(t, zonepath, src, Options{})
		if err != nil && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) {
			t.Errorf("round %d: %v", rounds, err)
		}
		for line := range strings.Lines(listing(t, zonepath, withoutTimes)) {
			if strings.Contains(line, "precious\" 100") && !strings.Contains(line, " 8 ") || strings.Contains(line, `"root/l/`) && strings.Contains(line, "setuid") {
				t.Fatalf("copied from outside: %s", line)
			}
		}
		if _, err := Uninstall(context.Background(), zonepath, nil); err != nil {
			t.Fatal(err)
		}
		if err := MakeZonePath(zonepath); err != nil {
			t.Fatal(err)
		}
	}
	stopDir()
	stopFile()
	if after := listing(t, canary, withTimes); after != before {
		t.Errorf("outside changed:\n%s", diff(before, after))
	}
	t.Logf("%d copies", rounds)
}

// TestDirectoryGrowing: a file that grows and shrinks is copied with the size it had, and
// reported.
func TestDirectoryGrowing(t *testing.T) {
	src := newSource(t)
	write(t, src+"/log", strings.Repeat("x", 1<<20), 0o644)
	zonepath, _ := newZone(t)
	first := true
	report, err := installDir(t, zonepath, src, Options{Progress: func(p Progress) {
		if p.Bytes == 0 && strings.HasSuffix(p.Path, "log") && first {
			first = false
			write(t, src+"/log", "short", 0o644)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(zonepath, "root/log"))
	if err != nil || !strings.HasPrefix(string(data), "short") {
		t.Errorf("%v: %d bytes, report %+v", err, len(data), report)
	}
}

// TestDirectoryCancel at every entry leaves what can be removed.
func TestDirectoryCancel(t *testing.T) {
	src := randomTree(t, 3)
	for n := int64(1); n < 150; n += 17 {
		zonepath, _ := newZone(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Install(ctx, Target{zonepath}, Source{Directory, src}, Options{Progress: func(p Progress) {
			if p.Entries == n {
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("at %d: %v", n, err)
		}
		mustUninstall(t, zonepath)
	}
}

// TestCopyWithoutRange: where the kernel cannot copy, bytes are read and written.
func TestCopyWithoutRange(t *testing.T) {
	src := newSource(t)
	text := strings.Repeat("0123456789", 100_000)
	write(t, src+"/f", text, 0o644)
	zonepath, _ := newZone(t)
	root := openRoot(t, zonepath)
	defer root.Close()
	tr := newTree(root, newMeter(t.Context(), Limits{}, nil))
	defer tr.Close()
	from, err := openAt(unix.AT_FDCWD, src, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	c := &copier{tree: tr, links: map[fileID]string{}, buf: make([]byte, copyBufBytes), noRange: true}
	if err := c.contents(from, root, "", 0); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(zonepath + "/root/f"); string(got) != text {
		t.Errorf("%d bytes", len(got))
	}
}
