package importer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/repo"
)

// system is a system's files and its repository.
type system struct {
	t       testing.TB
	root    string
	r       *repo.Repo
	backups int
	events  []Event
}

func newSystem(t testing.TB) *system { return &system{t: t, root: t.TempDir(), r: fresh(t)} }

func (s *system) write(path, text string) {
	s.t.Helper()
	write(s.t, filepath.Join(s.root, path), text)
}

func (s *system) remove(path string) {
	s.t.Helper()
	must(s.t, os.Remove(filepath.Join(s.root, path)))
}

var stateWords = map[State]string{Unchanged: "unchanged", Done: "done", Gone: "gone", Failed: "failed"}

// boot runs f with a Boot of the system, and gives what was told: PATH STATE, without what is
// unchanged.
func (s *system) boot(f func(*Boot) (Counts, error)) (told []string) {
	s.t.Helper()
	s.events = nil
	b := &Boot{Store: Local(s.r), Root: s.root, Backup: func() error { s.backups++; return nil }}
	total := Counts{}
	b.Tell = func(f File) {
		total[f.State]++
		if f.State != Unchanged {
			told = append(told, f.Path+" "+stateWords[f.State])
		}
		if (f.Err != nil) != (f.State == Failed) {
			s.t.Errorf("%s is %d, and %v", f.Path, f.State, f.Err)
		}
		s.events = append(s.events, f.Events...)
	}
	counts, err := f(b)
	must(s.t, err)
	if fmt.Sprint(counts) != fmt.Sprint(total) {
		s.t.Errorf("counted %v, told %v", counts, total)
	}
	return told
}

func (s *system) late() []string {
	s.t.Helper()
	return s.boot(func(b *Boot) (Counts, error) { return b.Manifests(LateDirs...) })
}

func (s *system) clean() []string {
	s.t.Helper()
	return s.boot(func(b *Boot) (Counts, error) { return b.Cleanup(LateDirs...) })
}

func (s *system) profiles() []string {
	s.t.Helper()
	return s.boot(func(b *Boot) (Counts, error) { return b.Profiles(Profiles) })
}

func wantTold(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// named is the small service under another name.
func named(name, port string) string {
	return document("manifest", strings.NewReplacer("small", name, "80", port).Replace(small))
}

// Files are imported when they have changed, in the order of their paths; a bad one stops no other.
func TestManifests(t *testing.T) {
	s := newSystem(t)
	wantTold(t, "no directory", s.late())
	s.write("/var/svc/manifest/z.xml", named("z", "1"))
	s.write("/lib/svc/manifest/site/b.xml", named("b", "1"))
	s.write("/lib/svc/manifest/a.xml", named("a", "1"))
	s.write("/lib/svc/manifest/bad.xml", "<?xml version='1.0'?>\n<!DOCTYPE service_bundle SYSTEM 'x'>\n<service_bundle")
	s.write("/lib/svc/manifest/empty.xml", "")
	s.write("/lib/svc/manifest/profile.xml", document("profile", "<service name='a'/>"))
	s.write("/lib/svc/manifest/README", "no manifest")
	early := s.boot(func(b *Boot) (Counts, error) { return b.Manifests(EarlyDirs...) })
	wantTold(t, "early", early, "/lib/svc/manifest/a.xml done", "/lib/svc/manifest/bad.xml failed", "/lib/svc/manifest/empty.xml failed",
		"/lib/svc/manifest/profile.xml failed", "/lib/svc/manifest/site/b.xml done")
	wantTold(t, "late", s.late(), "/lib/svc/manifest/bad.xml failed", "/lib/svc/manifest/empty.xml failed", "/lib/svc/manifest/profile.xml failed", "/var/svc/manifest/z.xml done")
	for _, name := range []string{"bad", "empty", "profile"} {
		s.remove("/lib/svc/manifest/" + name + ".xml")
	}
	backups := s.backups
	// A change of time alone is none; a change of content is.
	must(t, os.Chtimes(filepath.Join(s.root, "lib/svc/manifest/a.xml"), time.Unix(1, 0), time.Unix(1, 0)))
	before := dump(t, s.r)
	wantTold(t, "again", s.late())
	if s.backups != backups || dump(t, s.r) != before {
		t.Error("an import of nothing wrote something")
	}
	s.write("/lib/svc/manifest/a.xml", named("a", "2"))
	wantTold(t, "changed", s.late(), "/lib/svc/manifest/a.xml done")
	if got := value(t, s.r, repo.Entity{Service: "site/a"}, "config/port"); got != "count 2" || s.backups != backups+1 {
		t.Errorf("the port is %s after %d backups", got, s.backups-backups)
	}
	for path, want := range map[string]string{
		"lib_svc_manifest_site_b_xml/manifestfile": "astring /lib/svc/manifest/site/b.xml", "lib_svc_manifest_site_b_xml": "framework",
		"lib_svc_manifest_site_b_xml/support": "fmri svc:/site/b svc:/site/b:default",
	} {
		if got := value(t, s.r, tracking, path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
	if got := value(t, s.r, repo.Entity{Service: "site/b"}, "manifestfiles/lib_svc_manifest_site_b_xml"); got != "astring /lib/svc/manifest/site/b.xml" {
		t.Errorf("manifestfiles has %q", got)
	}
	if got := frozenValue(t, s.r, repo.Entity{Service: "site/b"}, "default", repo.LastImport, "manifestfiles"); got != "-" {
		t.Errorf("manifestfiles is in last-import: %q", got)
	}
}

// What a document includes is part of it, and only what is in its directory is found.
func TestIncludes(t *testing.T) {
	s := newSystem(t)
	including := func(href string) string {
		return document("manifest", "<xi:include href='"+href+"' xmlns:xi='http://www.w3.org/2001/XInclude'/>")
	}
	s.write("/lib/svc/manifest/part.inc", document("manifest", strings.ReplaceAll(small, "small", "part")))
	s.write("/lib/svc/manifest/site/a.xml", including("../part.inc"))
	wantTold(t, "first", s.late(), "/lib/svc/manifest/site/a.xml done")
	wantTold(t, "again", s.late())
	s.write("/lib/svc/manifest/part.inc", document("manifest", strings.NewReplacer("small", "part", "80", "90").Replace(small)))
	wantTold(t, "changed", s.late(), "/lib/svc/manifest/site/a.xml done")
	if got := value(t, s.r, repo.Entity{Service: "site/part"}, "config/port"); got != "count 90" {
		t.Errorf("the port is %s", got)
	}
	s.write("/lib/svc/manifest/site/a.xml", including("file:///lib/svc/manifest/part.inc"))
	wantTold(t, "as a URI", s.late(), "/lib/svc/manifest/site/a.xml done")
	s.write("/etc/outside.inc", named("outside", "1"))
	for _, href := range []string{"file:///etc/outside.inc", "/etc/outside.inc", "../../../../etc/outside.inc", "http://example.com/x", "none.inc"} {
		s.write("/lib/svc/manifest/site/a.xml", including(href))
		wantTold(t, href, s.late(), "/lib/svc/manifest/site/a.xml failed")
	}
	if service(t, s.r, "site/outside") != nil {
		t.Error("a document outside of the directory was included")
	}
}

// A file that is forgotten is imported again.
func TestForget(t *testing.T) {
	s := newSystem(t)
	for _, name := range []string{"a", "sub/b", "sub/c", "subway/d"} {
		s.write("/lib/svc/manifest/"+name+".xml", named(filepath.Base(name), "1"))
	}
	s.late()
	for _, c := range []struct {
		path string
		want []string
	}{
		{"/lib/svc/manifest/none.xml", nil},
		{"/lib/svc/manifest/a.xml", []string{"/lib/svc/manifest/a.xml"}},
		{"/lib/svc/manifest/sub/", []string{"/lib/svc/manifest/sub/b.xml", "/lib/svc/manifest/sub/c.xml"}},
	} {
		files, err := Forget(Local(s.r), c.path)
		if err != nil || !slices.Equal(files, c.want) {
			t.Errorf("%s: %q, %v", c.path, files, err)
		}
		var done []string
		for _, f := range c.want {
			done = append(done, f+" done")
		}
		wantTold(t, c.path, s.late(), done...)
	}
	if files, err := Forget(Local(fresh(t)), "/x"); files != nil || err != nil {
		t.Errorf("of nothing: %q, %v", files, err)
	}
}

// A backup that fails is told, and the import goes on.
func TestBackup(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", named("a", "1"))
	s.write("/lib/svc/manifest/b.xml", named("b", "1"))
	asked, said := 0, []string{}
	b := &Boot{Store: Local(s.r), Root: s.root, Backup: func() error { asked++; return errors.New("no room") }}
	b.Tell = func(f File) { said = append(said, texts(f.Events)...) }
	counts, err := b.Manifests(LateDirs...)
	if err != nil || counts[Done] != 2 || asked != 1 || said[0] != "Warning: no backup before the import: no room" {
		t.Errorf("%v, %v, asked %d times, said %q", counts, err, asked, said)
	}
}

// Profiles are applied once, in their order, and what is wrong with one stops no other.
func TestProfiles(t *testing.T) {
	s := newSystem(t)
	wantTold(t, "no directory", s.profiles())
	s.write("/lib/svc/manifest/a.xml", named("a", "1"))
	s.late()
	port := func(n string) string {
		return document("profile", "<service name='site/a'><property_group name='config'><propval name='port' value='"+n+"'/></property_group></service>")
	}
	s.write("/etc/svc/profile/generic_limited.xml", port("10"))
	must(t, os.Symlink("generic_limited.xml", filepath.Join(s.root, "/etc/svc/profile/generic.xml")))
	s.write("/etc/svc/profile/platform.xml", "nonsense")
	s.write("/etc/svc/profile/site.xml", port("30"))
	s.write("/etc/svc/profile/site/2.xml", port("50"))
	s.write("/etc/svc/profile/site/1.xml", port("40"))
	s.write("/etc/svc/profile/site/below/3.xml", port("60"))
	s.write("/etc/svc/profile/other.xml", port("70"))
	wantTold(t, "first boot", s.profiles(), "/etc/svc/profile/generic.xml done", "/etc/svc/profile/platform.xml failed", "/etc/svc/profile/site.xml done",
		"/etc/svc/profile/site/1.xml done", "/etc/svc/profile/site/2.xml done")
	a := repo.Entity{Service: "site/a"}
	if got := value(t, s.r, a, "config/port"); got != "count 50" {
		t.Errorf("the port is %s", got)
	}
	s.write("/etc/svc/profile/platform.xml", port("20"))
	s.write("/etc/svc/profile/site.xml", port("80"))
	wantTold(t, "second boot", s.profiles(), "/etc/svc/profile/platform.xml done")
	if got := value(t, s.r, a, "config/port"); got != "count 20" {
		t.Errorf("the port is %s", got)
	}
	// A profile that is gone is no manifest that is gone.
	s.remove("/etc/svc/profile/site.xml")
	wantTold(t, "cleanup", s.boot(func(b *Boot) (Counts, error) { return b.Cleanup(Profiles) }))
}

// A document that a person names may be anywhere; it is tracked where the boot would find it.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.xml")
	write(t, file, named("a", "1"))
	must(t, os.Symlink(file, filepath.Join(dir, "link")))
	for _, name := range []string{file, filepath.Join(dir, "link")} {
		b, source, err := Load(name, manifest.Manifest)
		if err != nil || source != nil || len(b.Services) != 1 {
			t.Errorf("%s: %+v, %v, %v", name, b, source, err)
		}
	}
	write(t, filepath.Join(dir, "sub", "b.xml"), document("manifest", "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='../a.xml'/>"))
	if b, _, err := Load(filepath.Join(dir, "sub", "b.xml"), manifest.Manifest); err != nil || len(b.Services) != 1 {
		t.Errorf("including: %+v, %v", b, err)
	}
	for name, want := range map[string]error{filepath.Join(dir, "none"): os.ErrNotExist, dir: ErrNotFile, "/dev/null": ErrNotFile, file: manifest.ErrNotProfile} {
		if _, _, err := Load(name, manifest.Profile); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := LateDirs
	defer func() { LateDirs = old }()
	LateDirs = []string{dir}
	if _, source, err := Load(file, manifest.Manifest); err != nil || source == nil || source.Path != file || source.Sum != NewSource("", []byte(named("a", "1"))).Sum {
		t.Errorf("%+v, %v", source, err)
	}
}
