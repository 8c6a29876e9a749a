package configs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTemplates(t *testing.T) {
	s := storeAB(t)
	want := []string{"SUNWblank", "SUNWdefault", "SUNWlinux", "SUNWoci", "SUNWsparse", "SUNWwhole"}
	if got := s.Templates(); !slices.Equal(got, want) {
		t.Error(got)
	}
	for _, name := range want {
		z, err := s.Template(name, "new")
		if err != nil {
			t.Fatal(err)
		}
		if z.Name != "new" || z.IPType != IPExclusive {
			t.Errorf("%s: %+v", name, z)
		}
		err = z.Validate()
		if name == "SUNWblank" != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "SUNWblank" && z.Path != s.layout.ZonePath("new") {
			t.Errorf("%s: %s", name, z.Path)
		}
	}
	if z, _ := s.Template("SUNWwhole", "new"); z.Brand != "whole" {
		t.Error(z.Brand)
	}
	own := `<zone name="x" zonepath="/mine/%{zonename}/%{zonename}" autoboot="true" brand="linux"/>`
	for _, n := range []string{"SUNWdefault", "SUNWmine"} {
		if err := os.WriteFile(s.path(n+".xml"), []byte(own), 0o644); err != nil {
			t.Fatal(err)
		}
		if z, err := s.Template(n, "new"); err != nil || z.Path != "/mine/new/new" || !z.Autoboot {
			t.Error(z, err)
		}
	}
	if !slices.Contains(s.Templates(), "SUNWmine") {
		t.Error(s.Templates())
	}
	if err := edit(s, "a", func(z *Zone) { z.Bootargs = "-v" }); err != nil {
		t.Fatal(err)
	}
	if z, err := s.Template("a", "new"); err != nil || z.Bootargs != "-v" || z.Name != "new" || z.Path != s.layout.ZonePath("new") {
		t.Error(z, err)
	}
	for _, n := range []string{"nobody", "SUNWnobody", "SUNW../../x", ""} {
		if _, err := s.Template(n, "new"); !errors.Is(err, ErrNoTemplate) {
			t.Errorf("%q: %v", n, err)
		}
	}
}

func TestDetached(t *testing.T) {
	s := storeAB(t)
	dir := t.TempDir()
	if _, err := s.Detached(dir, "new"); err == nil || !strings.Contains(err.Error(), "invalid path to detached zone") {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, detachedName), []byte(encodeXML(testZone("old"))), 0o600); err != nil {
		t.Fatal(err)
	}
	if z, err := s.Detached(dir+"/", "new"); err != nil || z.Name != "new" || z.Path != dir {
		t.Error(z, err)
	}
	if _, err := s.Detached("relative", "new"); err == nil {
		t.Error("relative path")
	}
}
