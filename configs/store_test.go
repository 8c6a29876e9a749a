package configs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
)

func layoutOf(t *testing.T) layout.Layout {
	t.Helper()
	return layout.At(t.TempDir())
}

func TestEmptyStore(t *testing.T) {
	s := Open(layoutOf(t))
	if e, err := s.Index(); len(e) != 0 || err != nil {
		t.Error(e, err)
	}
	if _, _, err := s.Load("a"); !errors.Is(err, ErrNoZone) {
		t.Error(err)
	}
	if _, err := s.Lookup("a"); !errors.Is(err, ErrNoZone) || err.Error() != "a: No such zone configured" {
		t.Error(err)
	}
	if z, tag, err := s.Load(GlobalName); err != nil || tag != "" || z.Name != GlobalName {
		t.Error(z, tag, err)
	}
	if err := s.Delete("a", ""); !errors.Is(err, ErrNoZone) {
		t.Error(err)
	}
	if err := s.SetState("a", Installed); !errors.Is(err, ErrNoZone) {
		t.Error(err)
	}
	if _, err := s.LookupUUID(uuidA); !errors.Is(err, ErrNoUUID) {
		t.Error(err)
	}
}

func TestReadingWritesNothing(t *testing.T) {
	s := Open(layoutOf(t))
	_, _ = s.Index()
	_, _, _ = s.Load("a")
	_, _ = s.EffectiveState("a")
	if e, _ := os.ReadDir(s.layout.Root); len(e) != 0 {
		t.Errorf("made %v", e)
	}
}

func TestLifeOfAZone(t *testing.T) {
	s := Open(layoutOf(t))
	tag, err := s.Create(fullZone())
	if err != nil {
		t.Fatal(err)
	}
	z, tag2, err := s.Load("web")
	if err != nil || tag != tag2 || !z.Equal(fullZone()) {
		t.Fatal(z, tag, tag2, err)
	}
	if _, err := s.Create(fullZone()); !errors.Is(err, ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	if err := s.SetState("web", Incomplete, Configured); err != nil {
		t.Fatal(err)
	}
	if err := s.SetState("web", Installed, Configured); !errors.Is(err, ErrState) {
		t.Errorf("state was not compared: %v", err)
	}
	if err := s.SetState("web", Running); !errors.Is(err, ErrState) {
		t.Errorf("running was stored: %v", err)
	}
	if err := s.SetState("web", Installed); err != nil {
		t.Fatal(err)
	}
	e, err := s.Lookup("web")
	if err != nil || e.State != Installed || !validUUID(e.UUID) {
		t.Fatal(e, err)
	}
	if u, err := s.LookupUUID(strings.ToUpper(e.UUID)); err != nil || u.Name != "web" {
		t.Error(u, err)
	}
	z, tag, err = s.Load("web")
	if err != nil || z.UUID != e.UUID {
		t.Fatal(z.UUID, err)
	}
	z.Autoboot = false
	if tag, err = s.Commit(z, tag); err != nil {
		t.Fatal(err)
	}
	if e2, _ := s.Lookup("web"); e2 != e {
		t.Errorf("a commit changed the index: %v, was %v", e2, e)
	}
	if err := s.Delete("web", tag); !errors.Is(err, ErrState) {
		t.Errorf("an installed zone was deleted: %v", err)
	}
	if err := s.SetState("web", Configured); err != nil {
		t.Fatal(err)
	}
	if e, _ := s.Lookup("web"); e.UUID != "" {
		t.Error("the uuid outlived the installation")
	}
	if err := s.Delete("web", "other"); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	if err := s.Delete("web", tag); err != nil {
		t.Fatal(err)
	}
	if n, _ := filepath.Glob(s.path("*.xml")); len(n) != 0 {
		t.Errorf("left %v", n)
	}
}

func TestInstalledZoneKeepsPathAndBrand(t *testing.T) {
	for _, st := range []State{Incomplete, Installed} {
		s := storeAB(t)
		if err := s.SetState("a", st); err != nil {
			t.Fatal(err)
		}
		if err := edit(s, "a", func(z *Zone) { z.Path = "/zones/other" }); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "zonepath") {
			t.Errorf("%v: %v", st, err)
		}
		if err := edit(s, "a", func(z *Zone) { z.Brand = "whole" }); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "brand") {
			t.Errorf("%v: %v", st, err)
		}
		z, tag, _ := s.Load("a")
		z.Path = "/zones/other"
		if _, err := s.CommitMoved(z, tag); err != nil {
			t.Errorf("%v: %v", st, err)
		}
		if e, _ := s.Lookup("a"); e.Path != "/zones/other" || e.State != st {
			t.Errorf("%v", e)
		}
	}
}

// Somebody installs the zone while it is edited: the editor's commit must see it.
func TestInstallWhileEditing(t *testing.T) {
	s := storeAB(t)
	z, tag, _ := s.Load("a")
	z.Path = "/zones/other"
	if err := s.SetState("a", Installed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(z, tag); !errors.Is(err, ErrState) {
		t.Errorf("%v", err)
	}
}

func TestSecondEditorIsTold(t *testing.T) {
	s := storeAB(t)
	first, tag1, _ := s.Load("a")
	second, tag2, _ := s.Load("a")
	first.Autoboot = true
	if _, err := s.Commit(first, tag1); err != nil {
		t.Fatal(err)
	}
	second.Bootargs = "-s"
	if _, err := s.Commit(second, tag2); !errors.Is(err, ErrConflict) {
		t.Fatalf("%v", err)
	}
	if z, _, _ := s.Load("a"); !z.Autoboot || z.Bootargs != "" {
		t.Errorf("the first one's work was changed: %+v", z)
	}
	if err := s.Delete("b", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(testZone("b"), tag2); !errors.Is(err, ErrConflict) {
		t.Errorf("a deleted zone came back: %v", err)
	}
}

func TestPathsDoNotMeet(t *testing.T) {
	s := storeAB(t)
	for _, p := range []string{"/zones/a", "/zones/a/", "/zones//a", "/zones/./a", "/zones/a/root/x", "/zones"} {
		z := testZone("c")
		z.Path = p
		if _, err := s.Create(z); !errors.Is(err, ErrPathTaken) {
			t.Errorf("%s: %v", p, err)
		}
	}
	z := testZone("c")
	z.Path = "/zones/ab"
	if _, err := s.Create(z); err != nil {
		t.Error(err)
	}
}

func TestRename(t *testing.T) {
	s := storeAB(t)
	if err := s.SetState("a", Installed); err != nil {
		t.Fatal(err)
	}
	z, tag, _ := s.Load("a")
	uuid := z.UUID
	z.Name = "b"
	if _, err := s.Rename("a", z, tag); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	z.Name = "c"
	writeStatus(t, s, "a", `{"state":"running","boot_id":"`+bootID(t)+`"}`)
	if _, err := s.Rename("a", z, tag); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	if err := os.Remove(s.layout.StatusFile("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rename("a", z, tag); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load("a"); !errors.Is(err, ErrNoZone) {
		t.Error(err)
	}
	got, _, err := s.Load("c")
	if err != nil || got.UUID != uuid || got.Path != "/zones/a" {
		t.Error(got, err)
	}
	if _, err := os.Stat(s.path("a.xml")); !os.IsNotExist(err) {
		t.Error("the old file is left")
	}
	entries, _ := s.Index()
	if entries[0].Name != "c" {
		t.Error("the zone lost its place")
	}
}

func TestCommentsSurvive(t *testing.T) {
	s := storeAB(t)
	data, _ := os.ReadFile(s.path(indexName))
	if err := os.WriteFile(s.path(indexName), append([]byte("# mine\n"), data...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.SetState("b", Installed); err != nil {
		t.Fatal(err)
	}
	data, _ = os.ReadFile(s.path(indexName))
	if !strings.HasPrefix(string(data), "# mine\n# Zones") {
		t.Errorf("%s", data)
	}
	st, _ := os.Stat(s.path(indexName))
	if st.Mode().Perm() != 0o644 {
		t.Error(st.Mode())
	}
	if st, _ := os.Stat(s.layout.State()); st.Mode().Perm() != 0o700 {
		t.Error(st.Mode())
	}
}

func TestSpoiledFiles(t *testing.T) {
	s := storeAB(t)
	spoil := func(name, text string) {
		if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	spoil("a.xml", "<zone name=\"b\"/>")
	if _, _, err := s.Load("a"); err == nil || !strings.Contains(err.Error(), `configures zone "b", not "a"`) {
		t.Error(err)
	}
	if err := os.Remove(s.path("a.xml")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load("a"); err == nil || !strings.Contains(err.Error(), "is missing") || errors.Is(err, ErrNoZone) {
		t.Error(err)
	}
	if err := unix.Mkfifo(s.path("a.xml"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load("a"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
	if err := s.Delete("a", ""); err != nil {
		t.Errorf("a zone without its file cannot be deleted: %v", err)
	}
	spoil(indexName, "b:configured:/zones/b:\nrubbish\n")
	if _, err := s.Create(testZone("c")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("an index that is not understood was written over: %v", err)
	}
	spoil(intentName, `{"version":2}`)
	if _, err := s.Index(); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
	spoil(intentName, `{"version":1,"files":{"../../etc/passwd":"x"}}`)
	if err := s.SetState("b", Installed); err == nil || !strings.Contains(err.Error(), "names file") {
		t.Error(err)
	}
}

func TestLockIsWaitedForAndBounded(t *testing.T) {
	s := storeAB(t)
	l, err := lockFile(s.lockPath(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFile(s.lockPath(), 20*time.Millisecond); !errors.Is(err, ErrLockBusy) || !strings.Contains(err.Error(), "process ID") {
		t.Error(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.SetState("a", Installed); err != nil {
			t.Error(err)
		}
	})
	if e, err := s.Lookup("a"); err != nil || e.State != Configured {
		t.Error("a reader waited for the lock, or the writer did not:", e, err)
	}
	l.release()
	wg.Wait()
	if e, _ := s.Lookup("a"); e.State != Installed {
		t.Error(e)
	}
}

func TestGlobalZone(t *testing.T) {
	s := Open(layoutOf(t))
	z, tag, err := s.Load(GlobalName)
	if err != nil {
		t.Fatal(err)
	}
	z.PhysicalMemory = 1 << 30
	if tag, err = s.Commit(z, tag); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(z, ""); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	got, tag2, err := s.Load(GlobalName)
	if err != nil || tag != tag2 || got.PhysicalMemory != 1<<30 {
		t.Error(got, err)
	}
	z.Name = "a"
	z.Path = "/zones/a"
	if _, err := s.Rename(GlobalName, z, tag); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	if e, _ := s.Index(); len(e) != 0 {
		t.Error("the host is listed as a zone")
	}
	if err := s.Delete(GlobalName, tag); err != nil {
		t.Error(err)
	}
	if _, tag, _ := s.Load(GlobalName); tag != "" {
		t.Error("not deleted")
	}
}

// An administrator's umask must not hide the zones from everybody else.
func TestModesWhateverTheUmask(t *testing.T) {
	l := layoutOf(t)
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	s := Open(l)
	if _, err := s.Create(testZone("a")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		l.Etc: 0o755, l.Run: 0o755, l.State(): 0o700, s.path("index"): 0o644, s.path("a.xml"): 0o644,
	} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
}
