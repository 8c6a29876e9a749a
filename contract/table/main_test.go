package table

import (
	"flag"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// The comparison with the model leaves nothing in the tree, and takes about a second. For a
// longer one: go test -run Model -rapid.checks=100000 -rapid.steps=200.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.checks": "200", "rapid.steps": "80"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	testenv.Main(m)
}
