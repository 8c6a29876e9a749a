package smf

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/importer"
	"github.com/linuxzones/zones/svc/manifest"
)

// unresolved are services that real manifests cannot do without and that neither we nor these
// manifests have, each with the reason. What depends on one stays offline here, and svcs -x
// says why.
var unresolved = map[string]string{
	"svc:/network/nfs/nlockmgr":    "lock daemon of the original's NFS; on Linux the kernel's, and the host's",
	"svc:/network/nfs/server":      "the NFS server is the kernel's, and the host's",
	"svc:/system/cryptosvc":        "the original's kernel crypto framework",
	"svc:/system/dbus":             "a bus is a package's: who wants one in a zone brings its manifest",
	"svc:/system/hal":              "devices of hardware; a zone has none",
	"svc:/system/idmap:default":    "identities of Windows, for the original's SMB in the kernel",
	"svc:/system/smartdc/metadata": "SmartOS' own",
	"svc:/system/sysevent":         "events of the original's kernel about hardware",
}

// placeholder is what the build of a package replaces in a template of a document.
var placeholder = regexp.MustCompile(`\$\([A-Za-z]+\)`)

// real are the manifests that others have written, by file, without those of services of which
// ours take the place.
func real(t *testing.T, ours graph) map[string]*manifest.Bundle {
	t.Helper()
	found := map[string]*manifest.Bundle{}
	names, err := filepath.Glob(filepath.Join(shared(t), "*.xml"))
	must(t, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		must(t, err)
		b, err := manifest.Parse(filepath.Base(name), placeholder.ReplaceAll(data, []byte("x1")), manifest.Options{
			Include: func(string, string) (manifest.Document, error) {
				return manifest.Document{Name: "none", Data: []byte("<service_bundle type='profile' name='none'/>")}, nil
			},
		})
		must(t, err)
		b.Services = slices.DeleteFunc(b.Services, ours.takesPlaceOf)
		if b.Type == manifest.Manifest && len(b.Services) > 0 {
			found[b.File] = b
		}
	}
	return found
}

// takesPlaceOf: is there such a service of ours? An instance more of network/http is none: each
// web server is one.
func (g graph) takesPlaceOf(s manifest.Service) bool {
	return s.Config.Name != "network/http" && len(g.named(fmri.Of(s.Config.Name, ""))) > 0
}

// graphOf are a bundle's instances. Its services stand for those that they have not: their
// dependencies count all the same.
func graphOf(b *manifest.Bundle) graph {
	g := graph{}
	for i := range b.Services {
		s := b.Services[i].Whole()
		g.add(fmri.Of(s.Name, ""), s.Groups)
		for _, i := range s.Instances {
			g.add(fmri.Of(s.Name, i.Name), slices.Concat(i.Groups, s.Groups))
		}
	}
	return g
}

// What real manifests depend on is there. Where the folder of them is not beside the module,
// TestBoot's list says what we have.
func TestRealDependencies(t *testing.T) {
	if shared(t) == "" {
		t.Log("no real manifests beside the module")
		return
	}
	z := newZone(t)
	z.boot()
	ours, theirs, all := z.graph(), graph{}, real(t, z.graph())
	for _, b := range all {
		maps.Copy(theirs, graphOf(b))
	}
	resolved := map[string]map[string]int{"ours": {}, "theirs": {}, "nobody's": {}}
	for file, b := range all {
		for _, i := range graphOf(b) {
			for _, d := range i.deps {
				for _, e := range d.entities {
					if d.kind != "service" || d.grouping != "require_all" && d.grouping != "require_any" {
						continue
					}
					whose := "nobody's"
					switch {
					case len(ours.named(e)) > 0:
						whose = "ours"
					case len(theirs.named(e)) > 0:
						whose = "theirs"
					case unresolved[e] == "":
						t.Errorf("%s needs %s, which is nobody's, and not in the list", file, e)
					case strings.HasPrefix(file, "omnios-extra"):
						t.Errorf("%s, a package of others, needs %s", file, e)
					}
					resolved[whose][e]++
				}
			}
		}
	}
	for whose, list := range resolved {
		t.Logf("%s: %d services", whose, len(list))
		for _, e := range slices.Sorted(maps.Keys(list)) {
			t.Logf("\t%4d times %s", list[e], e)
		}
	}
	if len(all) < 100 || len(resolved["ours"]) < 15 {
		t.Errorf("only %d manifests, %d services of ours", len(all), len(resolved["ours"]))
	}
	for e := range unresolved {
		if resolved["nobody's"][e] == 0 {
			t.Errorf("%s is in the list and nobody needs it", e)
		}
	}
}

// Together with the manifests of others there is no cycle, and what ours have to reach is
// reached: no dependent of theirs makes one of ours wait for what waits for it.
func TestRealManifestsTogether(t *testing.T) {
	z := newZone(t)
	z.boot()
	imported := 0
	for file, b := range real(t, z.graph()) {
		if !strings.HasPrefix(file, "omnios-extra") {
			continue // parts of the original's base system, of which ours takes the place as a whole
		}
		_, err := importer.Import(importer.Local(z.r), b, nil)
		must(t, err)
		imported++
	}
	g := z.graph()
	if c := g.cycle(); c != nil {
		t.Errorf("%q", c)
	}
	for _, i := range g {
		i.enabled = true
	}
	boot := &bootOf{g: g, failed: func(string) bool { return false }, there: func(string) bool { return true }}
	for name, online := range boot.run() {
		if !online {
			t.Errorf("%s does not come online", name)
		}
	}
	if shared(t) != "" && imported < 25 {
		t.Errorf("only %d manifests", imported)
	}
}
