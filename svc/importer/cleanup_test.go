package importer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// What a file alone described goes with it, and leaves no trace.
func TestCleanup(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/b.xml", document("manifest", "<service name='site/web' type='service' version='1'><instance name='default' enabled='true'/></service>"))
	s.late()
	before := dump(t, s.r)
	s.write("/var/svc/manifest/a.xml", named("a", "1"))
	s.late()
	wantTold(t, "nothing gone", s.clean())
	s.remove("/var/svc/manifest/a.xml")
	// It is not gone as long as its directory may come.
	wantTold(t, "another directory", s.boot(func(b *Boot) (Counts, error) { return b.Cleanup(EarlyDirs...) }))
	must(t, os.Rename(filepath.Join(s.root, "var/svc"), filepath.Join(s.root, "var/elsewhere")))
	wantTold(t, "not mounted", s.clean())
	must(t, os.Rename(filepath.Join(s.root, "var/elsewhere"), filepath.Join(s.root, "var/svc")))
	backups := s.backups
	wantTold(t, "gone", s.clean(), "/var/svc/manifest/a.xml gone")
	if got := dump(t, s.r); got != before || s.backups != backups+1 {
		t.Errorf("there is\n%s\nand not\n%s", got, before)
	}
	if got := texts(s.events); !slices.Contains(got, "Deleted svc:/site/a, whose manifest is gone.") || !slices.Contains(got, "Refreshed svc:/site/web:default.") {
		t.Errorf("told %q", got)
	}
	wantTold(t, "again", s.clean())
}

// A file that has moved is imported before the old one is missed: enabled stays as it is.
func TestCleanupMoved(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", named("a", "1"))
	s.late()
	e := repo.Entity{Service: "site/a", Instance: "default"}
	change(t, s.r, func(b *repo.Batch) { b.SetProperty(e, groupGeneral, propertyOf(t, propEnabled, "boolean", "false")) })
	must(t, os.MkdirAll(filepath.Join(s.root, LocalManifests), 0o755))
	must(t, os.Rename(filepath.Join(s.root, "lib/svc/manifest/a.xml"), filepath.Join(s.root, "var/svc/manifest/a.xml")))
	wantTold(t, "early", s.boot(func(b *Boot) (Counts, error) { return b.Manifests(EarlyDirs...) }))
	wantTold(t, "late", s.late(), "/var/svc/manifest/a.xml done")
	wantTold(t, "cleanup", s.clean(), "/lib/svc/manifest/a.xml gone")
	if got := value(t, s.r, e, "general/enabled"); got != "boolean false" {
		t.Errorf("enabled is %q", got)
	}
	if files := service(t, s.r, "site/a").Group(groupFiles); len(files.Props) != 1 || files.Props[0].Name != "var_svc_manifest_a_xml" {
		t.Errorf("manifestfiles is %+v", files)
	}
}

// What is an administrator's is kept and named, and nobody's file afterwards.
func TestCleanupKeeps(t *testing.T) {
	for what, edit := range map[string]func(*repo.Batch){
		"a property": func(b *repo.Batch) {
			b.SetProperty(repo.Entity{Service: "site/a"}, "config", propertyOf(t, "port", "count", "7"))
		},
		"a group of the instance": func(b *repo.Batch) {
			b.PutGroup(repo.Entity{Service: "site/a", Instance: "default"}, &tree.Group{Name: "mine", Type: "application"})
		},
		"an instance": func(b *repo.Batch) {
			e := repo.Entity{Service: "site/a", Instance: "mine"}
			b.Ensure(e)
			b.PutGroup(e, &tree.Group{Name: groupGeneral, Type: typeFramework, Props: []tree.Property{propertyOf(t, propEnabled, "boolean", "true")}})
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSystem(t)
			s.write("/lib/svc/manifest/a.xml", named("a", "1"))
			s.late()
			change(t, s.r, edit)
			s.remove("/lib/svc/manifest/a.xml")
			wantTold(t, "cleanup", s.clean(), "/lib/svc/manifest/a.xml gone")
			if got := loud(s.events); len(got) != 1 || !strings.HasPrefix(got[0], "Keeping svc:/site/a, whose manifest is gone: svc:/site/a:") {
				t.Errorf("told %q", got)
			}
			kept := service(t, s.r, "site/a")
			if kept == nil || kept.Instance("default") == nil || kept.Group(groupFiles) != nil || kept.Group("start") == nil {
				t.Errorf("kept %+v", kept)
			}
			wantTold(t, "again", s.clean())
		})
	}
	// What restarters and administrators do in general and in groups that end with the boot is not.
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", named("a", "1"))
	s.late()
	change(t, s.r, func(b *repo.Batch) {
		e := repo.Entity{Service: "site/a", Instance: "default"}
		b.SetProperty(e, groupGeneral, propertyOf(t, propEnabled, "boolean", "false"))
		b.PutGroup(e, &tree.Group{Name: "restarter", Type: typeFramework, Flags: tree.NonPersistent})
		b.Ensure(repo.Entity{Service: "site/a", Instance: "bare"})
	})
	s.remove("/lib/svc/manifest/a.xml")
	s.clean()
	if service(t, s.r, "site/a") != nil {
		t.Errorf("kept %+v", service(t, s.r, "site/a"))
	}
}

// Of a service that several files describe, what none does any longer goes.
func TestCleanupShared(t *testing.T) {
	instance := func(name, more string) string {
		return document("manifest", "<service name='site/a' type='service' version='1'>"+
			"<property_group name='g' type='application'><propval name='p' type='count' value='1'/></property_group>"+
			"<instance name='"+name+"' enabled='true'>"+more+"</instance></service>")
	}
	s := newSystem(t)
	s.write("/lib/svc/manifest/1.xml", instance("one", ""))
	s.write("/lib/svc/manifest/2.xml", instance("two", ""))
	s.write("/lib/svc/manifest/3.xml", instance("three", "<dependent name='d' grouping='require_all' restart_on='none'><service_fmri value='svc:/site/b'/></dependent>"))
	s.late()
	change(t, s.r, func(b *repo.Batch) {
		b.PutGroup(repo.Entity{Service: "site/a", Instance: "two"}, &tree.Group{Name: "mine", Type: "application"})
	})
	for _, n := range []string{"1", "2", "3"} {
		if n != "1" {
			s.remove("/lib/svc/manifest/" + n + ".xml")
		}
	}
	wantTold(t, "cleanup", s.clean(), "/lib/svc/manifest/2.xml gone", "/lib/svc/manifest/3.xml gone")
	a := service(t, s.r, "site/a")
	if a.Instance("one") == nil || a.Instance("two") == nil || a.Instance("three") != nil || len(a.Group(groupFiles).Props) != 1 {
		t.Errorf("there is %+v", a)
	}
	if got := loud(s.events); !slices.Equal(got, []string{"Keeping svc:/site/a:two, whose manifest is gone: it has been customized."}) {
		t.Errorf("told %q", got)
	}
	if got := value(t, s.r, repo.Entity{Service: "site/b"}, "d"); got != "-" {
		t.Errorf("its dependent is still %q", got)
	}
	// A service that a file does not describe any longer is not the file's, and is left alone.
	s.write("/lib/svc/manifest/1.xml", named("c", "1"))
	s.late()
	if a := service(t, s.r, "site/a"); a.Instance("one") == nil || a.Group(groupFiles) != nil {
		t.Errorf("there is %+v", a)
	}
}

// What others have put into a service that goes stays there, for when it comes again.
func TestCleanupLeavesDependencies(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", named("a", "1")) // has site/web depend on it
	s.write("/lib/svc/manifest/b.xml", document("manifest", "<service name='site/b' type='service' version='1'>"+
		"<dependent name='b_web' grouping='require_all' restart_on='none'><service_fmri value='svc:/site/web:default'/></dependent></service>"))
	web := document("manifest", "<service name='site/web' type='service' version='1'><create_default_instance enabled='true'/></service>")
	s.write("/lib/svc/manifest/web.xml", web)
	s.late()
	s.remove("/lib/svc/manifest/web.xml")
	wantTold(t, "cleanup", s.clean(), "/lib/svc/manifest/web.xml gone")
	w := service(t, s.r, "site/web")
	if w == nil || len(w.Groups) != 1 || w.Groups[0].Name != "a_web" || len(w.Instances) != 1 || len(w.Instances[0].Groups) != 1 {
		t.Errorf("left %+v", w)
	}
	view(t, s.r, func(v *repo.Reader) {
		if got := v.Snapshots(repo.Entity{Service: "site/web", Instance: "default"}); got != nil {
			t.Errorf("with snapshots %q", got)
		}
	})
	s.write("/lib/svc/manifest/web.xml", web)
	s.late()
	if got := value(t, s.r, repo.Entity{Service: "site/web", Instance: "default"}, "general/enabled"); got != "boolean true" {
		t.Errorf("enabled is %q when it comes again", got)
	}
	for path, e := range map[string]repo.Entity{"a_web/external": {Service: "site/web"}, "b_web/external": {Service: "site/web", Instance: "default"}} {
		if got := value(t, s.r, e, path); got != "boolean true" {
			t.Errorf("%s is %q", path, got)
		}
	}
}
