package vplat

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestProbeMergedAndUnmerged(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"usr/local", "lib64", "bin"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"sbin": "usr/sbin", "lib": "/usr/lib"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	// A file of that name is no place for software.
	if err := os.WriteFile(filepath.Join(root, "lib32"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := probe("/opt/zones", root)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"sbin": "usr/sbin", "lib": "/usr/lib"}; !reflect.DeepEqual(f.MergedUsr, want) {
		t.Errorf("links %v, want %v", f.MergedUsr, want)
	}
	if want := []string{"bin", "lib64"}; !reflect.DeepEqual(f.Dirs, want) {
		t.Errorf("directories %v, want %v", f.Dirs, want)
	}
	if !f.UsrLocal || f.AppArmor || f.Libexec != "/opt/zones" {
		t.Errorf("%+v", f)
	}
}

func TestProbeAppArmor(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "sys/module/apparmor/parameters")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]bool{"Y\n": true, "N\n": false, "": false} {
		if err := os.WriteFile(filepath.Join(dir, "enabled"), []byte(state), 0o644); err != nil {
			t.Fatal(err)
		}
		if f, err := probe("/l", root); err != nil || f.AppArmor != want {
			t.Errorf("%q: %v %v", state, f.AppArmor, err)
		}
	}
}

// TestThisHost: a sparse zone can be planned on the machine the test runs on.
func TestThisHost(t *testing.T) {
	f, err := Probe("libexec")
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(f.Libexec) || f.KernelRelease == "" || f.FilesMax == 0 || len(f.MergedUsr)+len(f.Dirs) == 0 {
		t.Errorf("%+v", f)
	}
	f.Libexec = "/l"
	if _, err := Build(zone("sparse"), f, someRun()); err != nil {
		t.Error(err)
	}
}
