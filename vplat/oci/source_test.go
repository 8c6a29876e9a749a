package oci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/vplat"
)

// TestSourceIsNoLink: of what is shared no name may be a link, at whatever place; what is the
// platform's own may lie behind the administrator's.
func TestSourceIsNoLink(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "real/sub/data"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "real/file"), nil, 0o644))
	for link, to := range map[string]string{"above": "real", "real/link": "sub", "real/sub/last": "data", "real/round": "round", "real/up": "..", "real/magic": "/proc/self/cwd"} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	for name, ok := range map[string]bool{
		"real/sub/data": true, "real": true, "real/file": true,
		"above": false, "above/sub/data": false, "real/link/data": false, "real/sub/last": false, "real/round/x": false,
		"real/up/real": false, "real/magic/x": false,
	} {
		fd, err := openSource(vplat.RootStep{Source: filepath.Join(dir, name), NoLinks: true})
		if ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			must(t, unix.Close(fd))
		} else if !strings.Contains(err.Error(), "link") || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := openSource(vplat.RootStep{Source: filepath.Join(dir, "none"), NoLinks: true}); !os.IsNotExist(err) {
		t.Errorf("what is not there: %v", err)
	}
	fd, err := openSource(vplat.RootStep{Source: filepath.Join(dir, "above/sub/data")})
	must(t, err)
	must(t, unix.Close(fd))
}
