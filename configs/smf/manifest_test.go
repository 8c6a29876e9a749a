package smf

import (
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/importer"
	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/svccfg"
)

// wanted are the instances that others may depend on, and whether a zone that nobody has told
// otherwise runs them.
var wanted = map[string]bool{
	"svc:/application/database/postgresql:default": false,
	"svc:/application/database/redis:default":      false,
	"svc:/milestone/devices:default":               true,
	"svc:/milestone/multi-user-server:default":     true,
	"svc:/milestone/multi-user:default":            true,
	"svc:/milestone/name-services:default":         true,
	"svc:/milestone/network:default":               true,
	"svc:/milestone/single-user:default":           true,
	"svc:/milestone/sysconfig:default":             true,
	"svc:/network/dns/client:default":              true,
	"svc:/network/http:nginx":                      false,
	"svc:/network/initial:default":                 true,
	"svc:/network/loopback:default":                true,
	"svc:/network/physical:default":                true,
	"svc:/network/routing-setup:default":           true,
	"svc:/network/service:default":                 true,
	"svc:/network/ssh:default":                     false,
	"svc:/system/console-login:default":            false,
	"svc:/system/cron:default":                     true,
	"svc:/system/device/local:default":             true,
	"svc:/system/early-manifest-import:default":    true,
	"svc:/system/filesystem/daemons:default":       true,
	"svc:/system/filesystem/local:default":         true,
	"svc:/system/filesystem/minimal:default":       true,
	"svc:/system/filesystem/root:default":          true,
	"svc:/system/filesystem/usr:default":           true,
	"svc:/system/fm/smtp-notify:default":           false,
	"svc:/system/identity:domain":                  true,
	"svc:/system/identity:node":                    true,
	"svc:/system/manifest-import:default":          true,
	"svc:/system/svc/global:default":               false,
	"svc:/system/svc/restarter:default":            true,
	"svc:/system/system-log:default":               true,
	"svc:/system/utmp:default":                     true,
}

// Each file is what its place says, and wrong in nothing: not by the DTD, nor by its templates.
func TestManifests(t *testing.T) {
	z := newZone(t)
	z.boot()
	store := door.NewLocal(z.r)
	seen := map[string]string{}
	for _, name := range files(t, "manifest") {
		b, err := manifest.Parse(name, []byte(text(t, filepath.Join("manifest", name))), manifest.Options{Want: manifest.Manifest})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		for _, w := range b.Warnings {
			t.Errorf("%v", w)
		}
		if len(b.Services) != 1 || b.Services[0].Config.Name != strings.TrimSuffix(name, ".xml") {
			t.Errorf("%s does not have the service, and that alone, that it is named for", name)
		}
		for i := range b.Services {
			if other := seen[b.Services[i].Config.Name]; other != "" {
				t.Errorf("%s and %s have one service", name, other)
			}
			seen[b.Services[i].Config.Name] = name
			if doc := text(t, filepath.Join("manifest", name)); strings.Contains(doc, "<single_instance") && strings.Count(doc, "<instance ") > 1 {
				t.Errorf("%s: of its instances one runs at a time", name)
			}
		}
		faults, err := svccfg.CheckTemplates(store, b)
		must(t, err)
		for _, f := range faults {
			t.Error(f)
		}
	}
}

// The first boot imports everything and the profile enables what is wanted; the second changes
// nothing, and a profile never again.
func TestBoot(t *testing.T) {
	z := newZone(t)
	n := len(files(t, "manifest")) + len(files(t, "profile"))
	if got := z.boot(); got[importer.Done] != n || got[importer.Failed] != 0 {
		t.Errorf("of %d files: %v", n, got)
	}
	got := map[string]bool{}
	for name, i := range z.graph() {
		got[name] = i.enabled
	}
	for name, enabled := range wanted {
		if is, there := got[name]; !there || is != enabled {
			t.Errorf("%s: there %v, enabled %v", name, there, is)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is not in the list", name)
	}
	before := z.r.Generation()
	if got := z.boot(); got[importer.Unchanged] != n || z.r.Generation() != before {
		t.Errorf("the second boot: of %d files %v", n, got)
	}
}

// Properties that svc.startd reads have values that it knows: it would silently do something
// else.
func TestStartdProperties(t *testing.T) {
	z := newZone(t)
	z.boot()
	words := map[string][]string{
		"startd/duration":          {"", "transient", "child"}, // the default is contract
		"startd/ignore_error":      {"", "core,signal"},
		"startd/notify":            {"", "ready"},
		"startd/need_session":      {"", "true"},
		"startd/utmpx_prefix":      {"", "co"},
		"startd/runtime_directory": {"", "postgresql", "redis"},
	}
	for _, i := range z.graph() {
		for where, allowed := range words {
			group, property := path.Split(where)
			if v := i.value(strings.TrimSuffix(group, "/"), property); !slices.Contains(allowed, v) {
				t.Errorf("%s: %s is %q", i.fmri, where, v)
			}
		}
		for k := range i.groups {
			if g := &i.groups[k]; g.Name == "startd" {
				for _, p := range g.Props {
					if words["startd/"+p.Name] == nil {
						t.Errorf("%s: startd/%s is unknown", i.fmri, p.Name)
					}
				}
			}
		}
		for _, d := range i.deps {
			if !slices.Contains([]string{"require_all", "require_any", "optional_all", "exclude_all"}, d.grouping) ||
				!slices.Contains([]string{"none", "error", "restart", "refresh"}, d.restartOn) ||
				!slices.Contains([]string{"service", "path"}, d.kind) || len(d.entities) == 0 {
				t.Errorf("%s: dependency %+v", i.fmri, d)
			}
			for _, e := range d.entities {
				if f, err := fmri.Parse(e); err != nil || (f.Scheme == fmri.File) != (d.kind == "path") {
					t.Errorf("%s: dependency %s on %q: %v", i.fmri, d.name, e, err)
				}
			}
		}
	}
}

// Every instance has the methods of a service, and each that is a program is there. One that
// could wait for something has a limit, but for the console: it is a person's.
func TestMethodsOfManifests(t *testing.T) {
	z := newZone(t)
	z.boot()
	used := map[string]bool{}
	for _, i := range z.graph() {
		for _, name := range []string{"start", "stop", "refresh"} {
			line := i.value(name, "exec")
			if line == "" {
				if name != "refresh" {
					t.Errorf("%s has no method %s", i.fmri, name)
				}
				continue
			}
			program := strings.Fields(line)[0]
			seconds, err := strconv.Atoi(i.value(name, "timeout_seconds"))
			must(t, err)
			if seconds < 1 && program != ":true" && i.value("startd", "duration") != "child" {
				t.Errorf("%s: method %s has no limit", i.fmri, name)
			}
			base, ours := strings.CutPrefix(program, "/lib/svc/method/")
			if !ours && !strings.HasPrefix(program, ":") {
				t.Errorf("%s: method %s is %q", i.fmri, name, line)
			}
			used[base] = ours
		}
	}
	for _, name := range files(t, "method") {
		if !used[name] {
			t.Errorf("method/%s is nobody's", name)
		}
		delete(used, name)
	}
	for name, ours := range used {
		if ours {
			t.Errorf("method/%s is missing", name)
		}
	}
}
