package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

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

// TestManyHoldNoThreads: who waits for many helpers at once waits without a thread for each. A
// thread that was needed once stays with a supervisor for life.
func TestManyHoldNoThreads(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	dir := testenv.Cgroup(t)
	work := t.TempDir()
	program, gate := filepath.Join(work, "zrun"), filepath.Join(work, "gate")
	script := "#!/bin/sh\n: >" + work + "/up.$$\nread go <" + gate + "\nkill -9 $$\n"
	if err := errors.Join(os.WriteFile(program, []byte(script), 0o755), unix.Mkfifo(gate, 0o600)); err != nil {
		t.Fatal(err)
	}
	threads := func() int { // that are in the kernel for a goroutine
		stacks := make([]byte, 1<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), " [syscall")
	}
	const many = 48
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			if _, _, err := Run(context.Background(), program, dir, &Request{Op: OpExec, Zone: "a"}, nil); !errors.Is(err, ErrDied) {
				t.Error(err)
			}
		})
	}
	testenv.Eventually(t, func() bool {
		up, _ := filepath.Glob(work + "/up.*")
		return len(up) == many
	}, "all helpers to work")
	// Some are needed to start them, which is done one after the other.
	testenv.Eventually(t, func() bool { return threads() <= many/3 }, fmt.Sprintf("few threads while %d helpers are waited for", many))
	open, err := os.OpenFile(gate, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, err := open.WriteString(strings.Repeat("go\n", many)); err != nil {
		t.Fatal(err)
	}
	group.Wait()
}
