package image

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// removeInChild names the zonepath that a child of the tests is to remove.
const removeInChild = "ZONES_IMAGE_TEST_REMOVE"

// TestUninstallNothing: what does not exist is removed already.
func TestUninstallNothing(t *testing.T) {
	zonepath, _ := newZone(t)
	for range 2 {
		mustUninstall(t, zonepath)
	}
}

// TestUninstallNames: any bytes in names, any types, any modes.
func TestUninstallNames(t *testing.T) {
	zonepath, canary := newZone(t)
	root := filepath.Join(zonepath, "root")
	for b := 1; b < 256; b++ {
		if b != '/' && b != '.' {
			write(t, root+"/d"+string([]byte{byte(b)})+"/"+string([]byte{byte(b)}), "x", 0)
		}
	}
	write(t, root+"/"+strings.Repeat("\xff", 255), "", 0)
	mkdir(t, root+"/closed/below", 0)
	mkdir(t, root+"/closed", 0)
	link(t, canary, root+"/out")
	link(t, canary+"/precious", root+"/outfile")
	if err := errors.Join(os.Link(canary+"/precious", root+"/hard"), makeFIFO(root+"/pipe"), unix.Mknod(root+"/null", unix.S_IFCHR, 1<<8|3)); err != nil {
		t.Fatal(err)
	}
	before := listing(t, canary, withTimes)
	mustUninstall(t, zonepath)
	if after := listing(t, canary, withTimes); after != before {
		t.Errorf("outside changed:\n%s", diff(before, after))
	}
}

// makeDeep makes a chain of directories with a file in each, without long names.
func makeDeep(tb testing.TB, top string, depth int) {
	tb.Helper()
	at, err := openAt(unix.AT_FDCWD, top, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	for range depth {
		next, err := makeDir(at.n, "d")
		if err != nil {
			tb.Fatal(err)
		}
		at.Close()
		at = next
	}
	for _, name := range []string{"z", "a"} {
		f, err := createFile(at.n, name)
		if err != nil {
			tb.Fatal(err)
		}
		f.Close()
	}
	at.Close()
}

// TestUninstallDeep: 100,000 directories in one another, with a bounded number of
// descriptors and bushes on the way.
func TestUninstallDeep(t *testing.T) {
	const depth = 100_000
	zonepath, _ := newZone(t)
	mkdir(t, zonepath+"/root", 0o755)
	makeDeep(t, zonepath+"/root", depth)
	for i := range 3 { // siblings of the deep directory, before and behind it in the listing
		mkdir(t, fmt.Sprintf("%s/root/%d/x/y", zonepath, i), 0o755)
		mkdir(t, fmt.Sprintf("%s/root/d/d/%d/x/y", zonepath, i), 0o755)
	}
	most := 0
	done, err := Uninstall(t.Context(), zonepath, func(p Progress) {
		if p.Entries%10_000 == 0 {
			fds, _ := os.ReadDir("/proc/self/fd")
			most = max(most, len(fds))
		}
	})
	if err != nil || done.Entries < depth {
		t.Fatalf("%d removed: %v", done.Entries, err)
	}
	if most > openFramesMax+32 {
		t.Errorf("%d descriptors open", most)
	}
	if _, err := os.Lstat(zonepath); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

// TestUninstallWide: more names than one read of the directory gives.
func TestUninstallWide(t *testing.T) {
	zonepath, _ := newZone(t)
	for i := range 3000 {
		if i%2 == 0 {
			mkdir(t, fmt.Sprintf("%s/root/d%d", zonepath, i), 0o755)
		} else {
			write(t, fmt.Sprintf("%s/root/d%d/file%d", zonepath, i, i), "", 0o644)
		}
	}
	if done := mustUninstall(t, zonepath); done.Entries != 4501 {
		t.Errorf("%d entries", done.Entries)
	}
}

// setProtection sets the immutable or append-only flag, and takes it off at the end.
func setProtection(t *testing.T, path string, flag int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	old, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(old)|flag)
	}
	if err != nil {
		t.Fatalf("the file system of %s has no flags: %v", path, err)
	}
}

// TestUninstallImmutable: flags that a zone's root may set do not save a file.
func TestUninstallImmutable(t *testing.T) {
	zonepath, _ := newZone(t)
	root := zonepath + "/root"
	write(t, root+"/i/file", "x", 0o644)
	write(t, root+"/a/log", "x", 0o644)
	mkdir(t, root+"/e", 0o755)
	setProtection(t, root+"/i/file", immutableFlag)
	setProtection(t, root+"/i", immutableFlag)
	setProtection(t, root+"/a/log", appendFlag)
	setProtection(t, root+"/a", appendFlag)
	setProtection(t, root+"/e", immutableFlag)
	setProtection(t, root, immutableFlag)
	mustUninstall(t, zonepath)
}

// TestUninstallMounted: a mount anywhere below is named, and nothing is removed from it.
func TestUninstallMounted(t *testing.T) {
	for _, at := range []string{"/root", "/root/a/b", "/root/with space\n"} {
		zonepath, canary := newZone(t)
		mkdir(t, zonepath+at, 0o755)
		if err := unix.Mount(canary, zonepath+at, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(zonepath+at, unix.MNT_DETACH) })
		before := listing(t, canary, withTimes)
		_, err := Uninstall(t.Context(), zonepath, nil)
		if !errors.Is(err, ErrMounted) || !strings.Contains(err.Error(), sanitise(zonepath+at)) {
			t.Errorf("%q: %v", at, err)
		}
		if after := listing(t, canary, withTimes); after != before {
			t.Errorf("outside changed:\n%s", diff(before, after))
		}
		if err := unix.Unmount(zonepath+at, 0); err != nil {
			t.Fatal(err)
		}
		mustUninstall(t, zonepath)
	}
}

// TestRemoverMeetsMount: a mount that appears after the look at mountinfo stops the walk.
func TestRemoverMeetsMount(t *testing.T) {
	for _, file := range []string{"", "/precious"} {
		zonepath, canary := newZone(t)
		at := zonepath + "/root/d/m"
		if file == "" {
			mkdir(t, at, 0o755)
		} else {
			write(t, at, "", 0o644)
		}
		if err := unix.Mount(canary+file, at, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
		before := listing(t, canary, withTimes)
		zp, err := openForRemoval(zonepath)
		if err != nil {
			t.Fatal(err)
		}
		r := &remover{m: newMeter(t.Context(), Limits{}, nil), buf: make([]byte, direntBufBytes)}
		if err := r.removeSurely(zp, rootName); !errors.Is(err, ErrMounted) || !strings.Contains(err.Error(), at) {
			t.Errorf("got %v", err)
		}
		zp.Close()
		if after := listing(t, canary, withTimes); after != before {
			t.Errorf("outside changed:\n%s", diff(before, after))
		}
		if err := unix.Unmount(at, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUninstallForeign: what is not a zone's stays, and is named.
func TestUninstallForeign(t *testing.T) {
	zonepath, _ := newZone(t)
	write(t, zonepath+"/root/etc/x", "", 0o644)
	write(t, zonepath+"/thesis.tex", "years", 0o644)
	done, err := Uninstall(t.Context(), zonepath, nil)
	if err != nil || len(done.Left) != 1 || done.Left[0] != "thesis.tex" {
		t.Errorf("%+v, %v", done, err)
	}
	if got := listing(t, zonepath, withoutTimes); strings.Contains(got, "root") || !strings.Contains(got, "thesis") {
		t.Errorf("left\n%s", got)
	}
	if err := os.Remove(zonepath + "/thesis.tex"); err != nil {
		t.Fatal(err)
	}
}

// TestUninstallOwnFileSystem: a zonepath that is a mount point is emptied and kept.
func TestUninstallOwnFileSystem(t *testing.T) {
	zonepath, _ := newZone(t)
	if err := unix.Mount("z", zonepath, "tmpfs", 0, "mode=700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(zonepath, unix.MNT_DETACH) })
	if _, err := installBytes(t, zonepath, makeTar(t, richEntries()...), Options{}); err != nil {
		t.Fatal(err)
	}
	done, err := Uninstall(t.Context(), zonepath, nil)
	if err != nil || !done.KeptZonePath {
		t.Errorf("%+v, %v", done, err)
	}
	if got := listing(t, zonepath, withoutTimes); got != ".\n" {
		t.Errorf("left\n%s", got)
	}
	if err := unix.Unmount(zonepath, 0); err != nil {
		t.Fatal(err)
	}
}

// TestUninstallSwap: names that are exchanged for links all the time lead nowhere, and
// once the exchanging ends, so does the removal.
func TestUninstallSwap(t *testing.T) {
	zonepath, canary := newZone(t)
	before := listing(t, canary, withTimes)
	rounds := 0
	for end := time.Now().Add(swapSeconds * time.Second); time.Now().Before(end); rounds++ {
		root := zonepath + "/root"
		for i := range 20 {
			write(t, fmt.Sprintf("%s/d/sub/%d/precious", root, i), "x", 0o644)
		}
		link(t, canary, root+"/l")
		// The second pair lies in a directory that stays, or its names would be looked up
		// through the first, and the test itself would change the canary.
		mkdir(t, root+"/e/sub/below", 0o755)
		link(t, canary, root+"/e/l")
		stop1, stop2 := swap(t, root+"/d", root+"/l"), swap(t, root+"/e/sub", root+"/e/l")
		_, err := Uninstall(t.Context(), zonepath, nil)
		if err != nil && !errors.Is(err, ErrMoved) && !errors.Is(err, ErrBusy) {
			t.Errorf("round %d: %v", rounds, err)
		}
		stop1()
		stop2()
		mustUninstall(t, zonepath)
		if err := MakeZonePath(zonepath); err != nil {
			t.Fatal(err)
		}
	}
	if after := listing(t, canary, withTimes); after != before {
		t.Errorf("outside changed:\n%s", diff(before, after))
	}
	t.Logf("%d removals", rounds)
}

// TestRemoverMoved: a directory that was moved away while its parents' descriptors had
// been given up is noticed; nothing where it went is touched.
func TestRemoverMoved(t *testing.T) {
	zonepath, canary := newZone(t)
	mkdir(t, zonepath+"/root", 0o755)
	makeDeep(t, zonepath+"/root", openFramesMax+20)
	before := listing(t, canary, withoutTimes)
	moved := false
	_, err := Uninstall(t.Context(), zonepath, func(p Progress) {
		if !moved { // the first removal is at the bottom: move a directory far above it away
			moved = true
			from := zonepath + "/root" + strings.Repeat("/d", 10)
			if err := os.Rename(from, canary+"/moved"); err != nil {
				t.Error(err)
			}
		}
	})
	if !errors.Is(err, ErrMoved) {
		t.Errorf("got %v", err)
	}
	if err := os.RemoveAll(canary + "/moved"); err != nil {
		t.Fatal(err)
	}
	if after := listing(t, canary, withoutTimes); after != before {
		t.Errorf("outside changed:\n%s", diff(before, after))
	}
	mustUninstall(t, zonepath)
}

// TestUninstallBusy: against a process that keeps making files, it ends with an error.
func TestUninstallBusy(t *testing.T) {
	zonepath, _ := newZone(t)
	mkdir(t, zonepath+"/root/d", 0o755)
	n := 0
	_, err := Uninstall(t.Context(), zonepath, func(p Progress) {
		// Every removal is answered by a new file, so that no directory is ever empty.
		n++
		_ = os.WriteFile(fmt.Sprintf("%s/root/f%d", zonepath, n), nil, 0o600)
	})
	if !errors.Is(err, ErrBusy) {
		t.Errorf("got %v after %d", err, n)
	}
	mustUninstall(t, zonepath)
}

// TestUninstallCancelled at many points, and again, ends empty.
func TestUninstallCancelled(t *testing.T) {
	zonepath, _ := newZone(t)
	if _, err := installDir(t, zonepath, randomTree(t, 11), Options{}); err != nil {
		t.Fatal(err)
	}
	rounds := 0
	for ; ; rounds++ {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := Uninstall(ctx, zonepath, func(Progress) {
			if n++; n == 5 {
				cancel()
			}
		})
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) || rounds > 1000 {
			t.Fatalf("round %d: %v", rounds, err)
		}
	}
	if rounds < 3 {
		t.Errorf("cancelled only %d times", rounds)
	}
	mustUninstall(t, zonepath)
}

// TestUninstallKilled: a process that is killed in the middle leaves what the next removes.
func TestUninstallKilled(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 2))
	killed := 0
	for range 6 {
		zonepath, _ := newZone(t)
		mkdir(t, zonepath+"/root", 0o755)
		makeDeep(t, zonepath+"/root", 2_000)
		for i := range 500 {
			write(t, fmt.Sprintf("%s/root/w%d/f", zonepath, i), "", 0o644)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), removeInChild+"="+zonepath)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(2+rnd.IntN(30)) * time.Millisecond)
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err != nil {
			killed++
		}
		mustUninstall(t, zonepath)
	}
	t.Logf("%d of 6 were killed in time", killed)
}

// BenchmarkUninstall removes a tree of 2,000 files.
func BenchmarkUninstall(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		zonepath, _ := newZone(b)
		for i := range 2000 {
			write(b, fmt.Sprintf("%s/root/d%d/f%d", zonepath, i/50, i), "data", 0o644)
		}
		b.StartTimer()
		mustUninstall(b, zonepath)
	}
}
