package upkeep

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// module is where the sources are, from here.
const module = "../../.."

// build makes zoned and zsched of another build, with these tags.
func build(t *testing.T, version string, tags string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	flags := "-s -w"
	if version != "" {
		flags += " -X github.com/linuxzones/zones/internal/build.Version=" + version
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", flags, "-o", dir+"/", "./cmd/zoned", "./cmd/zsched")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", version, err, out)
	}
	return dir
}

// install replaces programs of the instance as an installation does: a new file gets the name.
func install(t *testing.T, z *testenv.Zones, from string, names ...string) {
	t.Helper()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(from, name))
		check(t, err)
		put(t, z, name, string(b))
	}
}

// put installs a program of this content.
func put(t *testing.T, z *testenv.Zones, name, content string) {
	t.Helper()
	path := filepath.Join(z.Bin, name)
	check(t, os.WriteFile(path+".new", []byte(content), 0o755))
	check(t, os.Rename(path+".new", path))
}
