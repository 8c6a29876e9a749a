package upkeep

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestPlaceOfItsOwn: a keeper that is started by somebody who lives in the cgroup of another zone's has
// a place of its own all the same, and one zone's end is none of the other's.
func TestPlaceOfItsOwn(t *testing.T) {
	z := running(t)
	z.Sparse("b")
	m, err := testenv.Cgroup2Mount()
	check(t, err)
	sup := filepath.Join(filepath.Dir(generation(t, z, "a")), "sup")
	boot := z.Cmd("zoneadm", "-z", "b", "boot")
	inside := exec.Command("/bin/sh", append([]string{"-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, sup, boot.Path}, boot.Args[1:]...)...)
	inside.Env, inside.Dir = boot.Env, boot.Dir
	if out, err := inside.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	a, b := generation(t, z, "a"), generation(t, z, "b")
	if above := filepath.Join(m, "zones"+z.Tag(), "b"); !strings.HasPrefix(b, above+"/") {
		t.Errorf("zone b lives in %s, not below %s; zone a in %s", b, above, a)
	}
	silent(t, z, "-z", "a", "halt")
	if out := z.In("b", "echo lives"); out != "lives\n" {
		t.Errorf("a login to the other zone says %q", out)
	}
	silent(t, z, "-z", "b", "halt")
}
