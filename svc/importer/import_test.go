package importer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/repo"
)

const small = `<service name='site/small' type='service' version='1'>
 <create_default_instance enabled='true'/>
 <dependency name='fs' grouping='require_all' restart_on='none' type='service'><service_fmri value='svc:/system/fs'/></dependency>
 <dependent name='small_web' grouping='optional_all' restart_on='none'><service_fmri value='svc:/site/web'/></dependent>
 <exec_method type='method' name='start' exec='/bin/small' timeout_seconds='60'/>
 <property_group name='config' type='application'><propval name='port' type='count' value='80'/></property_group>
</service>`

var (
	smallService = repo.Entity{Service: "site/small"}
	smallDefault = repo.Entity{Service: "site/small", Instance: "default"}
	web          = repo.Entity{Service: "site/web"}
)

// A service that is new has all that the manifest says, and the snapshots that others count on.
func TestImportNew(t *testing.T) {
	r := fresh(t)
	events := importText(t, r, small)
	want := []string{
		`Taking "initial" snapshot for svc:/site/small:default.`,
		`Taking "last-import" snapshot for svc:/site/small:default.`,
		`Refreshed svc:/site/small:default.`,
		`Successful import.`,
	}
	if got := texts(events); !slices.Equal(got, want) || len(loud(events)) != 0 {
		t.Errorf("told %q", got)
	}
	for path, want := range map[string]string{
		"start/exec": "astring /bin/small", "config/port": "count 80", "fs/entities": "fmri svc:/system/fs", "dependents/small_web": "fmri svc:/site/web",
	} {
		if got := value(t, r, smallService, path); got != want {
			t.Errorf("%s is %q", path, got)
		}
		for _, snapshot := range []string{repo.Initial, repo.LastImport, repo.Running} {
			if got := frozenValue(t, r, smallService, "default", snapshot, path); got != want {
				t.Errorf("%s in %s is %q", path, snapshot, got)
			}
		}
	}
	for snapshot, want := range map[string]string{repo.Initial: "boolean true", repo.Running: "boolean true", repo.LastImport: "-", repo.Previous: "no snapshot"} {
		if got := frozenValue(t, r, smallDefault, "default", snapshot, "general/enabled"); got != want {
			t.Errorf("general/enabled in %s is %q", snapshot, got)
		}
	}
	if got := value(t, r, smallDefault, "general/enabled"); got != "boolean true" {
		t.Errorf("general/enabled is %q", got)
	}
	// The dependency that another has of it is a record in last-import alone.
	if got := frozenValue(t, r, smallService, "default", repo.LastImport, "small_web/external"); got != "boolean true" {
		t.Errorf("the dependent in last-import is %q", got)
	}
	if got := value(t, r, smallService, "small_web"); got != "-" {
		t.Errorf("the dependent is a group of its owner: %q", got)
	}
	for path, want := range map[string]string{"small_web/external": "boolean true", "small_web/entities": "fmri svc:/site/small", "small_web/grouping": "astring optional_all"} {
		if got := value(t, r, web, path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
	if s := service(t, r, "site/web"); len(s.Groups) != 1 || len(s.Instances) != 0 {
		t.Errorf("the place of the dependent has %+v", s)
	}
}

// The same import again writes nothing, and is told as a success all the same.
func TestImportAgain(t *testing.T) {
	r := fresh(t)
	importText(t, r, small)
	before, generation := dump(t, r), r.Generation()
	applied := &counting{Store: Local(r)}
	events, err := Import(applied, bundle(t, "manifest", small), nil)
	if err != nil || applied.batches != 0 || dump(t, r) != before || r.Generation() != generation {
		t.Errorf("%v, %d batches\n%s\nof\n%s", err, applied.batches, dump(t, r), before)
	}
	if got := texts(events); !slices.Equal(got, []string{`Taking "last-import" snapshot for svc:/site/small:default.`, "Refreshed svc:/site/small:default.", "Successful import."}) {
		t.Errorf("told %q", got)
	}
}

// A document of another type is refused, whoever asks for what.
func TestTypes(t *testing.T) {
	r := fresh(t)
	m, p, a := bundle(t, "manifest", small), bundle(t, "profile", "<service name='x'/>"), bundle(t, "archive", small)
	before := dump(t, r)
	for name, c := range map[string]struct {
		run  func() ([]Event, error)
		want error
	}{
		"profile imported":    {func() ([]Event, error) { return Import(Local(r), p, nil) }, manifest.ErrNotManifest},
		"archive imported":    {func() ([]Event, error) { return Import(Local(r), a, nil) }, manifest.ErrNotManifest},
		"manifest applied":    {func() ([]Event, error) { return Apply(Local(r), m, nil, Do) }, manifest.ErrNotProfile},
		"archive applied":     {func() ([]Event, error) { return Apply(Local(r), a, nil, Do) }, manifest.ErrNotProfile},
		"manifest as archive": {func() ([]Event, error) { return Restore(Local(r), m) }, manifest.ErrNotArchive},
		"profile as archive":  {func() ([]Event, error) { return Restore(Local(r), p) }, manifest.ErrNotArchive},
	} {
		if events, err := c.run(); !errors.Is(err, c.want) || events != nil {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
	if dump(t, r) != before {
		t.Error("something was written")
	}
	if _, err := Restore(Local(r), a); err != nil || value(t, r, smallService, "config/port") != "count 80" {
		t.Errorf("restore: %v", err)
	}
	if got := frozenValue(t, r, smallDefault, "default", repo.LastImport, "general"); got != "no snapshot" {
		t.Errorf("an archive is a last import: %s", got)
	}
}

// counting counts batches, and can have others write before them.
type counting struct {
	Store
	batches int
	before  func()
	fail    error
}

func (c *counting) Apply(b *repo.Batch) (uint64, error) {
	c.batches++
	if c.before != nil {
		c.before()
	}
	if c.fail != nil {
		return 0, c.fail
	}
	return c.Store.Apply(b)
}

// What others write between the plan and the batch is not lost, and not overwritten.
func TestOvertaken(t *testing.T) {
	r := fresh(t)
	importText(t, r, small)
	n := 0
	s := &counting{Store: Local(r)}
	s.before = func() {
		if n++; n <= 3 {
			change(t, r, func(b *repo.Batch) {
				b.SetProperty(smallService, "config", propertyOf(t, "port", "count", "8"+strings.Repeat("1", n)))
			})
		}
	}
	changed := bundle(t, "manifest", strings.Replace(small, "value='80'", "value='90'", 1))
	events, err := Import(s, changed, nil)
	if err != nil || s.batches != 4 {
		t.Fatalf("%v after %d batches", err, s.batches)
	}
	if got := value(t, r, smallService, "config/port"); got != "count 8111" {
		t.Errorf("the administrator's became %q", got)
	}
	if got := loud(events); !slices.Equal(got, []string{`Conflict upgrading svc:/site/small (property "config/port" has been customized).`}) {
		t.Errorf("told %q", got)
	}
	n = -1000
	s.before = func() {
		n++
		change(t, r, func(b *repo.Batch) {
			b.SetProperty(smallService, "config", propertyOf(t, "other", "integer", "-"+strings.Repeat("1", (n+1000)%9+1)))
		})
	}
	if _, err := Import(s, bundle(t, "manifest", small), nil); !errors.Is(err, ErrContention) {
		t.Errorf("overtaken for ever: %v", err)
	}
}

// Errors of the repository are the caller's, but that the volatile part comes later.
func TestStoreFails(t *testing.T) {
	for _, c := range []struct{ fail, want error }{{repo.ErrReadOnly, repo.ErrReadOnly}, {repo.ErrHalf, nil}} {
		s := &counting{Store: Local(fresh(t)), fail: c.fail}
		if _, err := Import(s, bundle(t, "manifest", small), nil); !errors.Is(err, c.want) || s.batches != 1 {
			t.Errorf("%v: %v after %d batches", c.fail, err, s.batches)
		}
	}
	if _, err := Import(Local(fresh(t)), bundle(t, "manifest", strings.Replace(small, "svc:/site/web", "file:///etc/passwd", 1)), nil); !errors.Is(err, ErrDependent) {
		t.Errorf("a file as a dependent: %v", err)
	}
}
