package contract_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
)

// asProgram has the test be the example's program.
const asProgram = "CONTRACT_TEST_EXAMPLE"

// The example is run as it stands, by root on a host whose contracts are served. It is a
// process of its own: a contract is remembered as long as its maker lives.
func TestExample(t *testing.T) {
	if os.Getenv(asProgram) != "" {
		Example()
		return
	}
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2, testenv.Fuse)
	z := testenv.Instance(t)
	z.ServeContracts()
	cmd := exec.Command(os.Args[0], "-test.run=^TestExample$")
	cmd.Env = append(os.Environ(), layout.EnvRoot+"="+z.Root, asProgram+"=1")
	text, err := cmd.CombinedOutput()
	if want := "exit 3\nexit 4\nempty 0\n"; err != nil || !strings.HasPrefix(string(text), want) {
		t.Errorf("%v: %q, not %q", err, text, want)
	}
}
