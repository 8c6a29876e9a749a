package importer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// What is looked at is told as it would be done, and nothing is done.
func TestApplyLook(t *testing.T) {
	r := fresh(t)
	importText(t, r, small)
	text := "<service name='site/small'><property_group name='config'><propval name='port' value='90'/></property_group><instance name='default' enabled='false'/></service>" +
		"<service name='site/none'><instance name='default' enabled='true'/></service><service name='site/web'><instance name='default' enabled='true'/></service>"
	before := dump(t, r)
	s := &counting{Store: Local(r)}
	looked, err := Apply(s, bundle(t, "profile", text), NewSource("/p.xml"), Look)
	if err != nil || s.batches != 0 || dump(t, r) != before {
		t.Errorf("%v, %d batches", err, s.batches)
	}
	done, err := Apply(s, bundle(t, "profile", text), NewSource("/p.xml"), Do)
	if err != nil || !slices.Equal(texts(looked), texts(done)) {
		t.Errorf("%v: looked %q, done %q", err, texts(looked), texts(done))
	}
	want := []string{"svc:/site/small updated.", "svc:/site/small:default updated.", "Ignoring nonexistent service site/none.", "Ignoring nonexistent instance site/web:default.", "Refreshed svc:/site/small:default."}
	if got := texts(done); !slices.Equal(got, want) || len(loud(done)) != 0 {
		t.Errorf("told %q", got)
	}
}

// What cannot be applied is left out, told, and an error when the rest is done.
func TestApplyRefused(t *testing.T) {
	for what, c := range map[string]struct {
		body string
		want error
	}{
		"group without type":    {"<property_group name='new'><propval name='p' type='count' value='1'/></property_group>", ErrMissingType},
		"property without type": {"<property_group name='config'><propval name='new' value='1'/></property_group>", ErrMissingType},
		"value of the type":     {"<property_group name='config'><propval name='port' value='many'/></property_group>", manifest.ErrInvalid},
		"another type":          {"<property_group name='config' type='framework'><propval name='port' value='1'/></property_group>", ErrTypeMismatch},
	} {
		r := fresh(t)
		importText(t, r, small+strings.ReplaceAll(small, "small", "other"))
		before := dumpService(service(t, r, "site/small"))
		events, err := Apply(Local(r), bundle(t, "profile", "<service name='site/small'>"+c.body+"<instance name='default' enabled='false'/></service>"+
			"<service name='site/other'><instance name='default' enabled='false'/></service>"), nil, Do)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "svc:/site/small") {
			t.Errorf("%s: %v", what, err)
		}
		if got := loud(events); len(got) != 1 || !strings.HasPrefix(got[0], "Could not apply to svc:/site/small: ") {
			t.Errorf("%s: told %q", what, got)
		}
		if got := dumpService(service(t, r, "site/small")); got != before {
			t.Errorf("%s: left\n%s\nof\n%s", what, got, before)
		}
		if got := value(t, r, repo.Entity{Service: "site/other", Instance: "default"}, "general/enabled"); got != "boolean false" {
			t.Errorf("%s: the other is %q", what, got)
		}
	}
}

// The place of a dependent is no instance yet; one that an administrator enabled is.
func TestApplyPartial(t *testing.T) {
	r := fresh(t)
	e := repo.Entity{Service: "site/a", Instance: "default"}
	change(t, r, func(b *repo.Batch) { b.Ensure(e) })
	text := "<service name='site/a'><instance name='default' enabled='true'/></service>"
	if got := texts(applyText(t, r, text)); !slices.Equal(got, []string{"Ignoring partial instance site/a:default."}) || value(t, r, e, "general") != "-" {
		t.Errorf("told %q", got)
	}
	change(t, r, func(b *repo.Batch) {
		b.PutGroup(e, &tree.Group{Name: groupGeneral, Type: typeFramework, Props: []tree.Property{enabled(manifest.Disabled)}})
	})
	if got := texts(applyText(t, r, text)); len(got) != 2 || value(t, r, e, "general/enabled") != "boolean true" {
		t.Errorf("told %q", got)
	}
}

// A type that an instance does not say is its service's.
func TestApplyInheritedType(t *testing.T) {
	r := fresh(t)
	importText(t, r, small)
	applyText(t, r, "<service name='site/small'><instance name='default'><property_group name='config'><propval name='port' value='0090'/></property_group></instance></service>")
	for path, want := range map[string]string{"config/port": "count 90", "config": "application", "general/enabled": "boolean true"} {
		if got := value(t, r, smallDefault, path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
	if got := value(t, r, smallService, "config/port"); got != "count 80" {
		t.Errorf("the service's is %q", got)
	}
}

// A group that ends with the boot, and a dependency that another put there, are not a profile's.
func TestApplyOthersGroups(t *testing.T) {
	r := fresh(t)
	importText(t, r, small)
	change(t, r, func(b *repo.Batch) {
		b.PutGroup(smallService, &tree.Group{Name: "state", Type: typeFramework, Flags: tree.NonPersistent})
	})
	for _, text := range []string{
		"<service name='site/small'><property_group name='state' type='framework'><propval name='p' type='count' value='1'/></property_group></service>",
		"<service name='site/web'><property_group name='small_web' type='dependency'><propval name='grouping' type='astring' value='x'/></property_group></service>",
	} {
		before := dump(t, r)
		if _, err := Apply(Local(r), bundle(t, "profile", text), nil, Do); !errors.Is(err, ErrTypeMismatch) || dump(t, r) != before {
			t.Errorf("%v\n%s", err, dump(t, r))
		}
	}
}
