package bundles

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/importer"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg"
)

// TestMain lets the test's own binary be svccfg, for the stories.
func TestMain(m *testing.M) {
	testscript.Main(testenv.Checked(m), map[string]func(){"svccfg": func() {
		env := &svccfg.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Bundles: Bundles{}, Open: func() (door.Store, error) { return open(os.Getenv("WORK")) }}
		os.Exit(svccfg.Main(env, os.Args[1:]))
	}})
}

func open(dir string) (door.Store, error) {
	r, err := repo.Open(repo.Config{Path: dir + "/repository.db", VolatilePath: dir + "/volatile.db", BootID: "this boot"})
	if err != nil {
		return nil, err
	}
	return door.NewLocal(r), nil
}

func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		Setup:         func(e *testscript.Env) error { e.Setenv("WORK", e.WorkDir); return nil },
		UpdateScripts: os.Getenv("UPDATE_STORIES") != "",
	})
}

const text = `<?xml version="1.0"?>
<!DOCTYPE service_bundle SYSTEM "/usr/share/lib/xml/dtd/service_bundle.dtd.1">
<service_bundle type='manifest' name='site'><service name='site/NAME' type='service' version='1'>
<instance name='default' enabled='false'/></service></service_bundle>
`

// TestTracked: a file of a directory that is imported at boot is known, can be forgotten, and is
// cleaned up when it has gone.
func TestTracked(t *testing.T) {
	dir := t.TempDir()
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	manifests := filepath.Join(dir, "manifest")
	file := filepath.Join(manifests, "site.xml")
	was := importer.LateDirs
	importer.LateDirs = []string{manifests}
	t.Cleanup(func() { importer.LateDirs = was })
	if err := errors.Join(os.Mkdir(manifests, 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	tracked := func() int {
		w, err := s.Service("smf/manifest")
		if err != nil {
			t.Fatal(err)
		}
		return len(w.Groups)
	}
	imported := func() {
		if _, err := (Bundles{}).Import(s, file, svccfg.ImportOptions{}); err != nil || tracked() != 1 {
			t.Fatalf("%v, %d are tracked", err, tracked())
		}
	}
	imported()
	if _, err := (Bundles{}).Forget(s, file, false); err != nil || tracked() != 0 {
		t.Errorf("%v, %d are tracked", err, tracked())
	}
	if _, err := (Bundles{}).Forget(s, file, false); !errors.Is(err, ErrNotTracked) {
		t.Errorf("%v", err)
	}
	imported()
	onlyWhatChanged(t, s, imported)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := (Bundles{}).Forget(s, file, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	list, err := (Bundles{}).Cleanup(s, false)
	names, serr := s.Services()
	if err != nil || serr != nil || len(list) == 0 || slices.Contains(names, "site/NAME") {
		t.Errorf("%v %v: %v, there is %v", err, serr, list, names)
	}
	if list, err := (Bundles{}).Cleanup(s, true); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
}

// onlyWhatChanged: what is gone on purpose does not come back where only changes are imported.
func onlyWhatChanged(t *testing.T, s door.Store, imported func()) {
	t.Helper()
	t.Setenv(checkHash, "1")
	var b repo.Batch
	b.Delete(repo.Entity{Service: "site/NAME"}, repo.WithChildren)
	if _, err := s.Apply(&b); err != nil {
		t.Fatal(err)
	}
	there := func() bool {
		names, err := s.Services()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(names, "site/NAME")
	}
	if imported(); there() {
		t.Error("a file that has not changed was imported")
	}
	os.Unsetenv(checkHash)
	if imported(); !there() {
		t.Error("a file was not imported though it was asked for")
	}
}
