package instance

import (
	"flag"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// The simulations leave nothing in the tree, and take about two seconds. For longer ones:
// go test -run Simulation -rapid.checks=20000 -rapid.steps=300.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.checks": "200", "rapid.steps": "80"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	testenv.Main(m)
}
