package importer

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// genGroups are groups of few names, so that three manifests have much in common.
func genGroups(t *rapid.T) (groups []tree.Group) {
	for _, name := range []string{"a", "b", "start"} {
		if !rapid.Bool().Draw(t, "there") {
			continue
		}
		g := tree.Group{Name: name, Type: rapid.SampledFrom([]string{"application", "framework"}).Draw(t, "type")}
		for _, p := range []string{"p", "q"} {
			if rapid.Bool().Draw(t, "property") {
				g.Props = append(g.Props, tree.Property{Name: p, Type: prop.AString, Values: []string{rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "value")}})
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// genBundle is a manifest of up to three services, with dependents among them and instances; bare
// ones may have none.
func genBundle(t *rapid.T, bare bool) *manifest.Bundle {
	b := &manifest.Bundle{Type: manifest.Manifest}
	for _, name := range []string{"x", "y", "z"} {
		if !rapid.Bool().Draw(t, "service") {
			continue
		}
		s := manifest.Service{Config: tree.Service{Name: name, Groups: genGroups(t)}, Instances: map[string]*manifest.Directives{}}
		s.Own = genDependents(t, &s.Config.Groups, name, "")
		for _, in := range []string{"one", "two"} {
			if !bare && in == "one" || rapid.Bool().Draw(t, "instance") {
				i := tree.Instance{Name: in, Groups: genGroups(t)}
				d := genDependents(t, &i.Groups, name, in)
				d.Enabled = rapid.SampledFrom([]manifest.Enabled{manifest.Disabled, manifest.On}).Draw(t, "enabled")
				s.Config.Instances = append(s.Config.Instances, i)
				s.Instances[in] = &d
			}
		}
		b.Services = append(b.Services, s)
	}
	return b
}

func genDependents(t *rapid.T, groups *[]tree.Group, service, instance string) (d manifest.Directives) {
	list := tree.Group{Name: groupDependents, Type: typeFramework}
	for _, name := range []string{"d", "e"} {
		if !rapid.Bool().Draw(t, "dependent") {
			continue
		}
		target := rapid.SampledFrom([]string{"svc:/x", "svc:/y:one", "svc:/w", "svc:/w:two"}).Draw(t, "target")
		self := repo.Entity{Service: service, Instance: instance}.String()
		own := name + "-" + service + instance // each owner has names of its own
		g := tree.Group{Name: own, Type: typeDependency, Props: []tree.Property{
			{Name: "entities", Type: prop.FMRI, Values: []string{self}}, {Name: propExternal, Type: prop.Boolean, Values: []string{"true"}},
			{Name: "grouping", Type: prop.AString, Values: []string{rapid.SampledFrom([]string{"require_all", "optional_all"}).Draw(t, "grouping")}},
		}}
		tree.SortGroups([]tree.Group{g})
		d.Dependents = append(d.Dependents, manifest.Dependent{Name: own, Target: target, Group: g})
		list.Props = append(list.Props, tree.Property{Name: own, Type: prop.FMRI, Values: []string{target}})
	}
	if len(list.Props) > 0 {
		*groups = append(*groups, list)
		tree.SortGroups(*groups)
	}
	return d
}

// edit is what an administrator does to whatever is there.
func edit(t *rapid.T, r *repo.Repo) {
	var b repo.Batch
	err := r.View(func(v *repo.Reader) error {
		for name := range v.Services() {
			e := repo.Entity{Service: name}
			groups, err := v.Groups(e)
			if err != nil {
				return err
			}
			for i := range groups {
				g := &groups[i]
				switch rapid.IntRange(0, 5).Draw(t, "edit") {
				case 0:
					b.DeleteGroup(e, g.Name)
				case 1:
					b.SetProperty(e, g.Name, tree.Property{Name: "p", Type: prop.AString, Values: []string{"mine"}})
				case 2:
					if len(g.Props) > 0 {
						b.DeleteProperty(e, g.Name, g.Props[0].Name)
					}
				}
			}
		}
		return nil
	})
	if err == nil {
		_, err = r.Apply(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// within calls f with a repository of its own.
func within(t *rapid.T, dir string, f func(*repo.Repo)) {
	cfg := config(dir)
	r, err := repo.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b repo.Batch
	if err := r.View(func(v *repo.Reader) error {
		for name := range v.Services() {
			b.Delete(repo.Entity{Service: name}, repo.WithChildren)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Apply(&b); err != nil {
		t.Fatal(err)
	}
	f(r)
}

// counted imports, and says whether a batch was written.
func counted(t *rapid.T, r *repo.Repo, b *manifest.Bundle) bool {
	before := r.Generation()
	if _, err := Import(Local(r), b, nil); err != nil {
		t.Fatal(err)
	}
	return r.Generation() != before
}

// Whatever manifests say and an administrator does: the same import again writes nothing; what
// nobody touched is in the end what the last manifest says, where it speaks; and the snapshot
// last-import is what the manifest said.
func TestAnyImports(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		bare := rapid.Bool().Draw(t, "bare")
		first, second := genBundle(t, bare), genBundle(t, bare)
		touched := rapid.Bool().Draw(t, "touched")
		within(t, filepath.Join(dir), func(r *repo.Repo) {
			counted(t, r, first)
			if counted(t, r, first) {
				t.Fatal("the first import again wrote something")
			}
			if touched {
				edit(t, r)
			}
			counted(t, r, second)
			lastImports(t, r, second)
			if !touched && !bare {
				asSaid(t, r, second)
			}
			if counted(t, r, second) {
				t.Fatal("the second import again wrote something")
			}
		})
	})
}

// lastImports wants of each instance of a manifest that its last import is what it said.
func lastImports(t *rapid.T, r *repo.Repo, b *manifest.Bundle) {
	err := r.View(func(v *repo.Reader) error {
		for i := range b.Services {
			s := &b.Services[i]
			for j := range s.Config.Instances {
				in := &s.Config.Instances[j]
				f, err := v.Frozen(repo.Entity{Service: s.Config.Name, Instance: in.Name}, repo.LastImport)
				if err != nil {
					return err
				}
				if !sameGroups(f.Service, frozenOf(s.Config.Groups, &s.Own)) || !sameGroups(f.Instance, frozenOf(in.Groups, s.Instances[in.Name])) {
					return fmt.Errorf("the last import of %s:%s is %+v", s.Config.Name, in.Name, f)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// asSaid wants that what a manifest describes, and nobody has touched, is as it says.
func asSaid(t *rapid.T, r *repo.Repo, b *manifest.Bundle) {
	err := r.View(func(v *repo.Reader) error {
		for i := range b.Services {
			s := &b.Services[i]
			for j := range s.Config.Instances {
				in := &s.Config.Instances[j]
				e := repo.Entity{Service: s.Config.Name, Instance: in.Name}
				groups, err := v.Groups(e)
				if err != nil {
					return err
				}
				own := slices.DeleteFunc(groups, func(g tree.Group) bool { return external(&g) || g.Name == groupGeneral })
				if !sameGroups(own, in.Groups) {
					return fmt.Errorf("%v has %+v, and not %+v", e, own, in.Groups)
				}
			}
			groups, err := v.Groups(repo.Entity{Service: s.Config.Name})
			if err != nil {
				return err
			}
			if own := slices.DeleteFunc(groups, func(g tree.Group) bool { return external(&g) }); !sameGroups(own, s.Config.Groups) {
				return fmt.Errorf("svc:/%s has %+v, and not %+v", s.Config.Name, own, s.Config.Groups)
			}
			for _, d := range s.Own.Dependents {
				target, _ := entityOf(d.Target)
				if g, _, err := v.Group(target, d.Name); err != nil || !external(&g) {
					return fmt.Errorf("%s of %s: %+v, %w", d.Name, d.Target, g, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
