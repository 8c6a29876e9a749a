package fuse

import (
	"os"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "FUSE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "server":
		os.Exit(serverMain())
	case "client":
		os.Exit(clientMain())
	}
	testenv.Main(m)
}
