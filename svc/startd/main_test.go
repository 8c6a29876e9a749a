package startd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// role says what a process started from the test binary plays.
const role = "STARTD_TEST_ROLE"

func TestMain(m *testing.M) {
	if as := os.Getenv(role); as != "" {
		if err := child(as); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testenv.Main(m)
}

// realImport in the environment has the import write to the repository.
const realImport = "STARTD_TEST_REAL_IMPORT"

// child is what a process of the tests' own does, by its role.
func child(as string) error {
	dir := os.Getenv("STARTD_TEST_DIR")
	switch as {
	case "run":
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
		defer stop()
		cfg := configOf(dir)
		if os.Getenv(realImport) != "" {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			cfg.Import = []string{"/usr/bin/env", role + "=import", exe}
		}
		return Run(ctx, cfg)
	case "import":
		return importMain(dir)
	}
	return errors.New("no such role: " + as)
}
