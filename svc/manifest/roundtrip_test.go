package manifest

import (
	"bytes"
	"reflect"
	"regexp"
	"testing"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// exportOptions finds dependents in what has been read, as a repository would in other services.
func exportOptions(b *Bundle) ExportOptions {
	groups := map[string]*tree.Group{}
	about := map[string][2]string{}
	note := func(d *Directives) {
		for i := range d.Dependents {
			if !d.Dependents[i].Delete {
				groups[d.Dependents[i].Target+" "+d.Dependents[i].Name] = &d.Dependents[i].Group
			}
		}
	}
	for i := range b.Services {
		s := &b.Services[i]
		about[s.Config.Name] = [2]string{s.Kind, s.Version}
		note(&s.Own)
		for _, d := range s.Instances {
			note(d)
		}
	}
	return ExportOptions{
		Values:     All,
		Dependency: func(target, name string) *tree.Group { return groups[target+" "+name] },
		About:      func(service string) (kind, version string) { return about[service][0], about[service][1] },
	}
}

// plain is a service's data without positions and marks of what is to be deleted or replaced.
type plain struct {
	Whole         tree.Service
	Kind, Version string
	Dependents    map[string][]Dependent
}

func plainOf(s *Service) plain {
	p := plain{Whole: s.Whole(), Kind: s.Kind, Version: s.Version, Dependents: map[string][]Dependent{}}
	take := func(inst string, d *Directives) {
		for _, x := range d.Dependents {
			if !x.Delete {
				x.Position, x.Override = Position{}, false
				p.Dependents[inst+"/"+x.Name] = append(p.Dependents[inst+"/"+x.Name], x)
			}
		}
	}
	take("", &s.Own)
	for inst, d := range s.Instances {
		take(inst, d)
	}
	return p
}

var special = regexp.MustCompile(`<property_group [^>]*type='(method|dependency|template|template_.*|notify_params)'[^>]*>`)

// declaresProfile is how a document says that it is a profile.
var declaresProfile = regexp.MustCompile(`<service_bundle\s+type=['"]profile['"]`)

// Every document, real or ours, is the same data when it has been exported and read again: all
// manifests, without an exception. A profile describes no service that could be exported; what
// it sets is extracted from a repository, and TestExtractedProfile of the importer has them all.
func TestRoundTripOfCorpus(t *testing.T) {
	generic, groups, documents, profiles := 0, 0, 0, 0
	for name, data := range corpus(t) {
		b, err := Parse(name, data, Options{Include: emptyProfile})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if b.Type == Profile {
			if !declaresProfile.Match(data) {
				t.Errorf("%s is no profile, but was read as one", name)
			}
			profiles++
			continue
		}
		documents++
		o := exportOptions(b)
		var all []tree.Service
		for i := range b.Services {
			s := &b.Services[i]
			whole := s.Whole()
			all = append(all, whole)
			out, err := Export(&whole, o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			again, err := Parse(name+" exported", out, Options{Want: Manifest})
			if err != nil {
				t.Errorf("%v\n%s", err, out)
				continue
			}
			if got, want := plainOf(&again.Services[0]), plainOf(s); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: read again:\n%+v\nwas\n%+v\n%s", name, got, want, out)
			}
			if len(again.Warnings) > 0 {
				t.Errorf("%s: its export: %v", name, again.Warnings)
			}
			if twice, err := Export(&whole, o); err != nil || !bytes.Equal(out, twice) {
				t.Errorf("%s: a second export is another, %v", name, err)
			}
			generic += bytes.Count(out, []byte("<property_group"))
			groups += bytes.Count(data, []byte("<property_group"))
			if g := special.Find(out); g != nil {
				t.Errorf("%s: a group has not become the element that there is for it: %s", name, g)
			}
		}
		archive, err := ExportArchive(all, o)
		if err != nil {
			t.Errorf("%s: archive: %v", name, err)
			continue
		}
		back, err := Parse(name+" archive", archive, Options{Want: Archive})
		if err != nil || len(back.Services) != len(b.Services) {
			t.Errorf("%s: archive: %v", name, err)
			continue
		}
		for i := range back.Services {
			if !reflect.DeepEqual(plainOf(&back.Services[i]), plainOf(&b.Services[i])) {
				t.Errorf("%s: service %d of the archive differs", name, i)
			}
		}
	}
	t.Logf("%d manifests and %d profiles; %d property groups for %d", documents, profiles, generic, groups)
	if documents == 0 {
		t.Error("nothing was exported")
	}
}

func TestDependentNeedsItsGroup(t *testing.T) {
	s := tree.Service{Name: "a", Groups: []tree.Group{{Name: "dependents", Type: "framework", Props: []tree.Property{
		{Name: "b_a", Type: prop.FMRI, Values: []string{"svc:/b"}},
	}}}}
	good := tree.Group{Name: "b_a", Type: "dependency", Props: []tree.Property{
		{Name: "entities", Type: prop.FMRI, Values: []string{fmri.Of("a", "")}},
		{Name: "external", Type: prop.Boolean, Values: []string{"true"}},
		{Name: "grouping", Type: prop.AString, Values: []string{"require_all"}},
		{Name: "restart_on", Type: prop.AString, Values: []string{"none"}},
		{Name: "type", Type: prop.AString, Values: []string{"service"}},
	}}
	for name, c := range map[string]struct {
		change func(g *tree.Group)
		want   string
	}{
		"as it is":             {func(*tree.Group) {}, "<dependent "},
		"of another since":     {func(g *tree.Group) { g.Props[0].Values = []string{"svc:/c"} }, "<dependent "},
		"its owner's own":      {func(g *tree.Group) { g.Props[1].Values = []string{"false"} }, "<property_group name='dependents'"},
		"another type":         {func(g *tree.Group) { g.Type = "application" }, "<property_group name='dependents'"},
		"grouping unknown":     {func(g *tree.Group) { g.Props[2].Values = []string{"some"} }, "<property_group name='dependents'"},
		"without restart_on":   {func(g *tree.Group) { g.Props = append(g.Props[:3:3], g.Props[4]) }, "<property_group name='dependents'"},
		"of type path":         {func(g *tree.Group) { g.Props[4].Values = []string{"path"} }, "<propval name='type' type='astring' value='path'/>"},
		"of a restart of many": {func(g *tree.Group) { g.Props[3].Values = []string{"none", "error"} }, "<property_group name='dependents'"},
	} {
		g := good.Clone()
		c.change(&g)
		out, err := Export(&s, ExportOptions{Dependency: func(target, name string) *tree.Group {
			if target != "svc:/b" || name != "b_a" {
				t.Errorf("asked for %s of %s", name, target)
			}
			return &g
		}})
		if err != nil || !bytes.Contains(out, []byte(c.want)) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if _, err := Parse(name, out, Options{Want: Manifest}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	out, err := Export(&s, ExportOptions{})
	if err != nil || !bytes.Contains(out, []byte("<propval name='b_a' type='fmri' value='svc:/b'/>")) {
		t.Errorf("without a way to find it: %v\n%s", err, out)
	}
}
