package logfile

import (
	"os"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

const role = "LOGFILE_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "writer" {
		os.Exit(writerMain())
	}
	testenv.Main(m)
}
