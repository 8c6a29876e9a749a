package importer

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// shared is the folder of documents beside the module; empty where there is none.
func shared() string {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			dir = filepath.Join(dir, "..", "shared", "manifests")
			if _, err := os.Stat(dir); err != nil {
				return ""
			}
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// placeholder is what the build of a package replaces in a template of a document.
var placeholder = regexp.MustCompile(`\$\([A-Za-z]+\)`)

// corpus are the documents to try things on: our own, the reader's, and real ones where they are.
func corpus(t testing.TB) (bundles []*manifest.Bundle) {
	t.Helper()
	var names []string
	for _, dir := range []string{"testdata/manifests", "../manifest/testdata", shared()} {
		found, err := filepath.Glob(filepath.Join(dir, "*.xml"))
		must(t, err)
		if dir != "" {
			names = append(names, found...)
		}
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		must(t, err)
		b, err := manifest.Parse(filepath.Base(name), placeholder.ReplaceAll(data, []byte("x1")), manifest.Options{
			Include: func(_, href string) (manifest.Document, error) {
				if strings.Contains(href, "missing") {
					return manifest.Document{}, os.ErrNotExist
				}
				return manifest.Document{Name: href, Data: []byte("<service_bundle type='profile' name='included'/>")}, nil
			},
		})
		must(t, err)
		bundles = append(bundles, b)
	}
	return bundles
}

// manifests imports all manifests among bundles, and gives how many there were.
func manifests(t testing.TB, r *repo.Repo, bundles []*manifest.Bundle) (n int) {
	t.Helper()
	for _, b := range bundles {
		if b.Type == manifest.Manifest {
			_, err := Import(Local(r), b, NewSource("/lib/svc/manifest/"+b.File))
			must(t, err)
			n++
		}
	}
	return n
}

// profiles applies all profiles among bundles, each twice, of which the second changes nothing.
func profiles(t testing.TB, r *repo.Repo, bundles []*manifest.Bundle) (n int) {
	t.Helper()
	for _, b := range bundles {
		if b.Type != manifest.Profile {
			continue
		}
		var generation uint64
		for range 2 {
			generation = r.Generation()
			// What a profile does not say, and nothing gives, it cannot set: the rest of it is done.
			if _, err := Apply(Local(r), b, nil, Do); err != nil && !strings.Contains(err.Error(), ErrMissingType.Error()) {
				t.Errorf("%s: %v", b.File, err)
			}
		}
		if r.Generation() != generation {
			t.Errorf("%s: the second time it changed something", b.File)
		}
		n++
	}
	return n
}

func exportOf(t testing.TB, r *repo.Repo, name string) []byte {
	t.Helper()
	out, err := manifest.Export(service(t, r, name), manifest.ExportOptions{
		Values: manifest.All,
		Dependency: func(target, dependency string) (found *tree.Group) {
			e, ok := entityOf(target)
			if !ok {
				return nil
			}
			view(t, r, func(v *repo.Reader) {
				if g, _, err := v.Group(e, dependency); err == nil {
					found = &g
				}
			})
			return found
		},
	})
	must(t, err)
	return out
}

func names(t testing.TB, r *repo.Repo) (list []string) {
	t.Helper()
	view(t, r, func(v *repo.Reader) { list = slices.Collect(v.Services()) })
	return slices.DeleteFunc(list, func(s string) bool { return s == tracking.Service })
}

// All that is known of real manifests is imported, and again without a change. What is exported,
// imported and exported again is the same, in the repository and in another.
func TestCorpus(t *testing.T) {
	bundles := corpus(t)
	r := fresh(t)
	imported, applied := manifests(t, r, bundles), profiles(t, r, bundles)
	before, generation := dump(t, r), r.Generation()
	services := names(t, r)
	t.Logf("%d manifests imported and %d profiles applied: %d services", imported, applied, len(services))
	if imported < 5 || len(services) < 6 || shared() != "" && imported < 130 {
		t.Error("that is not all")
	}
	// Variants of one service, which no system has together, are each other's upgrade.
	variants := map[string]int{}
	for _, b := range bundles {
		for i := range b.Services {
			if b.Type == manifest.Manifest {
				variants[b.Services[i].Config.Name]++
			}
		}
	}
	again := slices.DeleteFunc(slices.Clone(bundles), func(b *manifest.Bundle) bool {
		return slices.ContainsFunc(b.Services, func(s manifest.Service) bool { return variants[s.Config.Name] > 1 })
	})
	if n := manifests(t, r, again); n < imported*9/10 || dump(t, r) != before || r.Generation() != generation {
		t.Errorf("the second import of %d changed something", n)
	}

	fromExports := fresh(t)
	texts := map[string][]byte{}
	for _, name := range services {
		texts[name] = exportOf(t, r, name)
		b, err := manifest.Parse(name, texts[name], manifest.Options{Want: manifest.Manifest})
		must(t, err)
		// An export says whether an instance is enabled, of the place of a dependent too.
		for _, i := range service(t, r, name).Instances {
			if e := (repo.Entity{Service: name, Instance: i.Name}); value(t, r, e, "general/enabled") == "-" {
				change(t, r, func(b *repo.Batch) {
					b.PutGroup(e, &tree.Group{Name: groupGeneral, Type: typeFramework, Props: []tree.Property{enabled(manifest.Disabled)}})
				})
			}
		}
		was := dumpService(service(t, r, name))
		_, err = Import(Local(r), b, nil)
		must(t, err)
		if is := dumpService(service(t, r, name)); is != was {
			t.Errorf("%s: its own export made\n%s\nof\n%s", name, is, was)
		}
		_, err = Import(Local(fromExports), b, nil)
		must(t, err)
	}
	for _, name := range services {
		if again := exportOf(t, fromExports, name); !bytes.Equal(again, texts[name]) {
			t.Errorf("%s: exported again:\n%s\nof\n%s", name, again, texts[name])
		}
	}
	if got := names(t, fromExports); !slices.Equal(got, services) {
		t.Errorf("the other repository has %d services", len(got))
	}
}

// What all profiles have set, extracted as one, makes the same of a repository that has the
// manifests alone: each instance is enabled or disabled as it was, or says nothing as before.
func TestExtractedProfile(t *testing.T) {
	bundles := corpus(t)
	applied, bare := fresh(t), fresh(t)
	manifests(t, applied, bundles)
	manifests(t, bare, bundles)
	manifestsOnly := enabledIn(t, bare)
	n := profiles(t, applied, bundles)
	var all []tree.Service
	for _, name := range names(t, applied) {
		all = append(all, *service(t, applied, name))
	}
	out, err := manifest.ExtractProfile(all)
	must(t, err)
	b, err := manifest.Parse("extract", out, manifest.Options{Want: manifest.Profile})
	must(t, err)
	_, err = Apply(Local(bare), b, nil, Do)
	must(t, err)
	want, got := enabledIn(t, applied), enabledIn(t, bare)
	changed := 0
	for instance, state := range want {
		if got[instance] != state {
			t.Errorf("%s: general/enabled is %s, was %s", instance, got[instance], state)
		}
		if manifestsOnly[instance] != state {
			changed++
		}
	}
	t.Logf("%d profiles set %d of %d instances", n, changed, len(want))
	if len(got) != len(want) || changed == 0 {
		t.Errorf("%d instances, were %d; the profiles changed %d", len(got), len(want), changed)
	}
}

// enabledIn is general/enabled of every instance.
func enabledIn(t testing.TB, r *repo.Repo) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range names(t, r) {
		for _, i := range service(t, r, name).Instances {
			all[name+":"+i.Name] = value(t, r, repo.Entity{Service: name, Instance: i.Name}, "general/enabled")
		}
	}
	return all
}
