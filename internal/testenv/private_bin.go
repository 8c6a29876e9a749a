package testenv

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// PrivateBin gives an instance programs of its own, which a test may replace.
func (z *Zones) PrivateBin(t testing.TB) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bin")
	if out, err := exec.Command("cp", "-a", z.Bin, dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the programs: %v\n%s", err, out)
	}
	z.Bin = dir
}
