package client

import (
	"fmt"
	"os"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "CLIENT_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(role) == "relay" {
		if err := Relay(os.Getenv("CLIENT_TEST_DOOR"), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testenv.Main(m)
}
