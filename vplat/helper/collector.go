package helper

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// CollectorArg is the word with which zrun loads the collector of contracts, and ends:
// zrun collector -d DIR.
const CollectorArg = "collector"

// Collector has zrun (program) load the collector of contracts and pin it below dir, a bpffs.
// The kernel accounts what the collector uses to the caller's cgroup, so zrun stays in it: in
// one of a zone it would live on the zone's memory. It is killed with its caller: with the
// thread, to be exact, which must be locked for as long.
func Collector(ctx context.Context, program, dir string) error {
	var words bytes.Buffer
	cmd := exec.CommandContext(ctx, program, CollectorArg, "-d", dir)
	cmd.Dir, cmd.Env, cmd.Stderr = "/", environment(), &words
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("load the collector: %w: %s", err, strings.TrimSpace(words.String()))
	}
	return nil
}
