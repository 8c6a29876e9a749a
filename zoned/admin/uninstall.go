package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

const (
	// leaveMax bounds the wait for a supervisor that was told to leave, which it does
	// within milliseconds once its console client is gone.
	leaveMax = 10 * time.Second
	// leavePoll is the pause between two looks at its lock.
	leavePoll = 10 * time.Millisecond
	// answerBytesMax bounds a person's answer.
	answerBytesMax = 256
)

// Uninstall removes the zone's files and leads back to configured. It asks first, unless
// forced. A supervisor that is there for the console of an installed zone is sent away.
func (a *Admin) Uninstall(ctx context.Context, force Force) error {
	if _, err := a.Sane(Uninstall, force); err != nil {
		return err
	}
	if force == Unforced {
		yes, err := a.confirm(ctx, Uninstall)
		if err != nil || !yes {
			return err
		}
	}
	release, err := a.lock(alone)
	if err != nil {
		return err
	}
	defer release()
	// The zone may have been booted while we asked; nobody can boot it from here on.
	if _, err := a.Sane(Uninstall, force); err != nil {
		return err
	}
	if err := a.sendAway(ctx); err != nil {
		return err
	}
	e, err := a.Store.Lookup(a.Zone)
	if err != nil {
		return err
	}
	if err := a.Store.SetState(a.Zone, configs.Incomplete, configs.Incomplete, configs.Installed); err != nil {
		return a.stateChanged(Uninstall, err)
	}
	show := a.transient()
	rm, err := a.Image.Uninstall(ctx, e.Path, show.work("removing"))
	show.clear()
	if err != nil {
		return fmt.Errorf("%w; the zone is incomplete: uninstall it again", err)
	}
	if err := a.Store.SetState(a.Zone, configs.Configured, configs.Incomplete); err != nil {
		return fmt.Errorf("the files are gone, but the index could not be written: %w; uninstall it again", err)
	}
	a.forget()
	if len(rm.Left) > 0 {
		a.Say(fmt.Sprintf("WARNING: %s holds files that are not the zone's and were left: %s", e.Path, strings.Join(rm.Left, ", ")))
	}
	return nil
}

// forget removes the zone's run-time files: its console's history, its journal, its log. The
// lock goes with them; who waits to make its directory anew sees that it was replaced.
func (a *Admin) forget() {
	for _, path := range []string{a.Layout.StatusFile(a.Zone), a.Layout.ZoneState(a.Zone)} {
		if err := os.RemoveAll(path); err != nil {
			a.Say("WARNING: run-time files are left: " + err.Error())
		}
	}
}

// sendAway tells a live supervisor that the zone is being uninstalled and waits for it to
// leave: it drops its console client and goes.
func (a *Admin) sendAway(ctx context.Context) error {
	_, err := a.call(ctx, OnlyIfAlive, api.Request{Verb: api.VerbNoteUninstalling})
	if errors.Is(err, api.ErrNoServer) || errors.Is(err, ErrCall) && errors.Is(err, api.ErrUnavailable) {
		err = nil // it left without an answer, which is all that was wanted of it
	}
	if err != nil {
		return err
	}
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	defer dir.Close()
	limit := time.Now().Add(leaveMax)
	for {
		pid, held, err := sys.LockHolder(dir, api.ZschedPid)
		if err != nil || !held {
			return err
		}
		if time.Now().After(limit) {
			return fmt.Errorf("its supervisor (process ID %d) did not leave within %d seconds", pid, int(leaveMax.Seconds()))
		}
		select {
		case <-time.After(leavePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// confirm asks a person; without a terminal there is nobody to ask.
func (a *Admin) confirm(ctx context.Context, cmd Command) (bool, error) {
	if !a.InTTY {
		return false, fmt.Errorf("Input not from terminal and -F not specified: %s not done.", cmd)
	}
	_, _ = fmt.Fprintf(a.Out, "Are you sure you want to %s zone %s (y/[n])? ", cmd, a.Zone)
	if err := awaitInput(ctx, a.In); err != nil {
		_, _ = fmt.Fprintln(a.Out)
		return false, err
	}
	in := bufio.NewReaderSize(a.In, answerBytesMax)
	line, _, err := in.ReadLine()
	if err != nil {
		return false, nil // the end of input is no consent
	}
	answer := strings.ToLower(strings.TrimSpace(string(line)))
	return answer == "y" || answer == "yes", nil
}

// interruptPollMs is how often a wait for an answer looks whether it was interrupted.
const interruptPollMs = 100

// awaitInput waits until a terminal has a line, or the command is interrupted: what is typed
// after ^C must not be taken for the answer.
func awaitInput(ctx context.Context, in io.Reader) error {
	f, ok := in.(*os.File)
	if !ok {
		return nil
	}
	for {
		p := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(p, interruptPollMs)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && err != unix.EINTR {
			return err
		}
		if err == nil && n > 0 {
			return nil
		}
	}
}

// Mark writes a zone's state into the index by hand: only incomplete can be marked.
func (a *Admin) Mark(to string) error {
	if to != configs.Incomplete.String() {
		return &UsageError{fmt.Sprintf("a zone can be marked %s, not %q", configs.Incomplete, to)}
	}
	if _, err := a.Sane(Mark, Unforced); err != nil {
		return err
	}
	// The lock is about what runs on this host; nothing of another root does.
	if !a.AltRoot {
		release, err := a.lock(alone)
		if err != nil {
			return err
		}
		defer release()
	}
	return a.Store.SetState(a.Zone, configs.Incomplete)
}
