package layout_test

import (
	"os"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestAt(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for root, want := range map[string]layout.Layout{
		"":          {Root: "", Etc: "/etc/zones", Run: "/run/zones", Lib: "/var/lib/zones", Log: "/var/log/zones"},
		"/":         {Root: "", Etc: "/etc/zones", Run: "/run/zones", Lib: "/var/lib/zones", Log: "/var/log/zones"},
		"//":        {Root: "", Etc: "/etc/zones", Run: "/run/zones", Lib: "/var/lib/zones", Log: "/var/log/zones"},
		"/srv/z":    {Root: "/srv/z", Etc: "/srv/z/etc/zones", Run: "/srv/z/run/zones", Lib: "/srv/z/var/lib/zones", Log: "/srv/z/var/log/zones"},
		"/srv//z/.": {Root: "/srv/z", Etc: "/srv/z/etc/zones", Run: "/srv/z/run/zones", Lib: "/srv/z/var/lib/zones", Log: "/srv/z/var/log/zones"},
		"z":         {Root: here + "/z", Etc: here + "/z/etc/zones", Run: here + "/z/run/zones", Lib: here + "/z/var/lib/zones", Log: here + "/z/var/log/zones"},
	} {
		if got := layout.At(root); got != want {
			t.Errorf("%q: %+v", root, got)
		}
		t.Setenv(layout.EnvRoot, root)
		if got := layout.FromEnv(); got != want {
			t.Errorf("%q from the environment: %+v", root, got)
		}
	}
}

func TestPaths(t *testing.T) {
	l := layout.At("/srv/z")
	for got, want := range map[string]string{
		l.State():           "/srv/z/run/zones/state",
		l.Status():          "/srv/z/run/zones/status",
		l.ZoneState("web"):  "/srv/z/run/zones/state/web",
		l.StatusFile("web"): "/srv/z/run/zones/status/web.json",
		l.ZonePath("web"):   "/srv/z/var/lib/zones/web",
	} {
		if got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

// Tags are in names of things that outlive a program: they stay what they are.
func TestTag(t *testing.T) {
	for root, want := range map[string]string{"": "", "/": "", "/srv/z": ".ddde52c2", "/srv/z/": ".ddde52c2"} {
		if got := layout.At(root).Tag(); got != want {
			t.Errorf("%q: %q, not %q", root, got, want)
		}
	}
	seen := map[string]bool{}
	for i := range 2000 {
		tag := layout.At("/srv/" + strings.Repeat("x", i%50+1) + string(rune('a'+i%26)) + strings.Repeat("y", i/50)).Tag()
		if len(tag) != 9 || tag[0] != '.' {
			t.Fatalf("%q", tag)
		}
		seen[tag] = true
	}
	if len(seen) < 1000 {
		t.Errorf("only %d tags", len(seen))
	}
}
