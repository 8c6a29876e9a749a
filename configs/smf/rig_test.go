package smf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/importer"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// zone is a zone's files and its repository.
type zone struct {
	t    testing.TB
	root string
	r    *repo.Repo
}

func newZone(t testing.TB) *zone {
	t.Helper()
	dir := t.TempDir()
	r, err := repo.Open(repo.Config{Path: filepath.Join(dir, "repository.db"), VolatilePath: filepath.Join(dir, "volatile.db"), BootID: "this boot"})
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	z := &zone{t: t, root: filepath.Join(dir, "root"), r: r}
	for from, to := range map[string]string{"manifest": importer.SystemManifests, "profile": importer.Profiles} {
		must(t, os.MkdirAll(filepath.Join(z.root, filepath.Dir(to)), 0o755))
		must(t, os.CopyFS(filepath.Join(z.root, to), os.DirFS(from)))
	}
	return z
}

// boot imports as svc.startd does, and gives what became of the files. Nothing may be said that
// an administrator would have to hear.
func (z *zone) boot() importer.Counts {
	z.t.Helper()
	total := importer.Counts{}
	b := &importer.Boot{Store: importer.Local(z.r), Root: z.root, Tell: func(f importer.File) {
		total[f.State]++
		if f.Err != nil {
			z.t.Errorf("%s: %v", f.Path, f.Err)
		}
		for _, e := range f.Events {
			if !e.Verbose() || e.Kind == importer.Warned || e.Kind == importer.Ignored {
				z.t.Errorf("%s: %s", f.Path, e.Text)
			}
		}
	}}
	_, err := b.Manifests(importer.EarlyDirs...)
	must(z.t, err)
	_, err = b.Profiles(importer.Profiles)
	must(z.t, err)
	return total
}

// dependency is a group of dependencies.
type dependency struct {
	name, grouping, restartOn, kind string
	entities                        []string
}

// instance is an instance with what its service gives it.
type instance struct {
	fmri    string
	enabled bool
	deps    []dependency
	groups  []tree.Group // its own before its service's
}

// value is a property's first, or empty.
func (i *instance) value(group, property string) string {
	for k := range i.groups {
		if g := &i.groups[k]; g.Name == group {
			if p := g.Prop(property); p != nil && len(p.Values) > 0 {
				return p.Values[0]
			}
		}
	}
	return ""
}

// graph is all instances by FMRI.
type graph map[string]*instance

func (z *zone) graph() graph {
	z.t.Helper()
	g := graph{}
	must(z.t, z.r.View(func(v *repo.Reader) error {
		for name := range v.Services() {
			if strings.HasPrefix(name, "smf/") {
				continue // where imports are tracked
			}
			s, err := v.Service(name)
			if err != nil {
				return err
			}
			for _, i := range s.Instances {
				g.add(fmri.Of(name, i.Name), slices.Concat(i.Groups, s.Groups))
			}
		}
		return nil
	}))
	return g
}

func (g graph) add(name string, groups []tree.Group) {
	i := &instance{fmri: name, groups: groups}
	i.enabled = i.value("general", "enabled") == "true"
	for k := range groups {
		if groups[k].Type != "dependency" {
			continue
		}
		d := dependency{name: groups[k].Name}
		d.grouping, d.restartOn, d.kind = i.value(d.name, "grouping"), i.value(d.name, "restart_on"), i.value(d.name, "type")
		if p := groups[k].Prop("entities"); p != nil {
			d.entities = p.Values
		}
		i.deps = append(i.deps, d)
	}
	g[name] = i
}

// named are the instances that an FMRI names: one, or all of a service.
func (g graph) named(name string) (list []*instance) {
	if i := g[name]; i != nil {
		return []*instance{i}
	}
	for full, i := range g {
		if strings.HasPrefix(full, name+":") {
			list = append(list, i)
		}
	}
	return list
}
