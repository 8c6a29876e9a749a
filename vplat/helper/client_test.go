package helper

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestDiedUnread: a helper that is killed before it has read its request, or just after, has ended
// without an answer, and that is what is said.
func TestDiedUnread(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	dir := testenv.Cgroup(t)
	for name, script := range map[string]string{
		"killed":     "#!/bin/sh\nkill -9 $$\n",
		"exits":      "#!/bin/sh\nexit 3\n",
		"closes":     "#!/bin/sh\nexec 3<&-\nexit 0\n",
		"is slow":    "#!/bin/sh\nsleep 0.05\nkill -9 $$\n",
		"reads some": "#!/bin/sh\nhead -c 4 <&3 >/dev/null\nkill -9 $$\n",
	} {
		program := filepath.Join(t.TempDir(), "zrun")
		if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			reply, fds, err := Run(context.Background(), program, dir, &Request{Op: OpExec, Zone: "a"}, nil)
			if !errors.Is(err, ErrDied) || reply != nil || len(fds) != 0 {
				t.Fatalf("one that %s: %+v, %v", name, reply, err)
			}
			if !strings.Contains(err.Error(), "signal: killed") && !strings.Contains(err.Error(), "exit status") {
				t.Errorf("one that %s: how it ended is not said: %v", name, err)
			}
		}
	}
}
