package graph

import (
	"flag"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// The simulation leaves nothing in the tree, and takes about a second. For a longer one:
// go test -run Simulation -rapid.checks=20000 -rapid.steps=200.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.checks": "200", "rapid.steps": "60"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	testenv.Main(m)
}
