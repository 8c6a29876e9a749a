package ring

import (
	"fmt"
	"os"
	"testing"
)

// role says what a process started from the test binary plays.
const role = "RING_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "writer" {
		os.Exit(writerMain())
	}
	before := openFDs()
	code := m.Run()
	// The runtime's poller has descriptors of its own.
	if after := openFDs(); code == 0 && after > before+3 {
		fmt.Fprintf(os.Stderr, "leak: %d descriptors, %d at first\n", after, before)
		code = 1
	}
	os.Exit(code)
}

func openFDs() int {
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(d)
}
