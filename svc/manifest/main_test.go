package manifest

import (
	"flag"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// Generated services leave nothing in the tree when they fail, and take about a second. For more
// of them: go test -run Anything -rapid.checks=100000.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.checks": "2000"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	testenv.Main(m)
}
