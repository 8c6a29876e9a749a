package repo

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestBackups(t *testing.T) {
	cfg := config(t.TempDir())
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cfg.Now = func() time.Time { return now }
	r := open(t, cfg)
	set := func(i int) {
		apply(t, r, func(b *Batch) { b.Ensure(webOne); b.PutGroup(web, group("a", str("x", strconv.Itoa(i)))) })
	}
	set(1)
	path, made, err := r.Backup(BootBackup)
	must(t, err)
	if !made || filepath.Base(path) != "repository-boot-20260102_030405" {
		t.Errorf("%s %v", path, made)
	}
	if again, made, err := r.Backup(BootBackup); err != nil || made || again != path {
		t.Errorf("identical: %s %v %v", again, made, err)
	}
	apply(t, r, func(b *Batch) { b.PutGroup(web, volatileGroup("v", str("x", "1"))) })
	if _, made, _ := r.Backup(BootBackup); made {
		t.Error("what is not persistent makes a difference")
	}
	for i := range 6 { // without the clock moving
		set(i + 2)
		if _, made, err := r.Backup(BootBackup); err != nil || !made {
			t.Errorf("%v %v", made, err)
		}
	}
	now = now.Add(time.Hour)
	if _, made, err := r.Backup(ImportBackup); err != nil || !made {
		t.Errorf("another name: %v %v", made, err)
	}
	must(t, os.WriteFile(filepath.Join(filepath.Dir(cfg.Path), "repository-boot-x"), nil, 0o600))
	list, err := Backups(cfg.Path)
	must(t, err)
	var names []string
	for _, b := range list {
		names = append(names, filepath.Base(b.Path))
		if b.Bytes == 0 || Check(b.Path) != nil {
			t.Errorf("%+v: %v", b, Check(b.Path))
		}
	}
	want := []string{"repository-manifest_import-20260102_040405", "repository-boot-20260102_030411", "repository-boot-20260102_030410",
		"repository-boot-20260102_030409", "repository-boot-20260102_030408"}
	if !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if _, _, err := r.Backup("a/b"); !errors.Is(err, ErrInvalidName) {
		t.Error(err)
	}
}

func TestRestore(t *testing.T) {
	cfg := config(t.TempDir())
	now := time.Date(2026, 1, 2, 4, 4, 5, 0, time.UTC)
	cfg.Now = func() time.Time { return now }
	r := open(t, cfg)
	for i := range 3 {
		apply(t, r, func(b *Batch) { b.Ensure(webOne); b.PutGroup(web, group("a", str("x", strconv.Itoa(i)))) })
		_, _, err := r.Backup(BootBackup)
		must(t, err)
	}
	list, err := Backups(cfg.Path)
	must(t, err)
	must(t, os.WriteFile(list[0].Path, []byte("damaged"), 0o600))
	if err := Restore(cfg, list[0].Path); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	must(t, r.Close())
	if err := Restore(cfg, list[0].Path); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged backup: %v", err)
	}
	must(t, Restore(cfg, list[1].Path))
	r = open(t, cfg)
	if got := get(t, r, web, "a", "x"); got != "1" {
		t.Errorf("restored: %s", got)
	}
	if got := strings.Join(files(t, filepath.Dir(cfg.Path)), " "); !strings.Contains(got, "repository-replaced-20260102_040405") || strings.Contains(got, ".new") {
		t.Error(got)
	}
	must(t, r.Close())
	for range 6 {
		now = now.Add(time.Hour)
		must(t, Restore(cfg, list[2].Path))
	}
	if n := strings.Count(strings.Join(files(t, filepath.Dir(cfg.Path)), " "), "replaced"); n != BackupsKept {
		t.Errorf("%d replaced repositories are kept", n)
	}
}

// TestBackupOfAMovingRepository: a backup is one state, whoever writes meanwhile.
func TestBackupOfAMovingRepository(t *testing.T) {
	cfg := config(t.TempDir())
	r := open(t, cfg)
	set := func(i int) {
		apply(t, r, func(b *Batch) {
			b.Ensure(webOne)
			b.PutGroup(web, group("a", str("x", strconv.Itoa(i)), str("y", stringOf(i*97%4000))))
			b.PutGroup(webOne, group("a", str("x", strconv.Itoa(i)), str("y", stringOf(i*89%4000))))
		})
	}
	set(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
				set(i)
			}
		}
	}()
	for range 12 {
		path, _, err := r.Backup(BootBackup)
		must(t, err)
		must(t, Check(path))
		copied := config(t.TempDir())
		copyFile(t, path, copied.Path)
		c := open(t, copied)
		s := dumpOf(t, c, web.Service)
		if a, b := s.Group("a").Prop("x"), s.Instance("default").Group("a").Prop("x"); !a.Equal(b) {
			t.Errorf("a backup of two states: %v %v", a, b)
		}
		must(t, c.Close())
	}
	close(stop)
	<-stopped
}

// TestLeftovers: what a killed process left half made is no obstacle.
func TestLeftovers(t *testing.T) {
	cfg := config(t.TempDir())
	dir := filepath.Dir(cfg.Path)
	for _, name := range []string{".repository.db.new", ".volatile.db.new", ".repository-boot-20260102_030405.new", ".repository-boot-20250102_030405.new"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
	}
	r := open(t, cfg)
	_, made, err := r.Backup(BootBackup)
	if err != nil || !made {
		t.Error(err)
	}
	for _, name := range files(t, dir) {
		if strings.HasSuffix(name, ".new") {
			t.Errorf("%s is left", name)
		}
	}
}
