package initd

import (
	"os"
	"path/filepath"
	"testing"
)

// A tree gets the commands that it lacks, and keeps what it has.
func TestPlaceTools(t *testing.T) {
	from, root := t.TempDir(), t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(from, "usr/sbin"), 0o755))
	must(os.MkdirAll(filepath.Join(root, "usr/sbin"), 0o755))
	for _, name := range []string{"svccfg", "halt", "reboot"} {
		must(os.Symlink("/lib/svc/bin/"+name, filepath.Join(from, "usr/sbin", name)))
	}
	must(os.WriteFile(filepath.Join(root, "usr/sbin/halt"), []byte("theirs"), 0o755))
	must(os.Symlink("nowhere", filepath.Join(root, "usr/sbin/reboot")))
	for range 2 {
		placeTools(from, root)
		for name, want := range map[string]string{"svccfg": "/lib/svc/bin/svccfg", "halt": "", "reboot": "nowhere"} {
			if got, _ := os.Readlink(filepath.Join(root, "usr/sbin", name)); got != want {
				t.Errorf("%s leads to %q, want %q", name, got, want)
			}
		}
	}
	placeTools(from, filepath.Join(root, "missing"))
	if _, err := os.Lstat(filepath.Join(root, "missing")); err == nil {
		t.Error("a tree was made")
	}
}
