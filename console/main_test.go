package console

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
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
	before := openFDs()
	code := m.Run()
	if code == 0 {
		if err := settled(before); err != nil {
			fmt.Fprintln(os.Stderr, "leak:", err)
			code = 1
		}
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

// settled waits for descriptors and goroutines to be as few as before.
func settled(fds int) error {
	var err error
	for range 100 {
		n, g := openFDs(), runtime.NumGoroutine()
		// The runtime's poller and signal handling keep descriptors and goroutines of their own.
		if n <= fds+4 && g <= 3 {
			return nil
		}
		err = fmt.Errorf("%d descriptors (%d at first), %d goroutines", n, fds, g)
		time.Sleep(20 * time.Millisecond)
	}
	return err
}
