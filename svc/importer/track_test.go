package importer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/repo"
)

func TestGroupName(t *testing.T) {
	long := "/lib/svc/manifest/" + strings.Repeat("a", 60) + "/" + strings.Repeat("b", 60) + ".xml"
	for path, want := range map[string]string{
		"/lib/svc/manifest/network/ssh.xml": "lib_svc_manifest_network_ssh_xml",
		"/var/svc/manifest/a-b_c.d.xml":     "var_svc_manifest_a-b_c_d_xml",
		"/1/x.xml":                          "A_x_xml",
		"/_x":                               "Ax",
		"/\xc3\xa9.xml":                     "A__xml",
		"/a b":                              "a_b",
		"/":                                 "A",
		"":                                  "A",
		"relative/x":                        "relative_x",
		long:                                "lib_svc_manifest_" + strings.Repeat("a", 41) + "__" + strings.Repeat("b", 54) + "_xml",
		"/" + strings.Repeat("x", fmri.NameBytesMax): strings.Repeat("x", fmri.NameBytesMax),
	} {
		if got := groupName(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}

// Any path gives names that groups may have, and two of them.
func FuzzGroupName(f *testing.F) {
	for _, s := range []string{"/lib/svc/manifest/a.xml", "", "/", "\xff", strings.Repeat("/x", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, name := range []string{groupName(path), otherName(path)} {
			if err := fmri.CheckName(name); err != nil {
				t.Errorf("%q: %v", path, err)
			}
		}
		if groupName(path) == otherName(path) {
			t.Errorf("%q has one name twice", path)
		}
	})
}

// Two files that the original would take for one are two.
func TestSameName(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.b.xml", named("a", "1"))
	s.write("/lib/svc/manifest/a_b.xml", named("b", "1"))
	wantTold(t, "first", s.late(), "/lib/svc/manifest/a.b.xml done", "/lib/svc/manifest/a_b.xml done")
	wantTold(t, "again", s.late())
	if got := service(t, s.r, tracking.Service); len(got.Groups) != 2 {
		t.Errorf("%d are tracked", len(got.Groups))
	}
	s.write("/lib/svc/manifest/a_b.xml", named("b", "2"))
	wantTold(t, "changed", s.late(), "/lib/svc/manifest/a_b.xml done")
	s.remove("/lib/svc/manifest/a.b.xml")
	wantTold(t, "gone", s.clean(), "/lib/svc/manifest/a.b.xml gone")
	if service(t, s.r, "site/a") != nil || service(t, s.r, "site/b") == nil {
		t.Error("the wrong one is gone")
	}
	wantTold(t, "later", s.late())
}

// A file of more instances than a property has values is tracked by its services.
func TestManyInstances(t *testing.T) {
	var b strings.Builder
	for service := range 3 {
		fmt.Fprintf(&b, "<service name='site/s%d' type='service' version='1'>", service)
		for i := range 400 {
			fmt.Fprintf(&b, "<instance name='i%d' enabled='false'/>", i)
		}
		b.WriteString("</service>")
	}
	r := fresh(t)
	_, err := Import(Local(r), bundle(t, "manifest", b.String()), &Source{"/lib/svc/manifest/many.xml", "00"})
	must(t, err)
	if got := value(t, r, tracking, "lib_svc_manifest_many_xml/support"); got != "fmri svc:/site/s0 svc:/site/s1 svc:/site/s2" {
		t.Errorf("support is %.200q", got)
	}
}

// What cannot be noted any longer is imported all the same.
func TestUntrackable(t *testing.T) {
	s := newSystem(t)
	change(t, s.r, func(b *repo.Batch) {
		b.Ensure(tracking)
		for i := range 1024 {
			b.CreateGroup(tracking, fmt.Sprintf("g%d", i), typeFramework, 0)
		}
	})
	s.write("/lib/svc/manifest/a.xml", named("a", "1"))
	for range 2 {
		wantTold(t, "full", s.late(), "/lib/svc/manifest/a.xml done")
		last := s.events[len(s.events)-1].Text
		if !strings.HasPrefix(last, "Warning: /lib/svc/manifest/a.xml is not tracked: ") || value(t, s.r, repo.Entity{Service: "site/a"}, "config/port") != "count 1" {
			t.Errorf("told %q", last)
		}
	}
}

// The file is noted in the batch of its import: what is not imported is not tracked.
func TestTrackedTogether(t *testing.T) {
	r := fresh(t)
	source := NewSource("/lib/svc/manifest/a.xml", []byte("x"))
	s := &counting{Store: Local(r), fail: repo.ErrReadOnly}
	if _, err := Import(s, bundle(t, "manifest", small), source); err == nil || dump(t, r) != "" {
		t.Errorf("%v\n%s", err, dump(t, r))
	}
	s.fail = nil
	_, err := Import(s, bundle(t, "manifest", small), source)
	must(t, err)
	if s.batches != 2 || value(t, r, tracking, "lib_svc_manifest_a_xml/md5sum") != "opaque 9dd4e461268c8034f5c8564e155c67a6" {
		t.Errorf("%d batches, %s", s.batches, value(t, r, tracking, "lib_svc_manifest_a_xml/md5sum"))
	}
	if _, err := Apply(s, bundle(t, "profile", "<service name='site/small'><instance name='default' enabled='false'/></service>"), NewSource("/p.xml"), Do); err != nil {
		t.Error(err)
	}
	if got := value(t, r, tracking, "p_xml/support") + value(t, r, tracking, "p_xml/manifestfile"); got != "-astring /p.xml" {
		t.Errorf("the profile is tracked as %q", got)
	}
	if got := value(t, r, smallService, "manifestfiles/p_xml"); got != "-" {
		t.Errorf("a profile is a service's manifest: %q", got)
	}
	if _, err := Import(s, &manifest.Bundle{Type: manifest.Manifest}, NewSource("/empty.xml")); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}
