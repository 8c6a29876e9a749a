package manifest

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/tree"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; it would be\n%s", path, got)
	}
}

// described is a bundle as text, with the lines where things stand.
func described(b *Bundle) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %q\n", b.Type, b.Name)
	for i := range b.Services {
		s := &b.Services[i]
		fmt.Fprintf(&out, "\nservice %s: %q, version %q\n", s.Config.Name, s.Kind, s.Version)
		describe(&out, s.Config.Groups, &s.Own)
		for _, inst := range s.Config.Instances {
			d := s.Instances[inst.Name]
			fmt.Fprintf(&out, "\ninstance %s:%s: %s\n", s.Config.Name, inst.Name, [...]string{"as it is", "disabled", "enabled"}[d.Enabled])
			describe(&out, inst.Groups, d)
		}
	}
	for _, w := range b.Warnings {
		fmt.Fprintf(&out, "\nwarning: %v\n", w)
	}
	return out.Bytes()
}

func describe(out *bytes.Buffer, groups []tree.Group, d *Directives) {
	fmt.Fprintf(out, "%d\n", d.Line)
	for _, g := range groups {
		fmt.Fprintf(out, "%d\t%s %s\n", d.At(g.Name, "").Line, g.Name, g.Type)
		for _, p := range g.Props {
			fmt.Fprintf(out, "%d\t\t%s/%s %s %q\n", d.At(g.Name, p.Name).Line, g.Name, p.Name, p.Type, p.Values)
		}
	}
	for _, x := range d.Dependents {
		fmt.Fprintf(out, "%d\tdependent %s of %s, delete %v, override %v\n", x.Line, x.Name, x.Target, x.Delete, x.Override)
		for _, p := range x.Group.Props {
			fmt.Fprintf(out, "\t\t%s/%s %s %q\n", x.Group.Name, p.Name, p.Type, p.Values)
		}
	}
	for _, x := range d.Deletes {
		fmt.Fprintf(out, "%d\tdelete %s of type %s\n", x.Line, x.Group, x.Type)
	}
	override, remove := d.Marks()
	if len(override)+len(remove) > 0 {
		fmt.Fprintf(out, "\toverride %v, delete %v\n", slices.Sorted(maps.Keys(override)), slices.Sorted(maps.Keys(remove)))
	}
}

var included = Document{Name: "included.xml", Data: []byte(`<?xml version='1.0' encoding='ISO-8859-1'?>
<service_bundle type='profile' name='inner'>
  <service name='site/included' type='service' version='1'>
    <instance name='default' enabled='false'>
      <property_group name='p' type='application'>
        <propval name='name' type='ustring' value='` + "M\xfcller" + `'/>
      </property_group>
    </instance>
  </service>
</service_bundle>`)}

func findIncluded(from, href string) (Document, error) {
	if from != "profile.xml" {
		return Document{}, fmt.Errorf("%s includes something", from)
	}
	if href != included.Name {
		return Document{}, fs.ErrNotExist
	}
	return included, nil
}

// What our own documents say, and what is exported of it.
func TestGolden(t *testing.T) {
	for _, name := range []string{"small", "every", "profile", "archive"} {
		data, err := os.ReadFile("testdata/" + name + ".xml")
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse(name+".xml", data, Options{Include: findIncluded})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		golden(t, name+".golden", described(b))
		if b.Type == Profile {
			continue
		}
		var all []tree.Service
		for i := range b.Services {
			all = append(all, b.Services[i].Whole())
		}
		out, err := bundleOf(all, b.Type, b.Name, exportOptions(b))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".export", out)
		profile, err := ExtractProfile(all)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".extract", profile)
	}
}

// Our own documents have every element, and each with every attribute that it may have.
func TestOwnDocumentsHaveEverything(t *testing.T) {
	missing := map[string]bool{}
	for name, e := range elements() {
		missing[name] = true
		for _, a := range e.attrs {
			missing[name+" "+a.name] = true
		}
	}
	names, err := filepath.Glob("testdata/*.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := readTree(name, data, new(int))
		if err != nil {
			t.Fatal(err)
		}
		var walk func(n *node)
		walk = func(n *node) {
			delete(missing, n.name)
			for _, a := range n.attrs {
				delete(missing, n.name+" "+a.name)
			}
			for _, kid := range n.kids {
				walk(kid)
			}
		}
		walk(r.root)
	}
	if len(missing) > 0 {
		t.Errorf("no document has: %s", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
}
