package mnttab

import (
	"os"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "MNTTAB_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "server" {
		os.Exit(serverMain())
	}
	testenv.Main(m)
}
