package mnttab

import (
	"os"
	"runtime"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "MNTTAB_TEST_ROLE"

// The first thread stays where it is: a test that takes a namespace for its thread must not get
// that one, which stands for the whole process.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "server":
		os.Exit(serverMain())
	case "waiter":
		os.Exit(waiterMain())
	}
	testenv.Main(m)
}
