package console

import (
	"os"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "CONSOLE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "keeper":
		os.Exit(keeperMain())
	case "supervisor":
		os.Exit(supervisorMain())
	case "writer":
		os.Exit(writerMain())
	case "client":
		os.Exit(clientMain())
	}
	testenv.Main(m)
}

func openFDs() int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(d)
}
