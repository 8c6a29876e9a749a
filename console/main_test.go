package console

import (
	"os"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "CONSOLE_TEST_ROLE"

// patient is the variable that tells a role of a test that is not about limits: it gives the others
// forever.
const patient = "CONSOLE_TEST_PATIENT"

// forever is longer than any process of a test stands still.
const forever = time.Minute

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
	// Only tests that are about these two have them short.
	handshakeTime, leaveTime = forever, forever
	testenv.Main(m)
}

// limit sets a limit for one test. It comes before the test's server, so that it ends after it.
func limit(t testing.TB, which *time.Duration, d time.Duration) {
	was := *which
	*which = d
	t.Cleanup(func() { *which = was })
}

func openFDs() int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(d)
}
