package oci

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree is a zone's root and, beside it, what a link in it may lead to.
func tree(t *testing.T) (root, outside string) {
	t.Helper()
	dir := t.TempDir()
	root, outside = filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	must(t, os.Mkdir(root, 0o755))
	must(t, os.Mkdir(outside, 0o755))
	return root, outside
}

// points are what the plan asks for.
var points = []struct {
	name string
	dir  bool
}{{"system/contract", true}, {"etc/mnttab", false}}

// TestMakePoint: a root without the mount points gets them, the zone's root's, and one that has
// them keeps what it has.
func TestMakePoint(t *testing.T) {
	root, _ := tree(t)
	for range 2 {
		for _, p := range points {
			must(t, makePoint(root, p.name, p.dir))
		}
	}
	for name, want := range map[string]os.FileMode{
		"system": os.ModeDir | 0o755, "system/contract": os.ModeDir | 0o555, "etc": os.ModeDir | 0o755, "etc/mnttab": 0o444,
	} {
		info, err := os.Lstat(filepath.Join(root, name))
		must(t, err)
		st := info.Sys().(*syscall.Stat_t)
		if info.Mode() != want || st.Uid != uint32(os.Getuid()) || st.Gid != uint32(os.Getgid()) {
			t.Errorf("%s is %v of %d:%d, want %v", name, info.Mode(), st.Uid, st.Gid, want)
		}
	}
	must(t, os.Chmod(filepath.Join(root, "etc/mnttab"), 0o600))
	must(t, os.WriteFile(filepath.Join(root, "etc/mnttab"), []byte("mine"), 0o600))
	must(t, makePoint(root, "etc/mnttab", false))
	if b, err := os.ReadFile(filepath.Join(root, "etc/mnttab")); err != nil || string(b) != "mine" {
		t.Errorf("what was there is %q, %v", b, err)
	}
}

// TestMakePointLeadsNowhere: whatever lies in the way, nothing is made outside of the root.
func TestMakePointLeadsNowhere(t *testing.T) {
	for name, spoil := range map[string]func(root, outside string) error{
		"absolute link":  func(root, outside string) error { return os.Symlink(outside, root) },
		"climbing link":  func(root, outside string) error { return os.Symlink("../outside", root) },
		"link to itself": func(root, _ string) error { return os.Symlink(filepath.Base(root), root) },
		"magic link":     func(root, _ string) error { return os.Symlink("/proc/self/cwd", root) },
		"file":           func(root, _ string) error { return os.WriteFile(root, nil, 0o644) },
		"pipe":           func(root, _ string) error { return unix.Mkfifo(root, 0o644) },
		"unreadable":     func(root, _ string) error { return os.Mkdir(root, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range points {
				parent := strings.Split(p.name, "/")[0]
				root, outside := tree(t)
				must(t, spoil(filepath.Join(root, parent), outside))
				err := makePoint(root, p.name, p.dir)
				if made := name == "unreadable" && os.Getuid() == 0; (err == nil) != made {
					t.Errorf("%s: %v", p.name, err)
				}
				if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
					t.Errorf("%s: outside of the root lies %v, %v", p.name, entries, err)
				}
			}
		})
	}
}

// TestMakePointIsNoLink: a link in the place of the mount point itself is left alone, and found
// when the point is opened.
func TestMakePointIsNoLink(t *testing.T) {
	for _, p := range points {
		root, outside := tree(t)
		must(t, os.Mkdir(filepath.Join(root, filepath.Dir(p.name)), 0o755))
		for _, target := range []string{outside, filepath.Join(outside, "new")} {
			must(t, os.Symlink(target, filepath.Join(root, p.name)))
			must(t, makePoint(root, p.name, p.dir))
			fd, err := os.Open(root)
			must(t, err)
			s := &scratch{fd: fd}
			if at, err := s.target(p.name, p.dir); !errors.Is(err, unix.ELOOP) {
				at.Close()
				t.Errorf("%s -> %s: %v", p.name, target, err)
			}
			fd.Close()
			must(t, os.Remove(filepath.Join(root, p.name)))
		}
		if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
			t.Errorf("%s: outside of the root lies %v, %v", p.name, entries, err)
		}
	}
}

// TestMakePointWhileExchanged: the parent is exchanged with a link, over and over.
func TestMakePointWhileExchanged(t *testing.T) {
	root, outside := tree(t)
	parent := filepath.Join(root, "system")
	must(t, os.Mkdir(parent, 0o755))
	must(t, os.Symlink(outside, parent+".trap"))
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, parent, unix.AT_FDCWD, parent+".trap", unix.RENAME_EXCHANGE)
			}
		}
	})
	made, refused := 0, 0
	for range 5000 {
		if makePoint(root, "system/contract", true) == nil {
			made++
		} else {
			refused++
		}
		if _, err := os.Lstat(filepath.Join(outside, "contract")); err == nil {
			t.Fatal("it was made outside of the root")
		}
		_ = os.Remove(filepath.Join(parent, "contract"))
	}
	close(stop)
	swapper.Wait()
	t.Logf("%d made, %d refused", made, refused)
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside of the root lies %v, %v", entries, err)
	}
}

// TestMakePointStaysOnItsFileSystem: what is mounted in the zone's tree on the host is not of
// the tree.
func TestMakePointStaysOnItsFileSystem(t *testing.T) {
	testenv.NeedRoot(t)
	root, _ := tree(t)
	must(t, os.Mkdir(filepath.Join(root, "system"), 0o755))
	must(t, unix.Mount("none", filepath.Join(root, "system"), "tmpfs", 0, ""))
	defer func() { must(t, unix.Unmount(filepath.Join(root, "system"), unix.MNT_DETACH)) }()
	if err := makePoint(root, "system/contract", true); !errors.Is(err, unix.EXDEV) {
		t.Errorf("through a mount: %v", err)
	}
}
