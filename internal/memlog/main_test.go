package memlog

import (
	"os"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "MEMLOG_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "writer" {
		os.Exit(writerMain())
	}
	testenv.Main(m)
}
