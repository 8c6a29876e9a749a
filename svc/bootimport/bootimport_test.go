package bootimport_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/bootimport"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// system is a system's files and its repository.
type system struct {
	t        testing.TB
	root     string
	r        *repo.Repo
	store    door.Store
	out, err bytes.Buffer
}

func newSystem(t testing.TB) *system {
	t.Helper()
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot"})
	must(t, err)
	s := &system{t: t, root: t.TempDir(), r: r, store: door.NewLocal(r)}
	t.Cleanup(func() { must(t, errors.Join(s.store.Close(), r.Close())) })
	return s
}

func (s *system) path(path string) string { return filepath.Join(s.root, path) }

func (s *system) write(path, text string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(s.path(path)), 0o755))
	must(s.t, os.WriteFile(s.path(path), []byte(text), 0o644))
}

// keep is a Store that others close.
type keep struct{ door.Store }

func (keep) Close() error { return nil }

// run runs manifest-import, which must end with the code.
func (s *system) run(code int, args ...string) {
	s.t.Helper()
	s.out.Reset()
	s.err.Reset()
	env := &bootimport.Env{Out: &s.out, Err: &s.err, Root: s.root, Open: func() (door.Store, error) { return keep{s.store}, nil }}
	if got := bootimport.Main(env, args); got != code {
		s.t.Fatalf("exit %d, want %d\n%s%s", got, code, &s.out, &s.err)
	}
}

func document(kind, body string) string {
	return "<?xml version='1.0'?>\n<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>\n" +
		"<service_bundle type='" + kind + "' name='test'>\n" + body + "\n</service_bundle>\n"
}

// manifest describes one service that is disabled.
func manifest(name string) string {
	return document("manifest", "<service name='site/"+name+"' type='service' version='1'><create_default_instance enabled='false'/></service>")
}

// profile enables it.
func profile(name string) string {
	return document("profile", "<service name='site/"+name+"' type='service' version='1'><instance name='default' enabled='true'/></service>")
}

func (s *system) is(name string) bool {
	s.t.Helper()
	is, err := s.store.Exists(repo.Entity{Service: "site/" + name, Instance: "default"})
	must(s.t, err)
	return is
}

func (s *system) enabled(name string) string {
	s.t.Helper()
	p, err := s.store.Property(repo.Entity{Service: "site/" + name, Instance: "default"}, door.Direct, "general", "enabled")
	must(s.t, err)
	return p.Values[0]
}

// TestEarlyAndLate: what each of them takes, what they say, and that a second time is nothing.
func TestEarlyAndLate(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/site/a.xml", manifest("a"))
	s.write("/lib/svc/manifest/site/deep/er/b.xml", manifest("b"))
	s.write("/var/svc/manifest/c.xml", manifest("c"))
	s.write("/etc/svc/profile/site.xml", profile("a"))
	s.run(0, "-e")
	if !s.is("a") || !s.is("b") || s.is("c") || s.enabled("a") != "false" {
		t.Error("early is not what is in /lib/svc/manifest")
	}
	want := "/lib/svc/manifest/site/a.xml: imported\n/lib/svc/manifest/site/deep/er/b.xml: imported\n"
	if s.out.String() != want || s.err.Len() != 0 {
		t.Errorf("early says %q and %q", &s.out, &s.err)
	}
	s.run(0)
	if !s.is("c") || s.enabled("a") != "true" {
		t.Error("late is not what is in /var/svc/manifest and /etc/svc/profile")
	}
	if want := "/var/svc/manifest/c.xml: imported\n/etc/svc/profile/site.xml: imported\n"; s.out.String() != want || s.err.Len() != 0 {
		t.Errorf("late says %q and %q", &s.out, &s.err)
	}
	generation := s.r.Generation()
	backups, err := repo.Backups(filepath.Join(filepath.Dir(s.dbPath()), "repository.db"))
	must(t, err)
	for _, args := range [][]string{{"-e"}, nil, {"-e"}, nil} {
		s.run(0, args...)
		if s.out.Len()+s.err.Len() != 0 || s.r.Generation() != generation {
			t.Errorf("again: generation %d, was %d, %q %q", s.r.Generation(), generation, &s.out, &s.err)
		}
	}
	again, err := repo.Backups(s.dbPath())
	must(t, err)
	if len(backups) == 0 || len(again) != len(backups) {
		t.Errorf("%d backups, then %d", len(backups), len(again))
	}
}

func (s *system) dbPath() string {
	s.t.Helper()
	path, _, err := s.store.Backup("where")
	must(s.t, err)
	return filepath.Join(filepath.Dir(path), "repository.db")
}

// TestFaults: they are told as errors, the other files are done, and what was mended is too.
func TestFaults(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", manifest("a"))
	s.write("/lib/svc/manifest/bad.xml", "<nonsense")
	s.write("/lib/svc/manifest/profile.xml", profile("a"))
	s.write("/lib/svc/manifest/z.xml", manifest("z"))
	s.write("/var/svc/manifest/bad.xml", manifest("bad name"))
	s.write("/var/svc/manifest/c.xml", manifest("c"))
	must(t, unix.Mkfifo(s.path("/var/svc/manifest/pipe.xml"), 0o644))
	must(t, os.Symlink("/etc/passwd", s.path("/var/svc/manifest/link.xml")))
	s.write("/etc/svc/profile/generic.xml", "junk")
	s.write("/etc/svc/profile/site/x.xml", profile("z"))
	s.run(95, "-e")
	s.run(95)
	if !s.is("a") || !s.is("z") || !s.is("c") || s.enabled("z") != "true" {
		t.Error("files without faults were not done")
	}
	for _, file := range []string{"/lib/svc/manifest/bad.xml", "/lib/svc/manifest/profile.xml", "/var/svc/manifest/bad.xml", "/var/svc/manifest/pipe.xml", "/etc/svc/profile/generic.xml"} {
		if strings.Count(s.err.String(), file) != 1 || strings.Contains(s.out.String(), file) {
			t.Errorf("%s is not told once:\n%s", file, &s.err)
		}
	}
	generation := s.r.Generation()
	s.run(95)
	if s.r.Generation() != generation {
		t.Error("faults are written")
	}
	s.write("/lib/svc/manifest/bad.xml", manifest("mended"))
	for _, file := range []string{"/lib/svc/manifest/profile.xml", "/var/svc/manifest/bad.xml", "/var/svc/manifest/pipe.xml", "/var/svc/manifest/link.xml", "/etc/svc/profile/generic.xml"} {
		must(t, os.Remove(s.path(file)))
	}
	s.run(0)
	if !s.is("mended") {
		t.Error("what was mended is not imported")
	}
}

// TestGone: what only files described that are gone goes with the late import.
func TestGone(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", manifest("a"))
	s.write("/var/svc/manifest/c.xml", manifest("c"))
	s.run(0)
	must(t, os.Remove(s.path("/lib/svc/manifest/a.xml")))
	must(t, os.Remove(s.path("/var/svc/manifest/c.xml")))
	s.run(0, "-e")
	if !s.is("a") || !s.is("c") {
		t.Error("the early import takes away")
	}
	s.run(0)
	if s.is("a") || s.is("c") || !strings.Contains(s.out.String(), "/lib/svc/manifest/a.xml: gone, and what it alone described\n") {
		t.Errorf("what is gone is there: %q", &s.out)
	}
}

// TestEmptySystem: nothing of all that need be there.
func TestEmptySystem(t *testing.T) {
	s := newSystem(t)
	s.run(0, "-e")
	s.run(0)
	if s.out.Len()+s.err.Len() != 0 || s.r.Generation() != 0 {
		t.Errorf("%q %q, generation %d", &s.out, &s.err, s.r.Generation())
	}
	if _, err := os.Lstat(s.path("/etc")); !os.IsNotExist(err) {
		t.Errorf("something was made: %v", err)
	}
	if info, err := os.Lstat(s.path("/var/svc/manifest")); err != nil || !info.IsDir() {
		t.Errorf("an administrator has no place for his own: %v", err)
	}
}

// TestUsage: nothing is opened for who is misunderstood.
func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-x"}, {"-e", "-e"}, {"x"}, {""}, {"-e", ""}, {"--"}} {
		var out, errs bytes.Buffer
		env := &bootimport.Env{Out: &out, Err: &errs, Open: func() (door.Store, error) { t.Error("opened"); return nil, os.ErrClosed }}
		if code := bootimport.Main(env, args); code != 2 || out.Len() != 0 || errs.String() != "usage: manifest-import [-e]\n" {
			t.Errorf("%q: exit %d, %q %q", args, code, &out, &errs)
		}
	}
}

// TestNoServer: it is the repository's failure, said once.
func TestNoServer(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", manifest("a"))
	for name, open := range map[string]func() (door.Store, error){
		"not opened": func() (door.Store, error) { return nil, door.ErrNoServer },
		"no door": func() (door.Store, error) {
			return client.New(client.Config{Path: s.path("/none"), Patience: 100 * time.Millisecond}), nil
		},
	} {
		for _, args := range [][]string{nil, {"-e"}} {
			var out, errs bytes.Buffer
			code := bootimport.Main(&bootimport.Env{Out: &out, Err: &errs, Root: s.root, Open: open}, args)
			if code != 1 || out.Len() != 0 || strings.Count(errs.String(), "\n") != 1 || !strings.HasPrefix(errs.String(), "manifest-import: ") {
				t.Errorf("%s: exit %d, %q %q", name, code, &out, &errs)
			}
		}
	}
}

// leaving is a repository whose server goes away after some batches.
type leaving struct {
	door.Store
	left, asked int
}

func (l *leaving) gone() bool {
	if l.left > 0 {
		return false
	}
	l.asked++
	return true
}

func (l *leaving) Generation() (uint64, error) {
	if l.gone() {
		return 0, door.ErrUnavailable
	}
	return l.Store.Generation()
}

func (l *leaving) Apply(b *repo.Batch) (uint64, error) {
	if l.gone() {
		return 0, door.ErrUnavailable
	}
	l.left--
	return l.Store.Apply(b)
}

// TestServerLeaves: who waited in vain once does not wait for each file, and has not done it all.
func TestServerLeaves(t *testing.T) {
	s := newSystem(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		s.write("/lib/svc/manifest/"+name+".xml", manifest(name))
	}
	l := &leaving{Store: s.store, left: 2}
	s.store = l
	s.run(1, "-e")
	if l.asked != 1 || s.err.String() != "manifest-import: "+door.ErrUnavailable.Error()+"\n" {
		t.Errorf("asked %d times, said %q", l.asked, &s.err)
	}
	s.store = l.Store
	s.run(0, "-e")
	if !s.is("a") || !s.is("e") {
		t.Error("what was left is not done")
	}
}
