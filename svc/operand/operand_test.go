package operand

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// store has services with one, two and no instances.
func store(t testing.TB) door.Store {
	t.Helper()
	r, err := repo.Open(repo.Config{Path: filepath.Join(t.TempDir(), "repository.db")})
	if err != nil {
		t.Fatal(err)
	}
	s := door.NewLocal(r)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	var b repo.Batch
	for _, e := range []repo.Entity{{Service: "network/ssh", Instance: "default"}, {Service: "network/web", Instance: "one"}, {Service: "network/web", Instance: "two"}, {Service: "bare"}, {Service: "other/bare"}} {
		b.Ensure(e)
	}
	b.PutGroup(repo.Entity{Service: "network/web", Instance: "one"}, &tree.Group{Name: "config", Type: "application",
		Props: []tree.Property{{Name: "port", Type: prop.Count, Values: []string{"80"}}}})
	if _, err := s.Apply(&b); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFind(t *testing.T) {
	s := store(t)
	for _, c := range []struct {
		text  string
		among Among
		want  string // FMRIs without svc:/
	}{
		{"svc:/network/ssh", Entities, "network/ssh"},
		{"svc://localhost/network/ssh", Entities, "network/ssh"},
		{"svc:/network/ssh", Properties, "network/ssh"},
		{"svc:/network/ssh", Services, "network/ssh"},
		{"svc:/network/web", Instances, "network/web:one network/web:two"},
		{"svc:/network/web:two", Instances, "network/web:two"},
		{"svc:/network/web:two", Services, ""},
		{"svc:/network/web:three", Entities, ""},
		{"svc:/bare", Instances, ""},
		{"ssh", Entities, "network/ssh"},
		{"ssh", Properties, "network/ssh:default"},
		{"ssh", Instances, "network/ssh:default"},
		{"ssh:default", Entities, "network/ssh:default"},
		{"ssh:default", Services, ""},
		{"default", Entities, "network/ssh:default"},
		{"network/web", Properties, "network/web:one network/web:two"},
		{"web", Entities, "network/web"},
		{"bare", Properties, "bare other/bare"},
		{"bare", Entities, "bare other/bare"},
		{"bare", Instances, ""},
		{"network/*", Entities, "network/ssh network/web"},
		{"network/*", Properties, "network/ssh:default network/web:one network/web:two"},
		{"svc:/network/web:t*", Entities, "network/web:two"},
		{"*", Services, "bare network/ssh network/web other/bare"},
		{"svc:/network/web:one/:properties/config", Properties, "network/web:one/:properties/config"},
		{"web/:properties/config/port", Properties, "network/web:one/:properties/config/port"},
		{"*/:properties/config/port", Properties, "network/web:one/:properties/config/port"},
		{"web/:properties/config/", Properties, ""},
		{"web/:properties/", Properties, ""},
		{"web/:properties/none", Properties, ""},
		{"web/:properties/config/none", Properties, ""},
		{"web/:properties/9/none", Properties, ""},
		{"web/:properties/config", Entities, ""},
		{"", Entities, ""},
		{"svc:", Entities, ""},
		{"svc:/a:b:c", Properties, ""},
		{"svc://elsewhere/network/ssh", Entities, ""},
		{"file:///etc/passwd", Entities, ""},
		{"lrc:/etc/rc2_d/S1", Properties, ""},
		{"a b\x00", Properties, ""},
	} {
		matches, err := Find(s, c.text, c.among)
		var got []string
		for _, m := range matches {
			got = append(got, strings.TrimPrefix(m.String(), "svc:/"))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q among %v: %v, want %s", c.text, c.among, got, c.want)
		}
		var none *NoMatchError
		if errors.As(err, &none) != (c.want == "") || none == nil && err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestWords(t *testing.T) {
	s := store(t)
	for _, c := range []struct {
		text  string
		among Among
		want  string
	}{
		{"nothing", Entities, "Pattern 'nothing' doesn't match any instances or services"},
		{"nothing", Instances, "Pattern 'nothing' doesn't match any instances"},
		{"nothing", Services, "Pattern 'nothing' doesn't match any services"},
		{"nothing", Properties, "Pattern 'nothing' doesn't match any entities"},
		{"web", Properties, "Pattern 'web' matches multiple instances:\n    svc:/network/web:one\n    svc:/network/web:two"},
		{strings.Repeat("x", 1024), Entities, "Argument '" + strings.Repeat("x", 1023) + "' is too long, ignoring"},
	} {
		if _, err := One(s, c.text, c.among); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	if m, err := One(s, "two", Entities); err != nil || m.String() != "svc:/network/web:two" {
		t.Errorf("%v %v", m, err)
	}
}

// broken is a store whose every answer is an error.
type broken struct{ err error }

func (b broken) Exists(repo.Entity) (bool, error)                         { return false, b.err }
func (b broken) Scan(door.Query) (door.Result, error)                     { return door.Result{}, b.err }
func (b broken) Group(repo.Entity, door.View, string) (door.Group, error) { return door.Group{}, b.err }

func TestStoreFails(t *testing.T) {
	for _, text := range []string{"svc:/a", "a", "*"} {
		if _, err := Find(broken{door.ErrUnavailable}, text, Properties); !errors.Is(err, door.ErrUnavailable) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
