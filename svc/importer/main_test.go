package importer

import (
	"flag"
	"os"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "IMPORTER_TEST_ROLE"

// Generated services leave nothing in the tree when they fail. For more of them:
// go test -run Any -rapid.checks=10000.
func TestMain(m *testing.M) {
	if as := os.Getenv(role); as != "" {
		os.Exit(childMain(as))
	}
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.checks": "60"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	testenv.Main(m)
}
