package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// role has the test binary be the program, by the name that it is called by.
const role = "STARTD_PROGRAM_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		os.Exit(run(os.Args))
	}
	testenv.Main(m)
}

// TestNames: by hand none of them starts anything, and each says why.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"svc.configd"}, "svc.configd: svc.startd holds the repository here"},
		{[]string{"/lib/svc/bin/svc.configd", "-n"}, "svc.configd: svc.startd holds the repository here"},
		{[]string{"svc.startd"}, "svc.startd: this program is started by init"},
		{[]string{"/lib/svc/bin/svc.startd", "-s", "-m", "verbose", "\x1b"}, "svc.startd: this program is started by init"},
	} {
		var out, errs bytes.Buffer
		cmd := &exec.Cmd{Path: "/proc/self/exe", Args: c.args, Env: append(os.Environ(), role+"=1"), Stdout: &out, Stderr: &errs}
		if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(errs.String(), c.want) || strings.Count(errs.String(), "\n") != 1 || out.Len() != 0 {
			t.Errorf("%q: %v, %q %q", c.args, cmd.ProcessState, &out, &errs)
		}
	}
	if run(nil) != 2 {
		t.Error("without a name")
	}
}
