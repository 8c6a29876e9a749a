package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHashTreeCatchesDamage plants each kind of damage that a zone could do to its host.
func TestHashTreeCatchesDamage(t *testing.T) {
	damages := []struct {
		name, says string
		damage     func(dir string) error
	}{
		{"none", "", func(string) error { return nil }},
		{"read", "", func(dir string) error { _, err := os.ReadFile(dir + "/file"); return err }},
		{"removed", "/file: gone", func(dir string) error { return os.Remove(dir + "/file") }},
		{"new", "/sub/other: new", func(dir string) error { return os.WriteFile(dir+"/sub/other", nil, 0o644) }},
		{"content, with size and time restored", "/file: was", func(dir string) error {
			st, err := os.Stat(dir + "/file")
			if err != nil {
				return err
			}
			if err := os.WriteFile(dir+"/file", []byte("cOntent"), 0o644); err != nil {
				return err
			}
			return os.Chtimes(dir+"/file", st.ModTime(), st.ModTime())
		}},
		{"mode", "/file: was", func(dir string) error { return os.Chmod(dir+"/file", 0o4755) }},
		{"owner", "/sub: was", func(dir string) error { return os.Chown(dir+"/sub", 100000, 100000) }},
		{"link", "/link: was", func(dir string) error {
			_ = os.Remove(dir + "/link")
			return os.Symlink("elsewhere", dir+"/link")
		}},
		{"attribute", "/file: was", func(dir string) error { return unix.Setxattr(dir+"/file", "user.planted", []byte("x"), 0) }},
	}
	NeedRoot(t)
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(dir+"/sub", 0o755))
			must(t, os.WriteFile(dir+"/file", []byte("content"), 0o644))
			must(t, os.Symlink("file", dir+"/link"))
			before := HashTree(t, dir)
			must(t, d.damage(dir))
			diff := strings.Join(before.Diff(HashTree(t, dir)), "\n")
			if d.says == "" && diff != "" {
				t.Errorf("no damage, yet a difference: %s", diff)
			}
			if !strings.Contains(diff, filepath.Base(dir)+d.says) && d.says != "" {
				t.Errorf("the difference is %q, which does not say %q", diff, d.says)
			}
		})
	}
}

// TestHashTreeOfHost: an idle host does not change under the test's hands.
func TestHashTreeOfHost(t *testing.T) {
	NeedRoot(t)
	NeedLong(t)
	begin := time.Now()
	before := HashTree(t, HostPaths...)
	first := time.Since(begin)
	begin = time.Now()
	after := HashTree(t, HostPaths...)
	t.Logf("%d paths, first %v, again %v", len(before), first, time.Since(begin))
	if len(before) < 1000 {
		t.Errorf("only %d paths were seen", len(before))
	}
	if diff := before.Diff(after); len(diff) > 0 {
		t.Errorf("the host changed meanwhile:\n%s", strings.Join(diff, "\n"))
	}
}
